"""How far textures are from the true albedo of drawn portraits: `python -m tests.models.texture_errors`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from blender_addon.protocol.face import FaceFile
from models.portrait.basis_look import of_material, of_region
from models.portrait.fit import PortraitFit
from models.portrait.fitting import fit_portrait
from models.portrait.seen import seen
from models.portrait.skin import skin_light
from models.portrait.texels import Texels
from models.portrait.texture import textured

from .drawn_portrait import DrawnPortrait, drawn_portrait

PARTS = ("face, seen", "face, hidden", "other skin")
_POSES = ((0.0, 0.0), (15.0, 5.0), (-30.0, 10.0))
_PEOPLE = 4


def errors(portrait: DrawnPortrait, face: FaceFile, one_gain: bool = False) -> np.ndarray:
    """[3] mean difference of sRGB codes between the albedo of `face` and the true one, for `PARTS`.

    Args:
        one_gain: first bring the face's mean to the true one, per colour: a picture does not tell a bright
            light from a pale skin.
    """
    truth = portrait.truth
    texels = Texels.of(truth, truth.textures["albedo"].shape[0])
    view = seen(portrait.fit, truth)
    shown = view.visible & (view.facing > 0.4)
    front = of_region(truth, "face", "nose", "eyelids", "upper_lip", "lower_lip")
    at = texels.of_vertices(np.column_stack([shown, front])) > 0.5
    skin = of_material(truth, texels, "skin", "lips", "scalp")
    own, true = (each.textures["albedo"].reshape(-1, 3)[texels.place].astype(float) for each in (face, truth))
    parts = (skin & at[:, 1] & at[:, 0], skin & at[:, 1] & ~at[:, 0], skin & ~at[:, 1])
    if one_gain:
        own = own * (true[parts[0]].mean(0) / own[parts[0]].mean(0))
    away = np.abs(own - true).mean(1)
    return np.array([away[part].mean() for part in parts])


def fits(portrait: DrawnPortrait) -> dict[str, PortraitFit]:
    """The true fit; the same with the light measured in the picture; one from the picture alone."""
    known = portrait.fit
    light = skin_light(portrait.picture, known.face, known.weights, known.camera)
    return {
        "all known": known,
        "light measured": replace(known, light=light),
        "fitted": fit_portrait(portrait.picture),
    }


def main() -> None:
    """Print the table."""
    print(f"{'yaw, pitch':>12} {'':14} " + " ".join(f"{part:>26}" for part in PARTS))
    for pose in _POSES:
        rows: dict[str, list[list[np.ndarray]]] = {}
        for seed in range(_PEOPLE):
            portrait = drawn_portrait(seed, *pose)
            basis = errors(portrait, portrait.fit.face)
            for way, fit in fits(portrait).items():
                painted = textured(fit, portrait.picture)
                row = [errors(portrait, painted), errors(portrait, painted, True), basis]
                rows.setdefault(way, []).append(row)
        for way, row in rows.items():
            cells = (f"{own:.1f} ({even:.1f} even) of {base:.1f}" for own, even, base in np.mean(row, 0).T)
            print(f"{pose[0]:+6.0f}, {pose[1]:+3.0f}  {way:14} " + " ".join(f"{cell:>26}" for cell in cells))


if __name__ == "__main__":
    main()

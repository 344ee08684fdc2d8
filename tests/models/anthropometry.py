"""A caliper for heads made of the built-in mesh: the distances and angles that `norms` lists."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull

from blender_addon.protocol.face import FaceFile
from models.face.builtin.norms import NORMS, SPREAD

_MM = 1000.0


class Caliper:
    """Finds its points on the neutral head once; measures any face with the same vertices."""

    def __init__(self, head: FaceFile) -> None:
        at = head.vertices * _MM  # x left, y back, z up
        self._marks = dict(head.landmarks)
        region = {name: head.region == i for i, name in enumerate(head.region_names)}
        skin = region["face"] | region["neck"] | region["nose"] | region["scalp"]
        midline = skin & (np.abs(at[:, 0]) < 0.01)
        chin = np.flatnonzero(midline & (at[:, 1] < -75) & (at[:, 2] < -95))
        self._gnathion = chin[np.argmin(at[chin, 2] + 0.5 * at[chin, 1])]  # lowest and most forward
        ahead = np.abs(at[:, 1] - at[self._marks["subnasale"], 1] + 7.0)  # 7 mm along the nose's underside
        under = np.flatnonzero(midline & (at[:, 2] < -34) & (at[:, 2] > -50))
        self._columella = under[np.argmin(ahead[under])]
        bridge = np.flatnonzero(midline & (np.abs(at[:, 2] + 14) < 4) & (at[:, 1] < -95))
        self._bridge = bridge[0]
        self._cheeks = np.flatnonzero(skin & (np.abs(at[:, 2] + 18) < 6))
        self._skull = np.flatnonzero(skin & (at[:, 2] > 5))
        self._pinna = np.flatnonzero(region["ears"] & (at[:, 0] > 70))
        self._wings = np.flatnonzero(skin & (np.abs(at[:, 2] + 34) < 4) & (at[:, 1] < -93))
        self._neck = np.flatnonzero(skin & (np.abs(at[:, 2] + 150) < 6))

    def __call__(self, vertices: np.ndarray) -> dict[str, float]:
        """Millimetres and degrees by name, from `vertices` [V, 3] in metres."""
        at = vertices.astype(float) * _MM
        point = {name: at[i] for name, i in self._marks.items()}
        gn, skull, pinna = at[self._gnathion], at[self._skull], at[self._pinna]
        n, sn, g, pg = (point[k] for k in ("nasion", "subnasale", "glabella", "chin"))
        sto = (point["lip_upper_middle"] + point["lip_lower_middle"]) / 2
        pairs = {"en-en": "eye_inner", "ex-ex": "eye_outer", "ch-ch": "mouth_corner", "go-go": "jaw_angle"}
        upright = {
            "n-gn": (n, gn),
            "n-sn": (n, sn),
            "sn-gn": (sn, gn),
            "sn-sto": (sn, sto),
            "sto-gn": (sto, gn),
            "v-gn": (point["crown"], gn),
            "ls-sto": (point["lip_upper_border"], sto),
            "sto-li": (sto, point["lip_lower_border"]),
            "ps-pi": (point["lid_upper_middle.L"], point["lid_lower_middle.L"]),
        }
        return (
            {name: high[2] - low[2] for name, (high, low) in upright.items()}
            | {name: point[f"{mark}.L"][0] - point[f"{mark}.R"][0] for name, mark in pairs.items()}
            | {
                "zy-zy": np.ptp(at[self._cheeks, 0]),
                "eu-eu": np.ptp(skull[:, 0]),
                "g-op": skull[:, 1].max() - g[1],
                "al-al": np.ptp(at[self._wings, 0]),
                "sn-prn": np.linalg.norm(point["nose_tip"] - sn),
                "sa-sba": np.ptp(pinna[:, 2]),
                "pra-pa": np.ptp(pinna[:, 1]),
                "neck": ConvexHull(at[self._neck, :2]).area,  # the perimeter, in two dimensions
                "convexity": _angle(g, sn, pg),
                "nasofrontal": _angle(g, n, at[self._bridge]),
                "nasolabial": _angle(at[self._columella], sn, point["lip_upper_border"]),
            }
        )


def _angle(one: np.ndarray, tip: np.ndarray, other: np.ndarray) -> float:
    a, b = one - tip, other - tip
    return float(np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))))


def deviations(measured: dict[str, float]) -> dict[str, float]:
    """Measured minus norm, in standard deviations."""
    return {name: (value - NORMS[name]) / SPREAD[name] for name, value in measured.items()}

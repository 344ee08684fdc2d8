"""Textures from portraits whose true albedo is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile, check_face
from models.portrait.basis_look import of_material, of_region
from models.portrait.seen import seen
from models.portrait.texels import Texels
from models.portrait.texture import textured

from .drawn_portrait import DrawnPortrait, drawn_portrait

POSES = ((1, 0.0, 0.0), (2, 25.0, 5.0))


@dataclass(frozen=True)
class Result:
    portrait: DrawnPortrait
    face: FaceFile


@pytest.fixture(scope="module", params=POSES, ids=["front", "turned"])
def result(request: pytest.FixtureRequest) -> Result:
    portrait = drawn_portrait(*request.param)
    return Result(portrait, textured(portrait.fit, portrait.picture))


def errors(result: Result) -> tuple[np.ndarray, np.ndarray]:
    """Mean difference from the true albedo, sRGB codes, of the texture and of the basis' own.

    Each [3]: the seen part of the face, the hidden part, the rest of the skin.
    """
    truth, face = result.portrait.truth, result.face
    texels = Texels.of(truth, truth.textures["albedo"].shape[0])
    view = seen(result.portrait.fit, truth)
    at = texels.of_vertices(
        np.column_stack(
            [
                view.visible & (view.facing > 0.4),
                of_region(truth, "face", "nose", "eyelids", "upper_lip", "lower_lip"),
            ]
        )
    )
    skin = of_material(truth, texels, "skin", "lips", "scalp")
    on_face, shown = at[:, 1] > 0.5, at[:, 0] > 0.5
    parts = (skin & on_face & shown, skin & on_face & ~shown, skin & ~on_face)

    def away(other: FaceFile) -> np.ndarray:
        images = (each.textures["albedo"].reshape(-1, 3)[texels.place] for each in (other, truth))
        difference = np.abs(np.subtract(*(image.astype(float) for image in images))).mean(1)
        return np.array([difference[part].mean() for part in parts])

    return away(face), away(result.portrait.fit.face)


def test_the_true_albedo_comes_out(result: Result) -> None:
    painted, basis = errors(result)
    assert (painted < [12, 14, 12]).all(), painted
    assert (painted < 0.45 * basis).all(), (painted, basis)


def test_only_the_look_changes(result: Result) -> None:
    before, after = result.portrait.fit.face, result.face
    check_face(after, "it")
    np.testing.assert_array_equal(after.vertices, before.vertices)
    np.testing.assert_array_equal(after.textures["roughness"], before.textures["roughness"])
    teeth = Texels.of(before, 1024)
    teeth = teeth.chosen(of_material(before, teeth, "teeth", "gums", "tongue"))
    np.testing.assert_array_equal(
        *(face.textures["albedo"].reshape(-1, 3)[teeth.place] for face in (before, after))
    )


def test_no_seam_between_what_is_seen_and_what_is_not(result: Result) -> None:
    """On the skin's island neighbouring texels differ no more than in the true albedo, moles aside."""
    steps = []
    for face in (result.face, result.portrait.truth):
        image = face.textures["albedo"][20:720, 20:-20].astype(float)
        step = np.abs(np.diff(image, axis=1)).max(2)
        steps.append(np.percentile(step, 99))
    assert steps[0] < 1.5 * steps[1] + 3


def test_another_picture_is_refused(result: Result) -> None:
    with pytest.raises(InputError, match="fitted"):
        textured(result.portrait.fit, result.portrait.picture[:-8])

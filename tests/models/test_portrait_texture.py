"""Textures from portraits whose true albedo is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile, check_face
from models.portrait.basis_look import of_material
from models.portrait.texels import Texels
from models.portrait.texture import textured

from .drawn_portrait import DrawnPortrait, drawn_portrait
from .texture_errors import errors

POSES = ((1, 0.0, 0.0), (2, 25.0, 5.0))


@dataclass(frozen=True)
class Result:
    portrait: DrawnPortrait
    face: FaceFile


@pytest.fixture(scope="module", params=POSES, ids=["front", "turned"])
def result(request: pytest.FixtureRequest) -> Result:
    portrait = drawn_portrait(*request.param)
    return Result(portrait, textured(portrait.fit, portrait.picture))


@pytest.fixture(scope="module")
def portrait() -> DrawnPortrait:
    return drawn_portrait(2, 20.0, 5.0, size=320)


def test_the_true_albedo_comes_out(result: Result) -> None:
    painted = errors(result.portrait, result.face)
    basis = errors(result.portrait, result.portrait.fit.face)
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


@pytest.mark.parametrize("case", ["plain head", "one colour", "too dark", "elsewhere"])
def test_odd_input_still_makes_a_head(case: str, portrait: DrawnPortrait) -> None:
    fit, picture, face = portrait.fit, portrait.picture, portrait.fit.face
    if case == "plain head":  # neither textures nor names
        face = replace(face, textures={}, region=np.zeros_like(face.region), rings={})
    elif case == "one colour":
        picture = np.full_like(picture, 128)
    elif case == "too dark":
        picture = (picture * 0.04).astype(np.uint8)
    else:
        fit = replace(fit, camera=replace(fit.camera, centre=(-900.0, 600.0)))
    painted = textured(replace(fit, face=face), picture)
    check_face(painted, case)
    assert painted.textures["albedo"].shape == (1024, 1024, 3)
    assert ((painted.color >= 0) & (painted.color <= 1)).all()
    if case == "plain head":
        shown = errors(portrait, painted)[0]
        assert shown < 0.5 * errors(portrait, portrait.fit.face)[0]
    if case == "elsewhere":
        assert errors(portrait, painted)[0] == pytest.approx(errors(portrait, portrait.fit.face)[0], abs=1.0)

"""A fit survives its face file."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.face import read_face, write_face
from models.face import load_head
from models.portrait.fit import PortraitFit
from models.portrait.record import PictureRecord, fit_of, picture_of, with_record
from models.render.camera import Pinhole

PICTURE = PictureRecord("anna ü.png", "0" * 64)


@pytest.fixture(scope="module")
def fit() -> PortraitFit:
    rng = np.random.default_rng(0)
    face = replace(load_head(), source={"kind": "other", "units": 0.01})
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return PortraitFit(
        face=face,
        identity=rng.normal(size=len(face.identity_names)).astype(np.float32),
        weights=rng.uniform(size=52).astype(np.float32),
        gaze=rng.normal(size=4).astype(np.float32),
        camera=Pinhole(turn, rng.normal(size=3), 1234.5678901, (320.125, 1 / 3)),
        light=rng.normal(size=(9, 3)).astype(np.float32),
        landmarks=rng.uniform(0, 640, (478, 3)).astype(np.float32),
        size=(640, 480),
        error=0.0123,
        notes=("one", "two"),
    )


def test_everything_comes_back_exactly(fit: PortraitFit, tmp_path: Path) -> None:
    write_face(tmp_path / "f.safetensors", with_record(fit.face, fit, PICTURE))
    face = read_face(tmp_path / "f.safetensors")
    again = fit_of(face)
    assert picture_of(face) == PICTURE
    assert face.source["basis"] == {"kind": "other", "units": 0.01}
    for field in fields(PortraitFit):
        if field.name not in ("face", "camera"):
            np.testing.assert_array_equal(getattr(again, field.name), getattr(fit, field.name), field.name)
    for field in fields(Pinhole):
        np.testing.assert_array_equal(getattr(again.camera, field.name), getattr(fit.camera, field.name))


def test_a_face_without_a_fit_is_named(fit: PortraitFit) -> None:
    for face in (load_head(), fit.face):
        with pytest.raises(InputError, match="face fit"):
            fit_of(face)


@pytest.mark.parametrize(
    "damage",
    [
        {"weights": [0.0] * 51},
        {"landmarks": "none"},
        {"size": [640]},
        {"light": [[float("nan")] * 3] * 9},
        {"camera": {"rotation": 1}},
        {"error": None},
    ],
)
def test_a_damaged_record_gets_one_line(fit: PortraitFit, damage: dict[str, object]) -> None:
    face = with_record(fit.face, fit, PICTURE)
    face = replace(face, source=dict(face.source) | damage)
    with pytest.raises(FileFormatError, match="Fit the portrait again") as caught:
        fit_of(face)
    assert "\n" not in str(caught.value)

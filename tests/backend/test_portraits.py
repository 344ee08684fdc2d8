"""`vividtalk face fit` and `animate --portrait` on a public-domain photograph."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from backend.cli import main
from backend.portraits import head_angles
from blender_addon.protocol.clip import read_clip
from blender_addon.protocol.face import read_face
from models.face import load_head
from models.portrait.record import fit_of, picture_of
from models.render.camera import Camera, Pinhole


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stored lying on its side, as phones do."""
    path = tmp_path_factory.mktemp("photo") / "eileen.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(data.astronaut()).rotate(90, expand=True).save(path, exif=exif, quality=95)
    return path


def test_a_photo_becomes_a_head_that_remembers_it(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "e.safetensors"
    assert run("face", "fit", photo, "-o", out, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    face, head = read_face(out), load_head()
    fit = fit_of(face)
    assert face.id == "eileen"
    assert picture_of(face).name == "eileen.jpg"
    assert facts["size"] == [512, 512]
    assert facts["error"] < 0.04
    assert max(facts["expression"].values()) > 0.2  # she smiles
    assert fit.size == (512, 512)
    left, top, width, height = facts["box"]
    marks = fit.landmarks[:, :2]
    assert ((marks >= (left - 1, top - 1)) & (marks <= (left + width + 1, top + height + 1))).all()
    assert 130 < left + width / 2 < 300  # where her face is
    assert np.abs(face.vertices - head.vertices).max() > 0.002
    assert np.abs(face.textures["albedo"].astype(int) - head.textures["albedo"]).mean() > 5


def test_what_cannot_be_fitted_gets_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(data.coffee()).save(tmp_path / "coffee.png")
    out = tmp_path / "o.safetensors"
    assert run("face", "fit", tmp_path / "coffee.png", "-o", out) == 1
    said = capsys.readouterr().err
    assert "coffee.png: no face" in said
    assert said.count("\n") == 1
    assert run("face", "fit", tmp_path / "none.png", "-o", out) == 1
    assert "none.png" in capsys.readouterr().err
    assert not out.exists()


def test_two_faces_and_how_to_choose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large, small = data.astronaut(), np.asarray(Image.fromarray(data.astronaut()).resize((300, 300)))
    both = np.full((512, 812, 3), 200, np.uint8)
    both[:, :512], both[100:400, 512:] = large, small[:, ::-1]
    Image.fromarray(both).save(tmp_path / "two.png")
    assert run("face", "fit", tmp_path / "two.png", "-o", tmp_path / "o.safetensors", "--choose", 9) == 1
    said = capsys.readouterr().err
    assert "1 at" in said
    assert "2 at" in said
    arguments = (
        "face",
        "fit",
        tmp_path / "two.png",
        "-o",
        tmp_path / "o.safetensors",
        "--choose",
        2,
        "--json",
    )
    assert run(*arguments) == 0
    assert json.loads(capsys.readouterr().out)["box"][0] > 512


def test_a_portrait_is_the_face_of_a_clip(photo: Path, tmp_path: Path) -> None:
    voice = Path(__file__).parents[2] / "models" / "assets" / "demo_voice.flac"
    clip = tmp_path / "c.safetensors"
    assert run("animate", voice, "-o", clip, "--portrait", photo, "--no-head") == 0
    assert read_clip(clip).info.face_id == "eileen"
    assert run("animate", voice, "-o", tmp_path / "d.safetensors", "--portrait", photo, "--face", clip) == 2


@pytest.mark.parametrize(("yaw", "pitch"), [(20.0, 0.0), (0.0, -15.0), (-30.0, 0.0)])
def test_angles_of_a_head(yaw: float, pitch: float) -> None:
    camera = Camera(yaw=yaw, pitch=pitch)
    angles = head_angles(Pinhole(camera.axes(), np.array([0.0, 0.0, 1.0]), 500.0, (0.0, 0.0)))
    # A camera to the subject's left sees the face turned to the picture's left; one above sees it look down.
    assert angles["yaw"] == pytest.approx(-yaw, abs=1e-6)
    assert angles["pitch"] == pytest.approx(-pitch, abs=1e-6)
    assert angles["roll"] == pytest.approx(0.0, abs=1e-6)

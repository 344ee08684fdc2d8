"""The exported .blend, opened again in each version of Blender that can read it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.exporters.blend import export_blend
from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.clip import ClipInfo, MotionClip, expression_clip, frame_count
from blender_addon.protocol.controls import ExpressionControls, MotionStyle, controls_to_json
from blender_addon.protocol.errors import MissingExtraError, OutputError
from blender_addon.protocol.tensorfile import Array

from .conftest import Blender, python_path
from .sounds import write_sound

SECONDS = 3.3
FPS = 30000 / 1001
EMOTIONS = {"sad": ((0.0, 0.0), (0.4, 0.5), (2.0, 0.125))}


@pytest.fixture(scope="session")
def clip() -> MotionClip:
    """Random speech and brows, and an emotion on top, as the controls in its header say."""
    frames = frame_count(SECONDS, FPS)
    rng = np.random.default_rng(1)
    layers = {name: rng.random((frames, 52)).astype(np.float32) for name in ("speech", "brows", "emotion")}
    controls = ExpressionControls(energy=1.5, emotions=EMOTIONS, style=MotionStyle(jaw=0.5))
    info = ClipInfo(
        fps=FPS,
        audio_path="line.wav",
        audio_duration=SECONDS,
        seed=3,
        controls=controls_to_json(controls),
    )
    total = np.clip(sum(layers.values()), 0, 1)
    plain = expression_clip(info, total, np.zeros((frames, 2), np.float32), layers=layers)
    pose = 0.2 * np.sin(np.arange(frames)[:, None] / (9 + np.arange(6))) * [1, 1, 1, 0.05, 0.05, 0.05]
    return replace(plain, pose=pose.astype(np.float32))


def spoken(clip: MotionClip) -> Array:
    """[F, 52] speech and brows; lids that close stay closed."""
    total = np.clip(clip.layers["speech"]["weights"] + clip.layers["brows"]["weights"], 0, 1)
    for side in ("Left", "Right"):
        for name in ("eyeSquint", "eyeWide"):
            opened = 1 - total[:, ARKIT_INDEX[f"eyeBlink{side}"]]
            column = ARKIT_INDEX[name + side]
            total[:, column] = np.minimum(total[:, column], opened)
    return total


@pytest.fixture(scope="session")
def exported(clip: MotionClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if python_path("4.5.15") is None:
        pytest.skip("bpy 4.5.15 is not installed")
    folder = tmp_path_factory.mktemp("export")
    sound = write_sound(folder / "line.wav", SECONDS)
    export_blend(clip, None, sound, folder / "demo.blend")
    sound.unlink()
    assert [path.name for path in folder.iterdir()] == ["demo.blend"]
    return folder / "demo.blend"


def test_reopened_it_has_all(blender: Blender, exported: Path, clip: MotionClip, tmp_path: Path) -> None:
    if blender.version < "4.5":
        pytest.skip("Blender does not open files of a newer version faithfully")
    weights = tmp_path / "weights.npy"
    np.save(weights, spoken(clip))
    expected = {
        "fps": FPS,
        "frames": clip.frames,
        "sound": math.ceil(SECONDS * FPS),
        "weights": str(weights),
        "turn": clip.pose[49, :3].tolist(),
        "emotions": {name: [[1 + FPS * t, value] for t, value in keys] for name, keys in EMOTIONS.items()},
    }
    extra = {"BLEND": str(exported), "EXPECTED": json.dumps(expected)}
    assert "holds" in blender.run("exported.reopened", tmp_path, extra)


def test_it_looks_like_a_person(exported: Path, tmp_path: Path) -> None:
    """The face fills the picture: skin in the middle, background in the corners."""
    blender = Blender("4.5.15", "", tmp_path, tmp_path)
    blender.run("exported.picture", tmp_path, {"BLEND": str(exported)})
    picture = np.load(tmp_path / "picture.npy")
    size = len(picture)
    corners = np.stack([picture[5, 5], picture[5, -5], picture[-5, 5], picture[-5, -5]])
    face = picture[size // 3 : 2 * size // 3, size // 3 : 2 * size // 3].reshape(-1, 3)
    assert np.ptp(corners, axis=0).max() < 0.1
    assert face.mean() > corners.mean() + 0.15
    assert np.median(face[:, 0] - face[:, 2]) > 0.05


def test_unwritable_folder(clip: MotionClip, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        export_blend(clip, None, None, tmp_path / "missing" / "demo.blend")


def test_missing_extra_is_named(clip: MotionClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match=r"\.\[blender\]"):
        export_blend(clip, None, None, tmp_path / "demo.blend")
    assert list(tmp_path.iterdir()) == []

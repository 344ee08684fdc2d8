"""The whole path: the built extension, the real backend and its model, the shipped voice line, a .blend."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from .conftest import VERSIONS, Blender, own_folders
from .sounds import write_sound


@own_folders
def test_a_voice_makes_a_head_talk(blender: Blender, tmp_path: Path) -> None:
    real = _with_real_backend(blender, tmp_path)
    real.run("whole.animate", tmp_path)
    real.run("whole.check", tmp_path)


@own_folders
@pytest.mark.parametrize("blender", VERSIONS[1:2], indirect=True)
def test_a_portrait_talks(blender: Blender, tmp_path: Path) -> None:
    """A photo, a second of sound: the movie's mouth moves, all far from the face is the photo's."""
    pytest.importorskip("mediapipe")
    data = pytest.importorskip("skimage.data")
    image = pytest.importorskip("PIL.Image")
    photo = data.astronaut()
    image.fromarray(photo).save(tmp_path / "anna.png")
    write_sound(tmp_path / "line.wav", 1.0)
    real = _with_real_backend(blender, tmp_path)
    real.run("whole.portrait", tmp_path)
    real.run("whole.video", tmp_path)
    with av.open(str(tmp_path / "vividtalk" / "line-anna.v001.mp4")) as movie:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in movie.decode(video=0)]
    assert len(frames) == 25
    assert np.abs(frames[7][-60:] - photo[-60:]).mean() < 4.0
    assert np.abs(frames[7][60:180, 170:290] - photo[60:180, 170:290]).mean() > 4.0
    still = np.asarray(image.open(tmp_path / "vividtalk" / "still.png").convert("RGB")).astype(int)
    assert np.abs(still - frames[7]).mean() < 4.0
    assert np.array_equal(still[-60:], photo[-60:])


def _with_real_backend(blender: Blender, tmp_path: Path) -> Blender:
    program = Path(sys.executable).parent / ("vividtalk.exe" if sys.platform == "win32" else "vividtalk")
    registration = tmp_path / "vividtalk" / "backend-command.json"
    registration.parent.mkdir()
    registration.write_text(json.dumps({"command": [str(program)], "version": "0"}))
    return replace(blender, config=tmp_path)

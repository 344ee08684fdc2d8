"""A portrait that says the shipped line: the picture, and frames of the movie in order."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np
import sheets
from PIL import Image
from skimage import data

from backend.demo import DEMO_VOICE
from blender_addon.protocol.tensorfile import Array

_CROP = (slice(0, 220), slice(115, 335))  # of NASA's portrait of Eileen Collins, public domain
_FIRST, _STEP, _SHOWN = 8, 4, 11  # frames
_COLUMNS, _SIDE = 6, 220


def talking(out: Path) -> None:
    """The portrait, then every fourth frame of the movie of it and the shipped line."""
    portrait = data.astronaut()
    frames = _movie(portrait)[_FIRST::_STEP][:_SHOWN]
    tiles = [_tile(picture) for picture in (portrait, *frames)]
    rows = [np.concatenate(tiles[i : i + _COLUMNS], 1) for i in range(0, len(tiles), _COLUMNS)]
    sheets.save(out, np.concatenate(rows))


def _movie(portrait: Array) -> list[Array]:
    with tempfile.TemporaryDirectory() as folder:
        picture, movie = Path(folder) / "portrait.png", Path(folder) / "talk.mp4"
        Image.fromarray(portrait).save(picture)
        command = [sys.executable, "-m", "backend.cli", "video", picture, DEMO_VOICE, "-o", movie]
        subprocess.run(command, check=True)
        with av.open(str(movie)) as container:
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def _tile(picture: Array) -> Array:
    return cv2.resize(picture[_CROP], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)

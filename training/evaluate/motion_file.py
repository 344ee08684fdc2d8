"""A mouth's motion from a file: a clip, or a table of ARKit weights or of measures."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.clip import read_clip
from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.tensorfile import Array, input_error
from models.sync import MEASURES, SyncModel

_TIME = "time"


@dataclass(frozen=True)
class Motion:
    """Measures of a mouth and the sound that they go with.

    Attributes:
        measures: [F, 5] metres, `MEASURES` order, NaN where not known.
        fps: frames per second.
        start: seconds of the sound at which the motion begins.
        speed: how fast the sound is played for it.
    """

    measures: Array
    fps: float
    start: float = 0.0
    speed: float = 1.0


def read_motion(path: Path, model: SyncModel, fps: float | None = None) -> Motion:
    """A clip (.safetensors), or a .csv with a column `time` in seconds or with `fps` given.

    The table's other columns are ARKit weights, in any case, or measures; what it lacks of the weights is 0.

    Raises:
        InputError: the file cannot be read, or its rate is not known.
        FileFormatError: it is no motion.
    """
    if path.suffix.lower() == ".csv":
        return _read_table(path, model, fps)
    clip = read_clip(path)
    return Motion(model.measure(clip.weights), clip.info.fps, clip.info.audio_offset, clip.info.audio_speed)


def _read_table(path: Path, model: SyncModel, fps: float | None) -> Motion:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        columns = {name.strip().lower(): i for i, name in enumerate(header)}
        if fps is None:
            fps = _rate(path, [float(row[columns[_TIME]]) for row in rows] if _TIME in columns else [])
        known = [name for name in MEASURES if name in columns]
        if known:
            measures = np.full((len(rows), len(MEASURES)), np.nan)
            for name in known:
                measures[:, MEASURES.index(name)] = [float(row[columns[name]]) for row in rows]
            return Motion(measures, fps)
        return Motion(model.measure(_weights(path, columns, rows)), fps)
    except (OSError, UnicodeDecodeError) as error:
        raise input_error(path, error) from error
    except (ValueError, IndexError) as error:
        raise FileFormatError(f"{path} is not a table of a mouth's motion: {error}") from error


def _weights(path: Path, columns: dict[str, int], rows: list[list[str]]) -> Array:
    shapes = {i: columns[name.lower()] for i, name in enumerate(ARKIT_NAMES) if name.lower() in columns}
    if not shapes:
        raise FileFormatError(f"{path} has no column of an ARKit shape or a measure", "Name them in row 1")
    weights = np.zeros((len(rows), len(ARKIT_NAMES)))
    for shape, column in shapes.items():
        weights[:, shape] = [float(row[column]) for row in rows]
    return weights


def _rate(path: Path, times: list[float]) -> float:
    if len(times) < 2 or times[-1] <= times[0]:
        raise InputError(f"{path} does not say its frames per second", "Give them with --fps")
    return (len(times) - 1) / (times[-1] - times[0])

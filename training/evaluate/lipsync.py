"""Recorded voices whose phones have times, and files of curves that other programs made for them.

The manifest has one JSON object per line: id, wav (relative to the manifest), dur (seconds), system (arpa by
default, ipa, sampa, ru or classes), phones, rows of (start, end, symbol), and spk, the speaker's name.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import soundfile

from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.tensorfile import Array, input_error, output_error
from models.audio.mel import SAMPLE_RATE
from models.expression.curves import CURVES, from_arkit
from models.expression.network import FRAME_RATE

from ..phones import Phones, phones_of
from ..symbols import to_classes
from .metrics import Prediction

_SIDES = ("Left", "Right")


@dataclass(frozen=True)
class LipsyncClip:
    """One line of the manifest."""

    id: str
    sound: Path
    duration: float
    phones: Phones
    speaker: str = ""


def read_manifest(path: Path) -> list[LipsyncClip]:
    """The clips of a manifest. Raises `InputError` or `FileFormatError`."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise input_error(path, error) from error
    clips = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            clips.append(_clip(path.parent, json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise FileFormatError(f"{path}, line {number} is not a clip: {error!r}") from error
    if not clips:
        raise FileFormatError(f"the manifest {path} names no clips")
    return clips


def _clip(folder: Path, row: dict[str, Any]) -> LipsyncClip:
    rows = [(float(start), float(end), str(symbol)) for start, end, symbol in row["phones"]]
    phones = phones_of(to_classes(rows, row.get("system", "arpa")))
    speaker = str(row.get("spk", ""))
    return LipsyncClip(row["id"], folder / row["wav"], float(row["dur"]), phones, speaker)


def read_sound(path: Path) -> Array:
    """[n] f32 mono samples at 16 kHz. Raises `InputError` for another rate or an unreadable file."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise input_error(path, error) from error
    if rate != SAMPLE_RATE:
        raise InputError(f"{path} has {rate} Hz", f"Evaluation sounds have {SAMPLE_RATE} Hz")
    return np.asarray(samples.mean(1), np.float32)


def read_prediction(folder: Path, clip: str) -> Prediction:
    """Curves of one clip, left and right averaged. Raises `InputError` or `FileFormatError`."""
    packed, table = folder / f"{clip}.npz", folder / f"{clip}.csv"
    try:
        if packed.exists():
            content = np.load(packed, allow_pickle=False)
            columns = _symmetric([str(name) for name in content["names"]], content["curves"])
            contact = content["contact"] if "contact" in content else np.zeros((0, 0), np.float32)
            return Prediction(float(content["fps"]), columns, contact)
        with table.open(newline="") as file:
            header, *rows = csv.reader(file)
        values = np.array(rows, np.float64)
        fps = (len(values) - 1) / (values[-1, 0] - values[0, 0])
        return Prediction(fps, _symmetric(header[1:], values[:, 1:]))
    except OSError as error:
        raise InputError(f"no prediction for {clip} in {folder}: {error}") from error
    except (ValueError, KeyError, IndexError, BadZipFile) as error:
        raise FileFormatError(f"the prediction for {clip} in {folder} is damaged: {error}") from error


def _symmetric(names: Sequence[str], curves: Array) -> dict[str, Array]:
    groups: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        side = next((side for side in _SIDES if name.endswith(side)), "")
        groups.setdefault(name.removesuffix(side), []).append(column)
    return {name: curves[:, columns].mean(1) for name, columns in groups.items()}


def write_prediction(path: Path, weights: Array, contact: Array) -> None:
    """Write weights [F, 52] and contact [F, 2] at 50 frames per second, left and right averaged.

    Raises `OutputError`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        curves = from_arkit(weights)
        np.savez(path, fps=float(FRAME_RATE), names=np.array(CURVES), curves=curves, contact=contact)
    except OSError as error:
        raise output_error(path, error) from error

"""Lip-sync evaluation on recorded voices whose phones have times.

The manifest has one JSON object per line: id, wav (relative to the manifest), dur (seconds), system (arpa by
default, ipa, sampa, ru or classes) and phones, rows of (start, end, symbol).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from blender_addon.protocol.errors import FileFormatError, InputError, OutputError
from blender_addon.protocol.tensorfile import Array, input_error
from models.audio.mel import SAMPLE_RATE
from models.expression import ExpressionModel
from models.expression.articulation import ArticulationFrames, concatenated
from models.expression.curves import CURVES, from_arkit
from models.expression.finishing import finish
from models.expression.network import FRAME_RATE

from ..phones import Phones, phones_of
from ..symbols import to_classes
from .metrics import LipsyncScores, Prediction, score

_SIDES = ("Left", "Right")


@dataclass(frozen=True)
class LipsyncClip:
    """One line of the manifest."""

    id: str
    sound: Path
    duration: float
    phones: Phones


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
    return LipsyncClip(row["id"], folder / row["wav"], float(row["dur"]), phones)


def evaluate_model(
    manifest: Path, model: ExpressionModel, predictions: Path | None = None
) -> dict[str, LipsyncScores]:
    """Scores of the network's own curves ("raw") and of the finished ones ("contact"), at 50 fps.

    With `predictions`, the curves are also written there, in the folders raw and contact, as .npz files
    (fps, names, curves) for other programs.
    """
    clips = read_manifest(manifest)
    results: dict[str, list[tuple[Phones, float, Prediction]]] = {"raw": [], "contact": []}
    for clip in clips:
        frames = hear(model, read_sound(clip.sound))
        finished = finish(frames.weights, frames.contacts, frames.silence)
        for name, curves in (("raw", from_arkit(frames.weights)), ("contact", from_arkit(finished.weights))):
            columns = dict(zip(CURVES, curves.T, strict=True))
            results[name].append((clip.phones, clip.duration, Prediction(FRAME_RATE, columns)))
            if predictions is not None:
                _write_prediction(predictions / name / f"{clip.id}.npz", curves)
    return {name: score(parts) for name, parts in results.items()}


def evaluate_predictions(manifest: Path, predictions: Path) -> LipsyncScores:
    """Scores of curves in files: `id`.npz (fps, names, curves) or `id`.csv (time, then ARKit names)."""
    clips = read_manifest(manifest)
    return score([(clip.phones, clip.duration, read_prediction(predictions, clip.id)) for clip in clips])


def hear(model: ExpressionModel, samples: Array) -> ArticulationFrames:
    """What the network says about a whole sound."""
    stream = model.articulation()
    return concatenated(stream.push(samples), stream.finish())


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
            names, curves = [str(name) for name in content["names"]], content["curves"]
            return Prediction(float(content["fps"]), _symmetric(names, curves))
        with table.open(newline="") as file:
            header, *rows = csv.reader(file)
        values = np.array(rows, np.float64)
        fps = (len(values) - 1) / (values[-1, 0] - values[0, 0])
        return Prediction(fps, _symmetric(header[1:], values[:, 1:]))
    except OSError as error:
        raise InputError(f"no prediction for {clip} in {folder}: {error}") from error
    except (ValueError, KeyError, IndexError) as error:
        raise FileFormatError(f"the prediction for {clip} in {folder} is damaged: {error}") from error


def _symmetric(names: Sequence[str], curves: Array) -> dict[str, Array]:
    groups: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        side = next((side for side in _SIDES if name.endswith(side)), "")
        groups.setdefault(name.removesuffix(side), []).append(column)
    return {name: curves[:, columns].mean(1) for name, columns in groups.items()}


def _write_prediction(path: Path, curves: Array) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, fps=float(FRAME_RATE), names=np.array(CURVES), curves=curves)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


def format_table(scores: dict[str, LipsyncScores]) -> str:
    """A plain-text table, one row per predictor."""
    names = [field.name for field in fields(LipsyncScores)]
    header = f"{'predictor':12s}" + "".join(f"{name:>18s}" for name in names)
    return "\n".join([header, *(_row(name, entry, names) for name, entry in scores.items())])


def _row(predictor: str, entry: LipsyncScores, names: Sequence[str]) -> str:
    values = (getattr(entry, name) for name in names)
    return f"{predictor:12s}" + "".join(f"{v:18d}" if isinstance(v, int) else f"{v:18.3f}" for v in values)

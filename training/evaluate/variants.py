"""The two variants of the expression network side by side: what they draw, how fast and how late."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE
from models.expression.checkpoint import read_checkpoint
from models.expression.curves import CURVES, from_arkit
from models.expression.model import ExpressionModel
from models.expression.network import FRAME_RATE

from .lipsync import LipsyncClip, read_manifest, read_sound
from .metrics import LipsyncScores, Prediction, score

_LIVE_PIECE = SAMPLE_RATE // 10  # samples that a live sound brings at once
_LIVE_CLIPS = 5
_COLUMNS = (
    "closure_auc",
    "closure_hits",
    "false_closures",
    "labiodental_auc",
    "rounding_auc",
    "openness_order",
    "best_correlation",
    "offset",
    "jitter",
)


@dataclass(frozen=True)
class VariantFigures:
    """One weights file.

    Attributes:
        parameters: values in the file.
        look_ahead: seconds of sound after a frame that it waits for.
        speed: seconds of sound per second of one processor core, whole clips pushed at once.
        live: milliseconds of a core per frame at 50 per second, pushed 0.1 s at a time.
    """

    model_id: str
    parameters: int
    look_ahead: float
    speed: float
    live: float
    scores: LipsyncScores


def compare_variants(manifest: Path, weights: Sequence[Path], every: int = 1) -> list[VariantFigures]:
    """Figures of each file on every so many clips of the manifest, on one thread.

    Raises:
        InputError, FileFormatError: the manifest or a sound cannot be read.
        ModelError: weights cannot be read.
    """
    torch.set_num_threads(1)
    clips = read_manifest(manifest)[::every]
    sounds = [read_sound(clip.sound) for clip in clips]
    return [_figures(path, clips, sounds) for path in weights]


def _figures(path: Path, clips: Sequence[LipsyncClip], sounds: Sequence[Array]) -> VariantFigures:
    checkpoint = read_checkpoint(path)
    model = ExpressionModel(checkpoint, torch.device("cpu"))
    _frames(model, sounds[0], len(sounds[0]))  # the first run is slower
    start = time.process_time()
    drawn = [_frames(model, sound, len(sound)) for sound in sounds]
    spent = time.process_time() - start
    start = time.process_time()
    live = sum(len(_frames(model, sound, _LIVE_PIECE)) for sound in sounds[:_LIVE_CLIPS])
    rows = [
        (
            clip.phones,
            clip.duration,
            Prediction(FRAME_RATE, dict(zip(CURVES, from_arkit(one).T, strict=True))),
        )
        for clip, one in zip(clips, drawn, strict=True)
    ]
    return VariantFigures(
        model.model_id,
        sum(parameter.numel() for parameter in checkpoint.network.parameters()),
        model.look_ahead,
        sum(map(len, sounds)) / SAMPLE_RATE / spent,
        1000.0 * (time.process_time() - start) / live,
        score(rows),
    )


def _frames(model: ExpressionModel, samples: Array, piece: int) -> Array:
    """[n] samples, pushed `piece` at a time -> [F, 52] finished weights at 50 frames per second."""
    stream = model.stream(float(FRAME_RATE))
    parts = [stream.push(samples[i : i + piece]).weights for i in range(0, len(samples), piece)]
    return np.concatenate([*parts, stream.finish().weights])


def format_variants(found: Sequence[VariantFigures]) -> str:
    """A Markdown table, a row per measure."""
    rows = [
        ("parameters, million", [f"{one.parameters / 1e6:.2f}" for one in found]),
        ("look-ahead, s", [f"{one.look_ahead:.2f}" for one in found]),
        ("x real time, one core, whole clips", [f"{one.speed:.1f}" for one in found]),
        ("ms of a core per frame, live", [f"{one.live:.2f}" for one in found]),
        *((name, [f"{getattr(one.scores, name):.3f}" for one in found]) for name in _COLUMNS),
    ]
    head = f"| {found[0].scores.clips} clips | " + " | ".join(one.model_id for one in found) + " |"
    lines = [f"| {name} | " + " | ".join(values) + " |" for name, values in rows]
    return "\n".join([head, "|---" * (len(found) + 1) + "|", *lines])

"""Comparing checkpoints on development voices: speakers and sentences that are never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.expression.articulation import ArticulationStream, concatenated
from models.expression.checkpoint import Checkpoint
from models.expression.curves import CURVES, from_arkit
from models.expression.finishing import finish
from models.expression.network import FRAME_RATE

from .corpus.build import DEVELOPMENT_SOURCES
from .corpus.store import Utterance, read_source
from .evaluate.metrics import Prediction, score

_FULL_SCALE = 32768.0


@dataclass(frozen=True)
class DevelopmentScores:
    """Areas under the ROC curve of the finished curves, each the mean over the development sources."""

    closure: float
    labiodental: float
    rounding: float

    @property
    def mean(self) -> float:
        """Of the three."""
        return (self.closure + self.labiodental + self.rounding) / 3.0


def development_score(checkpoint: Checkpoint, sources: Sequence[Sequence[Utterance]]) -> DevelopmentScores:
    """How well a checkpoint does on the utterances of each source."""
    checkpoint.network.eval()
    rows = []
    for source in sources:
        clips = [(one.phones, one.duration, predict(checkpoint, _samples(one))) for one in source]
        scores = score(clips)
        rows.append((scores.closure_auc, scores.labiodental_auc, scores.rounding_auc))
    closure, labiodental, rounding = (float(value) for value in np.mean(rows, axis=0))
    return DevelopmentScores(closure, labiodental, rounding)


def development_voices(corpus: Path, every: int) -> list[list[Utterance]]:
    """One of `every` utterances of each development source. Raises `InputError` when one is missing."""
    return [read_source(corpus, name)[::every] for name in DEVELOPMENT_SOURCES]


def _samples(utterance: Utterance) -> Array:
    return np.asarray(utterance.samples, np.float32) / _FULL_SCALE


def predict(checkpoint: Checkpoint, samples: Array) -> Prediction:
    """[n] samples -> the finished curves, at 50 frames per second."""
    stream = ArticulationStream(checkpoint, next(checkpoint.network.parameters()).device)
    frames = concatenated(stream.push(samples), stream.finish())
    weights = finish(frames.weights, frames.contacts, frames.silence).weights
    return Prediction(FRAME_RATE, dict(zip(CURVES, from_arkit(weights).T, strict=True)))

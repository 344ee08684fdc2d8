"""Comparing checkpoints on development voices: speakers and sentences that are never trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from blender_addon.protocol.tensorfile import Array
from models.expression.articulation import ArticulationStream, concatenated
from models.expression.checkpoint import Checkpoint
from models.expression.curves import CURVES
from models.expression.finishing import finish
from models.expression.network import FRAME_RATE

from .corpus.store import Utterance
from .evaluate.metrics import LipsyncScores, Prediction, score

_FULL_SCALE = 32768.0


def development_score(checkpoint: Checkpoint, sources: Sequence[Sequence[Utterance]]) -> float:
    """Mean of closure, labiodental and rounding AUC over the sources, raw and finished."""
    checkpoint.network.eval()
    values = []
    for source in sources:
        raw, finished = [], []
        for utterance in source:
            samples = np.asarray(utterance.samples, np.float32) / _FULL_SCALE
            before, after = predict(checkpoint, samples)
            raw.append((utterance.phones, utterance.duration, before))
            finished.append((utterance.phones, utterance.duration, after))
        values += [_mean_auc(score(raw)), _mean_auc(score(finished))]
    return float(np.mean(values))


def _mean_auc(scores: LipsyncScores) -> float:
    return (scores.closure_auc + scores.labiodental_auc + scores.rounding_auc) / 3.0


def predict(checkpoint: Checkpoint, samples: Array) -> tuple[Prediction, Prediction]:
    """[n] samples -> the network's own curves and the finished ones, at 50 frames per second."""
    stream = ArticulationStream(checkpoint, torch.device("cpu"))
    frames = concatenated(stream.push(samples), stream.finish())
    finished, _ = finish(frames.curves, frames.contacts, frames.silence)
    return _prediction(frames.curves), _prediction(finished)


def _prediction(curves: Array) -> Prediction:
    return Prediction(FRAME_RATE, dict(zip(CURVES, curves.T, strict=True)))

"""Comparing checkpoints on development voices: speakers and sentences that are never trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from blender_addon.protocol.tensorfile import Array
from models.audio.stream import features_of
from models.expression.curves import CURVES
from models.expression.finishing import finish
from models.expression.network import FRAME_RATE, ExpressionConfig, ExpressionNetwork

from .corpus.store import Utterance
from .evaluate.metrics import LipsyncScores, Prediction, score
from .phones import CLASS_INDEX, SILENCE

_FULL_SCALE = 32768.0


def development_score(
    network: ExpressionNetwork, config: ExpressionConfig, sources: Sequence[Sequence[Utterance]]
) -> float:
    """Mean of closure, labiodental and rounding AUC over the sources, raw and finished."""
    values = []
    for source in sources:
        raw, finished = [], []
        for utterance in source:
            samples = np.asarray(utterance.samples, np.float32) / _FULL_SCALE
            before, after = _predict(network, samples)
            raw.append((utterance.phones, utterance.duration, before))
            finished.append((utterance.phones, utterance.duration, after))
        values += [_mean_auc(score(raw)), _mean_auc(score(finished))]
    return float(np.mean(values))


def _mean_auc(scores: LipsyncScores) -> float:
    return (scores.closure_auc + scores.labiodental_auc + scores.rounding_auc) / 3.0


@torch.inference_mode()
def _predict(network: ExpressionNetwork, samples: Array) -> tuple[Prediction, Prediction]:
    """The network's own curves and the finished ones, at 50 frames per second."""
    network.eval()
    drawn = network(torch.from_numpy(features_of(samples))[None])
    curves, contacts = drawn.curves[0].numpy(), drawn.contacts[0].sigmoid().numpy()
    silence = drawn.phones[0].softmax(-1)[:, CLASS_INDEX[SILENCE]].numpy()
    finished, _ = finish(curves, contacts, silence)
    return _prediction(curves), _prediction(finished)


def _prediction(curves: Array) -> Prediction:
    return Prediction(FRAME_RATE, dict(zip(CURVES, curves.T, strict=True)))

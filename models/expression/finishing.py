"""From what the network says to what the mouth does, step by step, on frames at 50 per second.

Each step sees a few frames to either side (`PAST`, `FUTURE`), so a stream can run them on windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES, OTHER_SHAPES, sided_indices
from blender_addon.protocol.tensorfile import Array

# Our choices.
_UNSURE, _SURE = 0.25, 0.5  # contact probabilities that mean "apart" and "touching"
_SMOOTHING = np.array([0.08, 0.24, 0.36, 0.24, 0.08])
_RECOVERY = 1.25  # lets a short contact be full in spite of the smoothing
_PRESS, _ROLL, _UPPER, _BITE_JAW = 0.22, 0.42, 0.22, 0.14
_SILENT, _SPEAKING = 0.15, 0.5  # probabilities of speech
_LINGER, _RELEASE, _ATTACK = 10, 11, 6  # frames: full after speech, then falling; rising before it
PAST = _LINGER + _RELEASE - 1
FUTURE = _ATTACK - 1

_JAW, _CLOSE = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
_PRESSES, _LOWER_ROLL = sided_indices("mouthPress"), sided_indices("mouthRollLower")
_UPPER_UP, _LOWER_DOWN = sided_indices("mouthUpperUp"), sided_indices("mouthLowerDown")
_PARTING = sided_indices("mouthUpperUp", "mouthLowerDown", "mouthFunnel")  # shapes that part closed lips
# Most that speech uses of a shape; beyond it the head looks strained. By eye.
_LIMITS = np.ones(len(ARKIT_NAMES), np.float32)
for _names, _most in ((("jawOpen",), 0.85), (("mouthUpperUp", "mouthLowerDown"), 0.6), (("tongueOut",), 0.6)):
    _LIMITS[sided_indices(*_names)] = _most


@dataclass(frozen=True)
class Finishing:
    """Which steps are done: lips that meet at p, b, m; teeth that meet the lip at f, v; rest where nobody
    speaks; no shape beyond what speech uses."""

    closures: bool = True
    bites: bool = True
    rest: bool = True
    limits: bool = True


FINISHED = Finishing()
UNFINISHED = Finishing(closures=False, bites=False, rest=False, limits=False)


@dataclass(frozen=True)
class Finished:
    """[F, 52] weights and [F, 2] contacts."""

    weights: Array
    contacts: Array


def finish(weights: Array, contacts: Array, silence: Array, steps: Finishing = FINISHED) -> Finished:
    """Close lips, bite the lip, rest where nobody speaks, keep to the limits.

    Args:
        weights: [F, 52] the network's weights.
        contacts: [F, 2] contact probabilities.
        silence: [F] probability that nobody speaks.
    """
    decided = decisive_contacts(contacts)
    if steps.closures:
        weights = close_lips(weights, decided[:, 0])
    if steps.bites:
        weights = bite_lip(weights, decided[:, 1])
    if steps.rest:
        gate = speech_gate(1.0 - silence)[:, None]
        other = weights[:, OTHER_SHAPES]
        weights, decided = weights * gate, decided * gate
        weights[:, OTHER_SHAPES] = other
    if steps.limits:
        weights = np.minimum(weights, _LIMITS)
    return Finished(weights.astype(np.float32), decided.astype(np.float32))


def decisive_contacts(probability: Array) -> Array:
    """[F, 2] contact probabilities -> [F, 2] contacts that reach 0 and 1 yet move smoothly."""
    clear = np.clip((probability - _UNSURE) / (_SURE - _UNSURE), 0.0, 1.0)
    reach = len(_SMOOTHING) // 2
    padded = np.pad(clear, ((reach, reach), (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(column, _SMOOTHING, "valid") for column in padded.T], axis=1)
    decided: Array = np.clip(_RECOVERY * smooth, 0.0, 1.0).astype(np.float32)
    decided[:, 1] *= 1.0 - decided[:, 0]
    return decided


def close_lips(weights: Array, bilabial: Array) -> Array:
    """[F, 52] weights whose lips meet where `bilabial` [F] is 1: mouthClose counters all of jawOpen."""
    result = weights.copy()
    jaw = weights[:, _JAW]
    result[:, _CLOSE] = np.minimum(np.maximum(weights[:, _CLOSE], jaw * bilabial), jaw)
    result[:, _PRESSES] = np.maximum(weights[:, _PRESSES], _PRESS * bilabial[:, None])
    result[:, _PARTING] *= 1.0 - bilabial[:, None]
    return result


def bite_lip(weights: Array, labiodental: Array) -> Array:
    """[F, 52] weights whose lower lip meets the upper teeth where `labiodental` [F] is 1."""
    result, bite = weights.copy(), labiodental[:, None]
    jaw = weights[:, _JAW]
    result[:, _LOWER_ROLL] = np.maximum(weights[:, _LOWER_ROLL], _ROLL * bite)
    result[:, _JAW] += (np.minimum(jaw, _BITE_JAW) - jaw) * labiodental
    result[:, _CLOSE] = np.minimum(weights[:, _CLOSE], result[:, _JAW])
    result[:, _UPPER_UP] = np.maximum(weights[:, _UPPER_UP], _UPPER * bite)
    result[:, _LOWER_DOWN] *= 1.0 - bite
    return result


def speech_gate(speech: Array) -> Array:
    """[F] probability of speech -> [F] 0 where nobody speaks nearby, 1 where somebody does."""
    activity = np.clip((speech - _SILENT) / (_SPEAKING - _SILENT), 0.0, 1.0)
    release = 1.0 - np.arange(_RELEASE) / _RELEASE
    after = np.concatenate([release[:0:-1], np.ones(_LINGER)])  # speech PAST frames ago ... 1 frame ago
    before = 1.0 - np.arange(_ATTACK) / _ATTACK  # speech now ... FUTURE frames ahead
    padded = np.pad(activity, (PAST, FUTURE))
    windows = np.lib.stride_tricks.sliding_window_view(padded, PAST + 1 + FUTURE)
    gate: Array = (windows * np.concatenate([after, before])).max(1).astype(np.float32)
    return gate

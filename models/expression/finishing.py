"""From what the network says to what the mouth does, step by step, on frames at 50 per second.

Each step sees a few frames to either side (`PAST`, `FUTURE`), so a stream can run them on windows.
"""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array

from .curves import CURVE_INDEX

# Our choices.
_UNSURE, _SURE = 0.2, 0.65  # contact probabilities that mean "apart" and "touching"
_SMOOTHING = np.array([0.08, 0.24, 0.36, 0.24, 0.08])
_RECOVERY = 1.25  # lets a short contact be full in spite of the smoothing
_PRESS, _ROLL, _UPPER, _BITE_JAW = 0.22, 0.42, 0.22, 0.14
_SILENT, _SPEAKING = 0.15, 0.5  # probabilities of speech
_LINGER, _RELEASE, _ATTACK = 10, 11, 6  # frames: full after speech, then falling; rising before it
_PARTING = ("mouthUpperUp", "mouthLowerDown", "mouthFunnel")  # shapes that part closed lips
PAST = _LINGER + _RELEASE - 1
FUTURE = _ATTACK - 1


def decisive_contacts(probability: Array) -> Array:
    """[F, 2] contact probabilities -> [F, 2] contacts that reach 0 and 1 yet move smoothly."""
    clear = np.clip((probability - _UNSURE) / (_SURE - _UNSURE), 0.0, 1.0)
    reach = len(_SMOOTHING) // 2
    padded = np.pad(clear, ((reach, reach), (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(column, _SMOOTHING, "valid") for column in padded.T], axis=1)
    decided: Array = np.clip(_RECOVERY * smooth, 0.0, 1.0).astype(np.float32)
    decided[:, 1] *= 1.0 - decided[:, 0]
    return decided


def close_lips(curves: Array, bilabial: Array) -> Array:
    """[F, 12] curves whose lips meet where `bilabial` [F] is 1: mouthClose counters all of jawOpen."""
    result = curves.copy()
    jaw, close, press = (CURVE_INDEX[name] for name in ("jawOpen", "mouthClose", "mouthPress"))
    result[:, close] = np.minimum(np.maximum(curves[:, close], curves[:, jaw] * bilabial), curves[:, jaw])
    result[:, press] = np.maximum(curves[:, press], _PRESS * bilabial)
    for name in _PARTING:
        result[:, CURVE_INDEX[name]] *= 1.0 - bilabial
    return result


def bite_lip(curves: Array, labiodental: Array) -> Array:
    """[F, 12] curves whose lower lip meets the upper teeth where `labiodental` [F] is 1."""
    result = curves.copy()
    jaw, close = CURVE_INDEX["jawOpen"], CURVE_INDEX["mouthClose"]
    roll, upper, lower = (CURVE_INDEX[name] for name in ("mouthRollLower", "mouthUpperUp", "mouthLowerDown"))
    result[:, roll] = np.maximum(curves[:, roll], _ROLL * labiodental)
    result[:, jaw] += (np.minimum(curves[:, jaw], _BITE_JAW) - curves[:, jaw]) * labiodental
    result[:, close] = np.minimum(curves[:, close], result[:, jaw])
    result[:, upper] = np.maximum(curves[:, upper], _UPPER * labiodental)
    result[:, lower] *= 1.0 - labiodental
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


def finish(curves: Array, contacts: Array, silence: Array) -> tuple[Array, Array]:
    """Close lips, bite the lip, rest where nobody speaks.

    Args:
        curves: [F, 12] the network's curves.
        contacts: [F, 2] contact probabilities.
        silence: [F] probability that nobody speaks.

    Returns:
        [F, 12] curves and [F, 2] contacts.
    """
    decided = decisive_contacts(contacts)
    gate = speech_gate(1.0 - silence)[:, None]
    shaped = bite_lip(close_lips(curves, decided[:, 0]), decided[:, 1])
    return (shaped * gate).astype(np.float32), decided * gate

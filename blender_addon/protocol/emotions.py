"""Emotions as ARKit weights that are added to speech, and how they make way for it.

Which muscles take part is known as action units of EMFACS (Ekman and Friesen 1983): happy 6 + 12, sad
1 + 4 + 15, angry 4 + 5 + 7 + 23, surprised 1 + 2 + 5 + 26. How far each shape goes is our choice, made by eye
on the built-in head, where 1 is plain from across a room and 0.3 suits most lines.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .arkit import ARKIT_INDEX, ARKIT_NAMES, sided_indices
from .controls import EMOTION_NAMES
from .tensorfile import Array

# A name without a side stands for both.
EMOTION_POSES: Mapping[str, Mapping[str, float]] = {
    "happy": {
        "mouthSmile": 0.85,
        "cheekSquint": 0.75,
        "eyeSquint": 0.4,
        "mouthDimple": 0.2,
        "mouthUpperUp": 0.12,
        "browOuterUp": 0.15,
        "browInnerUp": 0.1,
    },
    "sad": {
        "browInnerUp": 0.9,
        "browDown": 0.2,
        "mouthFrown": 0.6,
        "mouthShrugLower": 0.3,
        "eyeSquint": 0.15,
        "eyeBlink": 0.18,
    },
    "angry": {
        "browDown": 1.0,
        "eyeWide": 0.35,
        "eyeSquint": 0.55,
        "mouthPress": 0.5,
        "mouthFrown": 0.3,
        "mouthShrugUpper": 0.15,
        "noseSneer": 0.5,
        "jawForward": 0.15,
    },
    "surprised": {
        "browInnerUp": 1.0,
        "browOuterUp": 1.0,
        "eyeWide": 0.9,
        "jawOpen": 0.3,
        "mouthFunnel": 0.15,
    },
}
CORNERS = ("mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch")
CLOSING = ("mouthPress", "mouthShrugLower", "mouthShrugUpper")
PARTING = ("mouthUpperUp", "mouthLowerDown", "mouthFunnel")
SPOKEN = ("jawOpen", "mouthStretch", "mouthSmile", "mouthPucker", *PARTING)
# How far speech opens the mouth until closing shapes have made way, how far it moves any shape until the jaw
# is its own but for a share, and how much of the corners' pull round lips take. Our choice, by eye.
OPEN, BUSY, JAW_SHARE, ROUND_SHARE = 0.25, 0.3, 0.2, 0.6


def emotion_poses() -> Array:
    """[4, 52] f32 weights of every emotion at intensity 1, `EMOTION_NAMES` order."""
    poses = np.zeros((len(EMOTION_NAMES), len(ARKIT_NAMES)), np.float32)
    for row, name in enumerate(EMOTION_NAMES):
        for shape, weight in EMOTION_POSES[name].items():
            poses[row, sided_indices(shape)] = weight
    return poses


def make_way(emotion: Array, speech: Array, contact: Array) -> Array:
    """[F, 52] emotion weights that leave speech its mouth.

    Lips that touch are not parted, lips that are open are not pressed, round lips are pulled less to the
    sides, and the jaw is left to speech wherever it speaks.

    Args:
        emotion: [F, 52] weights to add. speech: [F, 52] weights they are added to.
        contact: [F, 2] bilabial and labiodental contact, 0-1.
    """
    jaw, close, pucker, funnel = (
        speech[:, ARKIT_INDEX[name], None] for name in ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel")
    )
    apart = 1.0 - np.clip(contact.max(1, keepdims=True), 0.0, 1.0)
    opened = np.clip((jaw - close) / OPEN, 0.0, 1.0)
    rounded = np.clip(pucker + 0.5 * funnel, 0.0, 1.0)
    busy = np.clip(speech[:, sided_indices(*SPOKEN)].max(1, keepdims=True) / BUSY, 0.0, 1.0)
    result = emotion.astype(np.float32)
    result[:, sided_indices(*PARTING)] *= apart
    result[:, sided_indices(*CLOSING)] *= 1.0 - opened * apart
    result[:, sided_indices(*CORNERS)] *= 1.0 - ROUND_SHARE * rounded
    result[:, [ARKIT_INDEX["jawOpen"]]] *= apart * (1.0 - (1.0 - JAW_SHARE) * busy)
    return result

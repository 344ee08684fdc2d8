"""What is believed of a face before its picture is seen: expressions, cameras, how far landmarks stray.

All numbers are our choice, made on renders of our own head with known truth (`training.evaluate.portrait`).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.tensorfile import Array

from .landmarks import EYE_CONTOURS, FACE_OVAL, INNER_LIP_LOWER, INNER_LIP_UPPER, IRISES, LANDMARKS
from .point_model import LOOK_SHAPES

# Typical weight of an expression in portraits, by the beginning of its name; the first that fits. What a
# portrait hardly shows (pucker, press, rolled lips: they look like another person's lips) is held small.
_TYPICAL = (
    ("jawOpen", 0.3),
    ("jaw", 0.05),
    ("mouthClose", 0.05),
    ("mouthSmile", 0.4),
    ("mouthPucker", 0.1),
    ("mouthFunnel", 0.1),
    ("mouthPress", 0.1),
    ("mouthRoll", 0.1),
    ("mouthShrug", 0.08),
    ("mouthLeft", 0.08),
    ("mouthRight", 0.08),
    ("mouthDimple", 0.1),
    ("mouth", 0.15),
    ("eyeBlink", 0.3),
    ("eyeSquint", 0.15),
    ("eyeWide", 0.15),
    ("eye", 0.2),
    ("browDown", 0.2),
    ("brow", 0.2),
    ("cheekPuff", 0.08),
    ("cheek", 0.15),
    ("nose", 0.1),
    ("tongueOut", 0.0),
)
EYE_DISTANCE = 0.063  # metres between the pupils of an average adult (Dodgson, 2004)
UNEVEN = 0.1  # typical difference between the left and the right weight of a pair
GAZE = np.radians(12.0)  # typical angle of a gaze, radians
CROSSED = np.radians(4.0)  # typical difference between the two eyes' angles, radians

DISTANCE, DISTANCE_SPREAD = 1.0, 0.45  # metres from the camera to a face, and of its logarithm
FOCAL, FOCAL_SPREAD = 1.4, 0.45  # focal length in longer sides of the picture, and of its logarithm

_NOISE = 0.008  # of the eye distance: how far a landmark strays
_NOISES = {**dict.fromkeys(FACE_OVAL, 0.02), **dict.fromkeys(IRISES, 0.01)}
_NOISES |= dict.fromkeys((*INNER_LIP_UPPER, *INNER_LIP_LOWER), 0.008)
_NOISES |= dict.fromkeys([i for rows in EYE_CONTOURS.values() for row in rows for i in row], 0.008)
GRAZING = 0.05  # of the eye distance, added where the surface is seen edge on or from behind


@cache
def typical_weights() -> Array:
    """[52] typical expression weights; 0 for what is not fitted as an expression."""
    typical = np.array([next(t for start, t in _TYPICAL if name.startswith(start)) for name in ARKIT_NAMES])
    typical[list(LOOK_SHAPES)] = 0.0
    return typical


@cache
def paired_shapes() -> list[tuple[int, int]]:
    """Left and right of each expression that has both."""
    return [
        (ARKIT_INDEX[name], ARKIT_INDEX[name[:-4] + "Right"])
        for name in ARKIT_NAMES
        if name.endswith("Left")
        and name[:-4] + "Right" in ARKIT_INDEX
        and name not in ("jawLeft", "mouthLeft")
    ]


@cache
def landmark_noise() -> Array:
    """[478] how far each landmark strays, inter-ocular distances."""
    return np.array([_NOISES.get(i, _NOISE) for i in range(LANDMARKS)])

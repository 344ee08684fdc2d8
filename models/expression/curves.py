"""Articulation curves, in which speech is described, and how they become ARKit weights."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES, sided_indices
from blender_addon.protocol.tensorfile import Array

# ARKit shapes with Left and Right drawn as one: speech is symmetric, to a first approximation.
CURVES: tuple[str, ...] = (
    "jawOpen",
    "mouthClose",
    "mouthPucker",
    "mouthFunnel",
    "mouthPress",
    "mouthStretch",
    "mouthSmile",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthUpperUp",
    "mouthLowerDown",
    "tongueOut",
)
CURVE_INDEX: dict[str, int] = {name: i for i, name in enumerate(CURVES)}


_SHAPES = [sided_indices(name) for name in CURVES]


def to_arkit(curves: Array) -> Array:
    """[F, 12] curves -> [F, 52] ARKit weights; shapes that speech does not move stay 0."""
    weights = np.zeros((len(curves), len(ARKIT_NAMES)), np.float32)
    for curve, shapes in enumerate(_SHAPES):
        weights[:, shapes] = curves[:, curve, None]
    return weights


def from_arkit(weights: Array) -> Array:
    """[F, 52] ARKit weights -> [F, 12] curves, left and right averaged."""
    return np.stack([weights[:, shapes].mean(1) for shapes in _SHAPES], axis=1)

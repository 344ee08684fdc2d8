"""The articulation curves that the network draws, and how they become ARKit weights."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
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

_COLUMNS: tuple[tuple[int, int], ...] = tuple(
    (ARKIT_INDEX[shape], curve)
    for curve, name in enumerate(CURVES)
    for shape in ((name,) if name in ARKIT_INDEX else (f"{name}Left", f"{name}Right"))
)


def to_arkit(curves: Array) -> Array:
    """[F, 12] curves -> [F, 52] ARKit weights; shapes that speech does not move stay 0."""
    weights = np.zeros((len(curves), len(ARKIT_NAMES)), np.float32)
    for shape, curve in _COLUMNS:
        weights[:, shape] = curves[:, curve]
    return weights

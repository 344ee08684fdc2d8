"""The nostril's rings."""

from __future__ import annotations

import numpy as np

from .mesh import Floats, unit
from .topology import HalfTopology

_NOSTRIL = np.array([0.80, -4.11, 10.32])


def place_nostril(topology: HalfTopology, points: Floats) -> None:
    """An oval opening on the nose's underside, its long axis forward and inward, and a short dark shaft."""
    rings = topology.rings["nostril"]
    rim = points[rings[0]]
    forward = unit(np.array([-0.34, 0.34, 1.0]))
    aside = np.array([1.0, -0.05, 0.30])
    aside = unit(aside - forward * (aside @ forward))
    angle = np.radians(-145 + 30 * np.arange(12))
    oval = _NOSTRIL + np.outer(np.cos(angle), aside) * 0.35 + np.outer(np.sin(angle), forward) * 0.55
    up = np.array([0.0, 1.0, -0.25])
    points[rings[1]] = rim + (oval - rim) * 0.55
    points[rings[2]] = oval - 0.04 * up
    for ring, (size, depth) in zip((3, 4, 5), ((0.86, 0.08), (0.80, 0.5), (0.4, 0.95)), strict=True):
        points[rings[ring]] = _NOSTRIL + (oval - _NOSTRIL) * size + up * depth

"""The jaw's border, the neck's muscles, larynx and collar bones: displacements along the skin's normal.

Each is named by what it models. Paths run in space (left side, cm of the building frame), placed by eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from .mesh import Floats, gauss, smoothstep

_Path = Sequence[tuple[float, float, float]]

_STERNOMASTOID: _Path = (
    (5.6, -7.6, -2.0),
    (5.1, -10.5, -0.1),
    (4.0, -13.4, 2.2),
    (2.5, -16.2, 3.7),
    (0.95, -18.9, 4.3),
)
_CLAVICULAR_HEAD: _Path = ((4.2, -14.2, 1.6), (3.6, -16.4, 2.7), (3.0, -18.2, 3.5))
_CLAVICLE: _Path = (
    (1.1, -19.2, 4.5),
    (3.2, -18.9, 4.2),
    (6.0, -18.4, 2.6),
    (9.0, -18.2, 0.6),
    (11.5, -18.6, -1.2),
)
_HOLLOW: _Path = ((4.6, -17.4, 2.1), (6.4, -17.2, 1.2), (7.8, -17.2, 0.2))
_TRAPEZIUS: _Path = ((3.6, -9.5, -6.0), (5.0, -13.0, -4.6), (6.6, -15.6, -4.0), (9.4, -17.2, -3.4))
_NAPE: _Path = ((0.0, -7.0, -6.3), (0.0, -11.0, -6.6), (0.0, -14.0, -7.0))


_JAW_BORDER: _Path = (
    (1.4, -10.35, 8.0),
    (3.0, -9.55, 6.0),
    (4.2, -8.8, 3.8),
    (5.1, -7.9, 1.4),
    (5.7, -5.8, 0.2),
)
_UNDER_JAW: _Path = (
    (0.0, -11.3, 7.2),
    (2.0, -11.1, 6.2),
    (3.3, -10.4, 4.6),
    (4.4, -9.7, 2.4),
    (5.1, -9.0, 0.2),
)
_BEHIND_JAW: _Path = ((5.2, -8.6, -0.6), (5.8, -6.4, -1.2))


def sculpt_jaw(points: Floats, normal: Floats) -> None:
    """Sharpen the jaw of `points` [N, 3] of the left half in place along `normal` [N, 3]."""
    height = 0.12 * _along(points, _JAW_BORDER, 0.45)
    height -= 0.20 * _along(points, _UNDER_JAW, 0.6) + 0.12 * _along(points, _BEHIND_JAW, 0.5)
    points += height[:, None] * normal


def sculpt_neck(points: Floats, normal: Floats) -> None:
    """Push `points` [N, 3] of the left half in place along `normal` [N, 3]."""
    y = points[:, 1]
    free = 1 - smoothstep(-y, 21.5, 23.5)
    below_jaw = smoothstep(-y, 9.0, 11.0)
    height = 0.27 * _along(points, _STERNOMASTOID, 0.55) * smoothstep(-y, 7.5, 11.5)
    height += 0.07 * _along(points, _CLAVICULAR_HEAD, 0.5)
    height += 0.34 * _along(points, _CLAVICLE, 0.45) - 0.40 * _along(points, _HOLLOW, 0.8)
    height += 0.16 * _along(points, _TRAPEZIUS, 0.9) - 0.10 * _along(points, _NAPE, 0.6)
    height += 0.22 * _spot(points, (0.0, -13.4, 4.7), (0.55, 0.75, 1.5))  # larynx
    height += 0.08 * _spot(points, (0.0, -15.3, 4.1), (0.8, 0.5, 1.5))  # cricoid and thyroid gland
    height -= 0.12 * _along(points, ((1.6, -12.2, 4.6), (1.7, -15.0, 3.9), (0.9, -17.5, 4.0)), 0.4)
    height -= 0.30 * _spot(points, (0.0, -18.9, 4.1), (0.75, 0.7, 1.5))  # jugular notch
    points += (height * free * below_jaw)[:, None] * normal


def _along(points: Floats, path: _Path, width: float) -> Floats:
    """[N] Gaussian falloff from a polyline in space."""
    nodes = np.array(path)
    distance = np.full(len(points), 99.0)
    for start, end in pairwise(nodes):
        way = end - start
        share = np.clip((points - start) @ way / (way @ way), 0, 1)
        distance = np.minimum(distance, np.linalg.norm(points - start - share[:, None] * way, axis=1))
    return gauss(distance, width)


def _spot(points: Floats, centre: tuple[float, float, float], radius: tuple[float, float, float]) -> Floats:
    """[N] Gaussian about a point in space."""
    return gauss(np.linalg.norm((points - centre) / radius, axis=1), 1)

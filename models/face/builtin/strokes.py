"""Fine sculpting: small displacements of the face's front, each named by what it models."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from .mesh import Floats, gauss, smoothstep

_Line = Sequence[tuple[float, float]]


class _Canvas:
    """Adds displacement where `weight` says, on the front of the left half."""

    def __init__(self, points: Floats, skin: Floats) -> None:
        self.points = points
        self.x, self.y, self.z = points.T.copy()
        self._front = skin * (self.z > 5)

    def push(self, move: tuple[float, float, float], weight: Floats) -> None:
        self.points += np.outer(weight * self._front, move)

    def spot(self, x: float, y: float, width: float, height: float) -> Floats:
        return gauss(np.hypot((self.x - x) / width, (self.y - y) / height), 1)

    def line(self, path: _Line, width: float) -> Floats:
        """Gaussian falloff from a polyline (x, y)."""
        distance = np.full(len(self.x), 9.0)
        nodes = np.array(path, float)
        for start, end in pairwise(nodes):
            way = end - start
            t = ((self.x - start[0]) * way[0] + (self.y - start[1]) * way[1]) / (way @ way)
            t = np.clip(t, 0, 1)
            distance = np.minimum(
                distance, np.hypot(self.x - start[0] - t * way[0], self.y - start[1] - t * way[1])
            )
        return gauss(distance, width)


def sculpt(points: Floats, skin: Floats) -> None:
    """Apply all strokes to `points` [N, 3] in place; `skin` [N] is 0 inside mouth and ear."""
    canvas = _Canvas(points, skin)
    _nose(canvas)
    _mouth(canvas)
    _cheeks_and_brow(canvas)


def _nose(c: _Canvas) -> None:
    alar_groove = ((1.42, -2.40), (1.82, -2.78), (1.98, -3.3), (1.88, -3.82), (1.62, -4.12))
    c.push((0.03, 0, -0.11), c.line(alar_groove, 0.15))
    c.push((0.09, 0, 0.10), c.spot(1.48, -3.42, 0.30, 0.42))  # alar wing
    c.push((0, 0, 0.05), c.spot(0.42, -3.05, 0.28, 0.35))  # tip domes
    c.push((0, 0, 0.05), c.line(((0.35, 0.6), (0.42, -0.6), (0.5, -1.8)), 0.22))  # bridge's edge


def _mouth(c: _Canvas) -> None:
    between = smoothstep(c.y, -5.75, -5.3) * (1 - smoothstep(c.y, -4.7, -4.3))
    c.push((0, 0, -0.10), gauss(c.x, 0.20) * between)  # philtrum
    ridge = smoothstep(c.y, -5.65, -5.35) * (1 - smoothstep(c.y, -4.8, -4.4))
    c.push((0, 0, 0.07), gauss(c.x - 0.48, 0.16) * ridge)
    c.push((0, 0, -0.08), c.line(((2.1, -3.95), (2.55, -4.6), (3.0, -5.5), (3.2, -6.2)), 0.24))  # nasolabial
    c.push((0, 0, 0.05), c.line(((2.7, -3.8), (3.2, -4.6), (3.6, -5.5)), 0.35))
    c.push((0, 0, -0.09), c.spot(0, -8.1, 1.6, 0.32))  # chin-lip fold
    c.push((0, 0, -0.11), c.spot(2.62, -6.5, 0.25, 0.35))  # mouth corner
    c.push((0, 0, 0.05), c.spot(0.55, -9.5, 0.5, 0.6))  # chin pads


def _cheeks_and_brow(c: _Canvas) -> None:
    c.push((0, 0, -0.05), c.line(((1.75, -0.8), (2.5, -1.15), (3.4, -1.35)), 0.22))  # tear trough
    c.push((0, 0, 0.07), c.spot(4.6, -2.4, 1.0, 0.8))  # cheekbone
    c.push((0, 0, 0.08), c.line(((1.5, 1.75), (2.8, 2.1), (4.1, 2.2)), 0.45))  # brow ridge

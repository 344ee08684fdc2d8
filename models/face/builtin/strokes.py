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
    alar_groove = ((1.05, -2.55), (1.42, -2.62), (1.78, -2.95), (1.95, -3.4), (1.86, -3.9), (1.62, -4.15))
    c.push((0.04, 0, -0.20), c.line(alar_groove, 0.13))
    c.push((0.12, 0, 0.14), c.spot(1.45, -3.45, 0.28, 0.40))  # alar wing
    c.push((0, -0.06, 0), c.line(((0.9, -3.75), (1.3, -3.85), (1.55, -3.8)), 0.16))  # the wing's lower rim
    c.push((0, 0, 0.09), c.spot(0.40, -3.05, 0.26, 0.32))  # tip domes
    c.push((-0.03, 0, -0.08), c.spot(0.95, -3.25, 0.16, 0.35))  # between tip and wing
    c.push((0, -0.07, 0), c.spot(0, -4.06, 0.28, 0.3))  # columella
    c.push((0, 0, 0.05), c.line(((0.35, 0.6), (0.42, -0.6), (0.5, -1.8)), 0.22))  # bridge's edge


def _mouth(c: _Canvas) -> None:
    between = smoothstep(c.y, -5.75, -5.3) * (1 - smoothstep(c.y, -4.7, -4.3))
    c.push((0, 0, -0.10), gauss(c.x, 0.20) * between)  # philtrum
    ridge = smoothstep(c.y, -5.65, -5.35) * (1 - smoothstep(c.y, -4.8, -4.4))
    c.push((0, 0, 0.07), gauss(c.x - 0.48, 0.16) * ridge)
    c.push((0, 0, -0.10), c.line(((2.0, -3.85), (2.5, -4.6), (2.95, -5.5), (3.15, -6.2)), 0.22))  # nasolabial
    c.push((0, 0, 0.07), c.line(((2.6, -3.7), (3.15, -4.6), (3.6, -5.5)), 0.38))
    c.push((0, 0, -0.09), c.spot(0, -8.1, 1.6, 0.32))  # chin-lip fold
    c.push((0, 0, -0.11), c.spot(2.62, -6.5, 0.25, 0.35))  # mouth corner
    c.push((0, 0, 0.05), c.spot(0.55, -9.5, 0.5, 0.6))  # chin pads


def _cheeks_and_brow(c: _Canvas) -> None:
    c.push((0, 0, -0.09), c.line(((1.75, -0.75), (2.4, -1.15), (3.2, -1.45)), 0.22))  # tear trough
    c.push((0.04, 0, 0.13), c.spot(4.7, -2.3, 1.0, 0.7))  # cheekbone
    c.push((-0.05, 0, -0.10), c.spot(4.6, -5.2, 0.9, 1.2))  # under the cheekbone
    c.push((0, 0, 0.10), c.line(((1.3, 1.65), (2.6, 2.0), (4.2, 2.25)), 0.42))  # brow ridge
    c.push((0, 0, -0.06), c.spot(1.75, 0.95, 0.5, 0.5))  # socket beside the nose
    c.push(
        (0, -0.04, 0.14), c.line(((2.2, 1.08), (3.0, 1.26), (3.8, 1.24), (4.5, 1.02)), 0.2)
    )  # the fold over the upper lid
    c.push((0, 0, 0.08), c.spot(4.6, 1.55, 0.55, 0.4))  # outer rim of the socket
    c.push((-0.03, 0, -0.07), c.spot(5.6, 3.2, 0.8, 1.2))  # temple
    c.push((0, 0, 0.05), c.spot(2.4, 4.6, 1.2, 0.9))  # frontal eminence

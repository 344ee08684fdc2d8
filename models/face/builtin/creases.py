"""Folds and furrows that expressions add: displacement along the skin's normal beside a line on the face."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from .mesh import Floats, gauss, vertex_normals
from .solver import SkinSolver

_Line = Sequence[tuple[float, float]]

# Lines (x, y) on the left half at rest, drawn by eye.
NASOLABIAL: _Line = ((2.05, -3.75), (2.5, -4.5), (2.98, -5.4), (3.25, -6.2))
NASOLABIAL_CHEEK: _Line = ((2.45, -3.55), (3.0, -4.4), (3.5, -5.2), (3.8, -6.0))
MARIONETTE: _Line = ((2.75, -6.7), (2.85, -7.3), (2.75, -7.9))
GLABELLA: _Line = ((0.75, 1.0), (0.82, 1.7), (0.78, 2.3))
FOREHEAD: tuple[_Line, ...] = (
    ((0.0, 3.75), (1.8, 3.85), (3.6, 3.75)),
    ((0.0, 4.75), (1.8, 4.85), (3.4, 4.7)),
)
FOREHEAD_SIDE: _Line = ((2.4, 3.7), (3.8, 4.0), (5.0, 3.7))
NOSE_SIDE: _Line = ((0.55, -0.6), (1.0, -0.2), (1.35, 0.1))
UNDER_LIP: _Line = ((0.0, -8.15), (0.9, -8.05), (1.5, -7.85))
UNDER_EYE: _Line = ((1.9, -0.95), (2.7, -1.25), (3.6, -1.2), (4.3, -0.85))


class Creaser:
    """Makes creases on one head's skin."""

    def __init__(self, solver: SkinSolver) -> None:
        self._solver = solver
        mesh = solver.mesh
        self._normal = vertex_normals(mesh.vertices, mesh.polygons)[: solver.count]
        hidden = mesh.marked(mesh.rings["mouth"][9:]) | mesh.marked(mesh.rings["eye"][8:])
        hidden |= mesh.marked(mesh.rings["nostril"][2:]) | mesh.marked(mesh.rings["ear"])
        self._shown = (solver.skin[:, 2] > 3) & ~hidden[: solver.count]

    def __call__(self, line: _Line, rise: float, width: float) -> Floats:
        """[V, 3] both sides raised by `rise` cm (sunk if negative) at `line`, falling off over `width` cm."""
        x, y = np.abs(self._solver.skin[:, 0]), self._solver.skin[:, 1]
        distance = np.full(len(x), np.inf)
        for start, end in pairwise(np.array(line, float)):
            way = end - start
            share = np.clip(((x - start[0]) * way[0] + (y - start[1]) * way[1]) / (way @ way), 0, 1)
            beside = np.hypot(x - start[0] - share * way[0], y - start[1] - share * way[1])
            distance = np.minimum(distance, beside)
        amount = rise * gauss(distance, width) * self._shown * (distance < 3 * width)
        return self._solver.whole(amount[:, None] * self._normal)

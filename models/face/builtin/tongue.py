"""The tongue: rings along a line from root to tip, with a median groove."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from .mesh import Floats, gauss
from .pieces import Piece, disc_quads, face_outwards, tube_quads

RINGS, COLUMNS = 20, 16
_Table = tuple[tuple[float, float, float, float, float], ...]
# Along the tongue from root to tip: share of its length, then in cm height and depth of the middle line,
# half its width, half its thickness. Drawn by eye: at rest inside the lower teeth, its tip off the incisors,
# so that there is room before it crosses them; put out, flat between the incisors and over the lower lip.
_REST: _Table = (
    *((0.0, -8.55, 3.4, 1.30, 0.75), (0.2, -7.65, 4.4, 1.42, 0.78), (0.4, -7.12, 5.5, 1.34, 0.66)),
    *((0.6, -6.90, 6.45, 1.16, 0.50), (0.8, -6.76, 7.3, 0.92, 0.34), (0.93, -6.66, 7.8, 0.62, 0.19)),
    (1.0, -6.60, 8.0, 0.12, 0.04),
)
_OUT: _Table = (
    *((0.0, -8.35, 3.5, 1.30, 0.75), (0.2, -7.3, 5.1, 1.36, 0.62), (0.4, -6.66, 6.9, 1.20, 0.36)),
    *((0.55, -6.34, 8.6, 1.02, 0.15), (0.63, -6.27, 9.4, 1.02, 0.13), (0.73, -6.20, 10.3, 1.14, 0.22)),
    *((0.86, -6.52, 11.5, 1.18, 0.28), (0.95, -6.98, 12.25, 0.92, 0.20), (1.0, -7.16, 12.5, 0.16, 0.05)),
)
_GROOVE = 0.085


def places() -> Floats:
    """[RINGS * COLUMNS] place of each tongue vertex along the tongue, 0 root to 1 tip."""
    return np.repeat(1 - (1 - np.linspace(0, 1, RINGS)) ** 1.25, COLUMNS)


def put_out() -> Floats:
    """Vertices of the tongue put out over a jaw that is still closed."""
    return _sections(_OUT)


def _sections(table: _Table) -> Floats:
    """Vertices [RINGS * COLUMNS, 3] of a tongue: flat below, grooved in the middle above."""
    knots = np.array(table)
    height, depth, half, thick = PchipInterpolator(knots[:, 0], knots[:, 1:])(places()[::COLUMNS]).T
    around = np.arange(COLUMNS) * 2 * np.pi / COLUMNS
    cosine, sine = np.cos(around), np.sin(around)
    slope = np.arctan2(np.gradient(height), np.gradient(depth))
    groove = _GROOVE * gauss(cosine * half[:, None], 0.16) * (sine > 0) * np.clip(thick / 0.5, 0, 1)[:, None]
    up = thick[:, None] * np.sign(sine) * np.abs(sine) ** 0.75 - groove
    x = half[:, None] * np.sign(cosine) * np.abs(cosine) ** 0.85
    y = height[:, None] + up * np.cos(slope)[:, None]
    z = depth[:, None] - up * np.sin(slope)[:, None]
    vertices: Floats = np.stack([x, y, z], -1).reshape(-1, 3)
    return vertices


def tongue() -> Piece:
    """The tongue at rest."""
    vertices = _sections(_REST)
    last = (RINGS - 1) * COLUMNS
    polygons = np.concatenate([tube_quads(RINGS, COLUMNS), disc_quads(last, COLUMNS)])
    return Piece.plain(vertices, face_outwards(vertices, polygons))

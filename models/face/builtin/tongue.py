"""The tongue: rings along a line from root to tip, with a median groove."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from .mesh import Floats, gauss
from .pieces import Piece, disc_quads, face_outwards, tube_quads

RINGS, COLUMNS = 20, 16
# Along the tongue from root to tip: share of its length, then in cm height and depth of the middle line,
# half its width, half its thickness. It lies inside the lower teeth. Drawn by eye.
_ALONG = (
    *((0.0, -8.55, 3.4, 1.30, 0.75), (0.2, -7.65, 4.4, 1.42, 0.78), (0.4, -7.18, 5.7, 1.34, 0.64)),
    *((0.6, -7.08, 6.9, 1.16, 0.50), (0.8, -7.10, 7.9, 0.92, 0.38), (0.93, -7.14, 8.4, 0.62, 0.26)),
    (1.0, -7.16, 8.6, 0.12, 0.06),
)
_GROOVE = 0.085


def along(ring: Floats) -> Floats:
    """[n, 4] height, depth, half width and half thickness at places 0 (root) to 1 (tip)."""
    table = np.array(_ALONG)
    values: Floats = PchipInterpolator(table[:, 0], table[:, 1:])(ring)
    return values


def places() -> Floats:
    """[RINGS * COLUMNS] place of each tongue vertex along the tongue, 0 root to 1 tip."""
    return np.repeat(1 - (1 - np.linspace(0, 1, RINGS)) ** 1.25, COLUMNS)


def sections(height: Floats, depth: Floats, half: Floats, thick: Floats) -> Floats:
    """Vertices [rings * COLUMNS, 3] of cross-sections [rings]: flat below, grooved in the middle above."""
    around = np.arange(COLUMNS) * 2 * np.pi / COLUMNS
    cosine, sine = np.cos(around), np.sin(around)
    slope = np.arctan2(np.gradient(height), np.gradient(depth))
    groove = _GROOVE * gauss(cosine * half[:, None], 0.16) * (sine > 0) * np.clip(thick / 0.5, 0, 1)[:, None]
    up = thick[:, None] * np.sign(sine) * np.abs(sine) ** 0.75 - groove
    x = half[:, None] * np.sign(cosine) * np.abs(cosine) ** 0.85
    y = height[:, None] + up * np.cos(slope)[:, None]
    z = depth[:, None] - up * np.sin(slope)[:, None]
    return np.stack([x, y, z], -1).reshape(-1, 3)


def tongue() -> Piece:
    """The tongue at rest."""
    vertices = sections(*along(places()[::COLUMNS]).T)
    last = (RINGS - 1) * COLUMNS
    polygons = np.concatenate([tube_quads(RINGS, COLUMNS), disc_quads(last, COLUMNS)])
    return Piece.plain(vertices, face_outwards(vertices, polygons))

"""The lips and the mouth's inside: vermilion border, a profile to the lip line, wet lip, cavity."""

from __future__ import annotations

import numpy as np

from .anatomy import CROWN_COLUMN_RADIUS, LIP_LINE, LIP_LOWER, LIP_UPPER
from .mesh import LIP_BORDER, MOUTH_INSIDE, Floats, Ints, gauss, smoothstep, stack
from .mesh import LIP_LINE as LINE_RING
from .surface import Surface, along
from .topology import HalfTopology

COLUMNS = 31
_COLUMN = np.arange(COLUMNS)
CORNER = 15
UPPER = _COLUMN > CORNER
TO_MIDDLE = np.abs(_COLUMN - CORNER) / float(CORNER)  # 0 corner, 1 midline
_RING_SHARE = (1, 0.76, 0.54, 0.34, 0.16, 0)
_CORNER_ROOM = 0.03  # between the lips' corner and the vermilion's, so that no quad there is a sliver
_SEAM = 0.001  # half the gap between the lips at rest
_OVERLAP = 0.012  # each lip crosses the middle by this behind the lip line, so that no light shows through
# Per ring from border to line: share left of the border's height over the line, of the way back, bulge.
_UPPER_PROFILE = ((0.76, 0.10, 0.10), (0.42, 0.34, 0.21), (0.0, 1.0, 0.0))
_LOWER_PROFILE = ((0.72, 0.12, 0.23), (0.36, 0.42, 0.38), (0.0, 1.0, 0.0))
# Behind the line: width, height and depth relative to the line.
_INSIDE = (
    (0.995, -0.5 * _OVERLAP, -0.12),
    (0.985, -_OVERLAP, -0.24),
    (0.98, 0.40, -0.34),
    (0.99, 0.80, -0.38),
)
# The vestibule's deepest line between lips and gums, beyond ring 12: (height, depth) above and below.
_SULCUS = ((0.52, -0.20), (-0.48, -0.42))
# The cavity's rings, from inside the gums to the throat: width, height of palate and floor, their depth z,
# extra depth at the sides.
_CAVITY = (
    (2.95, -5.30, -7.75, 8.85, 8.55, -1.9),
    (3.12, -4.95, -8.05, 7.5, 7.4, -1.2),
    (3.05, -4.85, -8.25, 5.9, 6.0, -0.6),
    (2.35, -5.25, -8.35, 4.3, 4.4, -0.3),
    (1.35, -6.1, -8.6, 3.3, 3.5, 0.0),
)
_LEVEL = -6.45  # height of the cavity's sides


def place_mouth(topology: HalfTopology, points: Floats, surface: Surface) -> None:
    """Place the mouth block's rings in `points`."""
    rings = topology.rings["mouth"]
    line = along(LIP_LINE, 16)
    line[:, 2] += 0.22 * smoothstep(np.linspace(1, 0, 16), 0, 0.5)
    line = np.concatenate([line, line[::-1][1:]])
    _around(topology, points, surface)
    _lips(points, rings, line)
    _inside(points, rings)
    points[rings[:, 0], 0] = points[rings[:, -1], 0] = 0


def _border() -> Floats:
    lower, upper = along(LIP_LOWER, 16), along(LIP_UPPER, 16)
    border = np.concatenate([lower, upper[::-1][1:]])
    border[CORNER] = (lower[-1] + upper[-1]) / 2
    border[CORNER, 0] += _CORNER_ROOM
    return border


def _around(topology: HalfTopology, points: Floats, surface: Surface) -> None:
    """Skin rings from the block's rim to the vermilion border."""
    rings, border = topology.rings["mouth"], _border()
    rim = rings[0]
    for ring in range(1, LIP_BORDER + 1):
        share = _RING_SHARE[ring]
        angle = topology.domain[rim, 0] * share + np.arcsin(border[:, 0] / CROWN_COLUMN_RADIUS) * (1 - share)
        height = topology.domain[rim, 1] * share + border[:, 1] * (1 - share)
        points[rings[ring]] = surface.above(border + (points[rim, :2] - border) * share, angle, height)


def _lips(points: Floats, rings: Ints, line: Floats) -> None:
    """Three rings from the border over the red of the lip to the line where the lips meet."""
    border = points[rings[LIP_BORDER]].copy()
    fullness = np.sin(np.pi / 2 * np.clip(TO_MIDDLE * 1.25, 0, 1))
    seam = np.where(UPPER, _SEAM, -_SEAM) * np.minimum(1, TO_MIDDLE * 6)
    for i in range(3):
        keep, back, bulge = np.where(UPPER[:, None], _UPPER_PROFILE[i], _LOWER_PROFILE[i]).T
        at = points[rings[LIP_BORDER + 1 + i]]
        at[:, 0] = line[:, 0] + (border[:, 0] - line[:, 0]) * keep
        at[:, 1] = line[:, 1] + (border[:, 1] - line[:, 1]) * keep + seam * (i == 2)
        at[:, 2] = border[:, 2] + (line[:, 2] - border[:, 2]) * back + bulge * fullness
        if i < 2:
            at[:, 2] += 0.05 * UPPER * gauss(at[:, 0], 0.32)  # the upper lip's tubercle
        at[CORNER, 2] = border[CORNER, 2] + (line[CORNER, 2] - border[CORNER, 2]) * (i + 1) / 3
        points[rings[LIP_BORDER + 1 + i]] = at
    points[rings[LIP_BORDER], 2] += 0.04 * fullness  # the border's fine raised roll


def _inside(points: Floats, rings: Ints) -> None:
    line = points[rings[LINE_RING]]
    sign = np.where(UPPER, 1.0, -1.0) * np.minimum(1, TO_MIDDLE * 5)
    for step, (width, height, depth) in enumerate(_INSIDE):
        at = line.copy()
        at[:, 0] *= width
        at[:, 1] += height * sign
        at[:, 2] += depth
        points[rings[LINE_RING + 1 + step]] = at
    sulcus = points[rings[MOUTH_INSIDE]].copy()
    height, depth = np.where(UPPER[:, None], *_SULCUS).T
    sulcus[:, 1] += height * np.sin(np.pi / 2 * TO_MIDDLE) ** 0.7
    sulcus[:, 2] += depth
    sulcus[:, 0] += 0.10 * (1 - TO_MIDDLE)
    points[rings[MOUTH_INSIDE + 1]] = sulcus
    for step, shape in enumerate(_CAVITY):
        points[rings[MOUTH_INSIDE + 2 + step]] = _cavity_ring(*shape)


def _cavity_ring(
    width: float, palate: float, floor: float, z_above: float, z_below: float, side: float
) -> Floats:
    turn = (_COLUMN / 30 - 0.5) * np.pi
    sine, cosine = np.sin(turn), np.clip(np.cos(turn), 0, None)
    tall = np.where(UPPER, palate, floor) - _LEVEL
    deep = np.where(UPPER, z_above, z_below)
    return stack(width * cosine**0.7, _LEVEL + tall * np.abs(sine) ** 0.7, deep + side * cosine**2)

"""The lids: rings from the orbit to the lid margin, draped on the eyeball, and on behind the margin."""

from __future__ import annotations

import numpy as np

from .anatomy import (
    CROWN_COLUMN_RADIUS,
    EYE_CENTRE,
    EYE_RADIUS,
    INNER_CORNER_X,
    LID_LOWER,
    LID_THICKNESS,
    LID_UPPER,
)
from .mesh import INNER_CANTHUS, LID_MARGIN, LOWER_LID, UPPER_LID, Floats, Ints, gauss, smoothstep, unit
from .surface import Surface, along
from .topology import HalfTopology

COLUMNS = 40
# How far ring r lies from the margin, as a share of the way to the block's rim.
RING_SHARE = np.array([1, 0.80, 0.62, 0.47, 0.345, 0.25, 0.17, 0.105, 0.05, 0])
# Behind the inner corner: the caruncle, a small cushion between the corner and the ball.
_CARUNCLE = np.array([(0.07, 0.0, -0.03), (0.13, 0.0, -0.08), (0.40, 0.0, -0.38), (0.58, 0.0, -0.85)])
_OPENING_MIDDLE = np.array([3.05, 0.06])


def place_eye(topology: HalfTopology, points: Floats, surface: Surface) -> None:
    """Place the eye block's rings in `points`."""
    rings = topology.rings["eye"]
    margin = _margin()
    for ring in range(1, LID_MARGIN + 1):
        points[rings[ring]] = _drape(topology, points, surface, margin, ring)
    _fold(points, rings)
    _behind_margin(points, rings)


def _margin() -> Floats:
    """The lid margins (x, y) by ring column."""
    lower, upper = along(LID_LOWER, 21), along(LID_UPPER, 21)
    margin = np.zeros((COLUMNS, 2))
    margin[(36 + np.arange(21)) % COLUMNS] = lower
    margin[(36 - np.arange(21)) % COLUMNS] = upper
    return margin


def _drape(topology: HalfTopology, points: Floats, surface: Surface, margin: Floats, ring: int) -> Floats:
    """A ring on the surface, pushed out where the eyeball and its lid are in front of it."""
    rim = topology.rings["eye"][0]
    share = float(RING_SHARE[ring])
    angle = topology.domain[rim, 0] * share + np.arcsin(margin[:, 0] / CROWN_COLUMN_RADIUS) * (1 - share)
    height = topology.domain[rim, 1] * share + margin[:, 1] * (1 - share)
    place = surface.above(margin + (points[rim, :2] - margin) * share, angle, height)
    ray = place - EYE_CENTRE
    radius = np.linalg.norm(ray, axis=1)
    lid = EYE_RADIUS + LID_THICKNESS
    target = lid + 0.06 * smoothstep(share, 0, 0.3)
    draped = 0.5 * (radius + target + np.sqrt((radius - target) ** 2 + 0.01))  # a smooth maximum
    near_margin = gauss(share, 0.16)
    inner_corner = gauss(margin[:, 0] - INNER_CORNER_X, 0.3)  # leaves the ball
    draped += (lid - draped) * near_margin * (1 - inner_corner)
    result: Floats = EYE_CENTRE + ray / radius[:, None] * draped[:, None]
    return result


def _fold(points: Floats, rings: Ints) -> None:
    """The upper lid's crease with the fold over it, and the slight bulge under the lower lid."""
    upper, lower = np.zeros(COLUMNS), np.zeros(COLUMNS)
    upper[UPPER_LID] = np.sin(np.pi * (UPPER_LID - 16) / 20) ** 0.5
    lower[LOWER_LID] = np.sin(np.pi * np.arange(1, 20) / 20) ** 0.5
    for ring in range(1, LID_MARGIN):
        share = RING_SHARE[ring]
        crease = -0.22 * gauss(share - 0.33, 0.05) + 0.13 * gauss(share - 0.45, 0.08)
        bag = 0.05 * gauss(share - 0.12, 0.06) - 0.05 * gauss(share - 0.40, 0.12)
        out = unit(points[rings[ring]] - EYE_CENTRE)
        points[rings[ring]] += out * (upper * crease + lower * bag)[:, None]


def _behind_margin(points: Floats, rings: Ints) -> None:
    """The margin's back edge rests on the ball; two more rings go on behind the lid."""
    edge = points[rings[LID_MARGIN]]
    out = unit(edge - EYE_CENTRE)
    aside = edge[:, :2] - _OPENING_MIDDLE
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    corner = gauss(np.arange(COLUMNS) - INNER_CANTHUS, 1.6)[:, None]
    for step, (radius, widen) in enumerate(((0.11, -0.015), (0.015, 0.0), (0.02, 0.14), (-0.02, 0.34))):
        direction = out.copy()
        direction[:, :2] += widen * aside
        on_ball = EYE_CENTRE + unit(direction) * (EYE_RADIUS + radius)
        points[rings[LID_MARGIN + 1 + step]] = on_ball * (1 - corner) + (edge + _CARUNCLE[step]) * corner

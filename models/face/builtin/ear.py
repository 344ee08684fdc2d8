"""The ear: an outline in a flared, tilted plane, and rings from the head's side over the helix to the canal.

Each ring column follows one of five profiles, blended round the outline: `rear` (helix, scapha, antihelix,
concha), `top` (helix, triangular fossa, lower crus), `crus` (where the helix rises from the cheek), `front`
(cheek, tragus) and `lobe` (lobe, antitragus).
Ridges that run across the rings (the crura, the helix's root) are added in the plane. All numbers by eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline

from .mesh import Floats, gauss, smoothstep, unit
from .norms import NORMS
from .topology import HalfTopology

_MIDDLE = np.array([6.65, -1.25, -1.0])  # about which ring columns are spread
_ORIGIN = np.array([6.92, -1.25, -0.75])
_TILT, _FLARE = np.radians(14), np.radians(24)
_EVEN = 0.75  # how evenly the columns go round the ear; the rest follows the block's rim
_SIZE = NORMS["sa-sba"] / 61.0
_CANAL = np.array([-0.14, -0.30])  # back, up: rings shrink toward it
# The outline (back, up), from the tragus's foot over the top; cm at a height of 61 mm.
_OUTLINE = np.array(
    [
        *(
            (-1.08, -0.35),
            (-1.10, 0.35),
            (-1.14, 1.0),
            (-1.0, 1.8),
            (-0.58, 2.58),
            (0.18, 3.03),
            (1.05, 2.88),
        ),
        *((1.80, 2.20), (2.16, 1.15), (2.10, 0.1), (1.76, -0.9), (1.25, -1.75), (0.78, -2.45), (0.26, -2.93)),
        *((-0.25, -3.06), (-0.68, -2.88), (-0.94, -2.42), (-1.03, -1.75), (-1.06, -1.05)),
    ]
)
# Per profile: rings 2.. as (share of the way from the canal to the outline, height over the plane).
# Heights of `crus` and `front` are over the head's side instead.
_REAR = (
    *((0.58, 0.0), (0.80, 0.0), (0.955, 0.16), (1.0, 0.34), (0.985, 0.50), (0.945, 0.565), (0.895, 0.51)),
    *((0.87, 0.36), (0.82, 0.22), (0.745, 0.22), (0.67, 0.43), (0.61, 0.50), (0.555, 0.41), (0.49, 0.06)),
    *((0.37, -0.26), (0.26, -0.40), (0.15, -0.50), (0.05, -0.75)),
)
_TOP = (
    *((0.66, 0.0), (0.82, 0.02), (0.955, 0.16), (1.0, 0.34), (0.985, 0.50), (0.945, 0.57), (0.90, 0.53)),
    *((0.87, 0.37), (0.82, 0.22), (0.74, 0.18), (0.64, 0.15), (0.54, 0.18), (0.44, 0.36), (0.375, 0.20)),
    *((0.31, -0.20), (0.23, -0.38), (0.14, -0.50), (0.05, -0.75)),
)
_FRONT = (
    *((1.10, -0.02), (1.02, 0.0), (0.94, 0.02), (0.86, 0.06), (0.78, 0.12), (0.70, 0.20), (0.62, 0.28)),
    *((0.53, 0.36), (0.44, 0.44), (0.36, 0.46), (0.30, 0.42), (0.275, 0.32), (0.27, 0.16), (0.265, -0.02)),
    *((0.26, -0.24), (0.20, -0.42), (0.13, -0.60), (0.05, -0.85)),
)
_CRUS = (
    *((1.10, -0.02), (1.03, 0.0), (0.97, 0.05), (0.91, 0.13), (0.85, 0.20), (0.78, 0.24), (0.70, 0.24)),
    *((0.62, 0.20), (0.55, 0.14), (0.49, 0.08), (0.43, 0.0), (0.38, 0.0), (0.33, -0.06), (0.29, -0.14)),
    *((0.25, -0.26), (0.20, -0.42), (0.13, -0.60), (0.05, -0.85)),
)
_LOBE = (
    *((0.72, -0.05), (0.86, 0.0), (0.97, 0.14), (1.0, 0.27), (0.985, 0.40), (0.94, 0.47), (0.88, 0.49)),
    *((0.82, 0.475), (0.75, 0.45), (0.67, 0.42), (0.58, 0.42), (0.49, 0.46), (0.41, 0.42), (0.355, 0.10)),
    *((0.30, -0.22), (0.22, -0.40), (0.14, -0.50), (0.05, -0.75)),
)
_OVER_EDGE = 6  # profile rows from here on lie on the ear's outer face


@dataclass(frozen=True)
class _Plane:
    """The ear's plane: `back` and `up` span it, `out` leaves the head; [3] unit vectors."""

    back: Floats
    up: Floats
    out: Floats

    @staticmethod
    def make() -> _Plane:
        up = unit(np.array([0.10, np.cos(_TILT), -np.sin(_TILT)]))
        back = np.array([np.sin(_FLARE), 0, -np.cos(_FLARE)])
        back = unit(back - up * (back @ up))
        out = np.cross(back, up)
        return _Plane(back, up, out * np.sign(out[0]))

    def at(self, flat: Floats, height: Floats) -> Floats:
        """Points [N, 3] at `flat` (back, up) [N, 2] and `height` [N] over the plane."""
        placed: Floats = _ORIGIN + flat @ np.stack([self.back, self.up]) + height[:, None] * self.out
        return placed


def place_ear(topology: HalfTopology, points: Floats) -> None:
    """Place the ear block's rings in `points`; ring 0 is the block's rim on the head."""
    rings = topology.rings["ear"]
    rim = points[rings[0]]
    plane, outline = _Plane.make(), _outline(rim)
    side = _HeadSide(rim)
    shares = _blend(outline)
    for _ in range(2):
        shares = (np.roll(shares, 1, 0) + 2 * shares + np.roll(shares, -1, 0)) / 4
    profiles = np.tensordot(shares, np.array([_REAR, _TOP, _CRUS, _FRONT, _LOBE]), 1)  # [K, 18, 2]
    front = shares[:, 2] + shares[:, 3]
    lift = (1 - front) * np.clip(side.height(plane, outline) + 0.1, 0, None)
    for row in range(profiles.shape[1]):
        flat = _CANAL * _SIZE + profiles[:, row, :1] * (outline - _CANAL * _SIZE)
        skin = side.height(plane, flat)
        base = skin if row == 0 else (front * skin + lift) * smoothstep(profiles[:, row, 0], 0.12, 0.5)
        height = base + profiles[:, row, 1] * _SIZE
        if row >= _OVER_EDGE:
            height += _relief(flat / _SIZE)
        points[rings[2 + row]] = plane.at(flat, height)
    points[rings[1]] = (rim + points[rings[2]]) / 2


def _outline(rim: Floats) -> Floats:
    """The outline (back, up) [K, 2] by ring column."""
    angle = np.unwrap(np.arctan2((rim[:, 1] - _MIDDLE[1]) / 2.4, -(rim[:, 2] - _MIDDLE[2]) / 1.7))
    even = angle[0] + np.sign(angle[-1] - angle[0]) * 2 * np.pi * np.arange(len(rim)) / len(rim)
    angle = (1 - _EVEN) * angle + _EVEN * (even + (angle - even).mean())
    knots = np.concatenate([_OUTLINE, _OUTLINE[:1]])
    chord = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    dense = CubicSpline(chord, knots, bc_type="periodic")(np.linspace(0, chord[-1], 800))[:-1]
    around = np.arctan2(dense[:, 1] / 3.0, (dense[:, 0] - 0.45) / 1.65)
    order = np.argsort(around)
    placed: Floats = np.stack(
        [np.interp(angle, around[order], dense[order, part], period=2 * np.pi) for part in (0, 1)], 1
    )
    return placed * _SIZE


def _blend(outline: Floats) -> Floats:
    """[K, 5] shares of the rear, top, crus, front and lobe profiles."""
    back, up = outline.T / _SIZE
    ahead = 1 - smoothstep(back, -0.75, -0.25)
    front = ahead * smoothstep(up, -2.55, -1.75) * (1 - smoothstep(up, 0.55, 1.75))
    lobe = (1 - front) * (1 - smoothstep(up, -2.1, -0.9))
    over = np.maximum(smoothstep(up, 1.2, 2.6), ahead * smoothstep(up, -0.5, 0.5))
    top = (1 - front) * over * (1 - smoothstep(back, 0.4, 1.5))
    crus = smoothstep(up, 0.0, 0.7)
    return np.stack([1 - front - lobe - top, top, front * crus, front * (1 - crus), lobe], 1)


class _HeadSide:
    """The head's side under the ear: a quadric x(y, z) through the block's rim."""

    def __init__(self, rim: Floats) -> None:
        self._factors = np.linalg.lstsq(self._terms(rim), rim[:, 0], rcond=None)[0]

    @staticmethod
    def _terms(points: Floats) -> Floats:
        y, z = points[:, 1] + 1.25, points[:, 2] + 1.0
        return np.stack([np.ones_like(y), y, z, y * y, y * z, z * z], 1)

    def height(self, plane: _Plane, flat: Floats) -> Floats:
        """Height [N] over the ear's plane at which the head's side lies."""
        height = np.zeros(len(flat))
        for _ in range(4):
            point = plane.at(flat, height)
            height = height + (self._terms(point) @ self._factors - point[:, 0]) / plane.out[0]
        return height


def _relief(flat: Floats) -> Floats:
    """Heights [N] of what crosses the rings: crura, triangular fossa, helix root, antitragus."""
    height = 0.24 * _ridge(flat, ((0.98, 0.75), (0.72, 1.5), (0.40, 2.25)), 0.20)  # upper crus
    height += 0.10 * _ridge(flat, ((0.98, 0.75), (0.35, 1.0), (-0.45, 1.25)), 0.15)  # lower crus
    height -= 0.10 * _spot(flat, 0.10, 1.65, 0.30, 0.35)  # triangular fossa
    height += 0.22 * _ridge(flat, ((-0.6, 0.6), (-0.35, 0.40), (0.2, 0.2)), 0.17)  # the helix's root
    height += 0.16 * _spot(flat, 0.30, -1.28, 0.28, 0.20)  # antitragus
    height += 0.16 * _spot(flat, -0.58, -0.35, 0.22, 0.32)  # tragus
    height -= 0.30 * _spot(flat, -0.42, -1.20, 0.20, 0.26)  # notch between tragus and antitragus
    return height * _SIZE


def _ridge(flat: Floats, path: Sequence[tuple[float, float]], width: float) -> Floats:
    """[N] Gaussian falloff from a polyline in the plane."""
    distance = np.full(len(flat), 99.0)
    for start, end in pairwise(np.array(path)):
        way = end - start
        share = np.clip((flat - start) @ way / (way @ way), 0, 1)
        distance = np.minimum(distance, np.linalg.norm(flat - start - share[:, None] * way, axis=1))
    return gauss(distance, width)


def _spot(flat: Floats, back: float, up: float, width: float, height: float) -> Floats:
    return gauss(np.hypot((flat[:, 0] - back) / width, (flat[:, 1] - up) / height), 1)

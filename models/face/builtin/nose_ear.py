"""The nostril's rings, and the ear as rings in a flared, tilted plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mesh import Bools, Floats, gauss, smoothstep, unit
from .topology import HalfTopology

_NOSTRIL = np.array([0.72, -4.02, 10.36])
_EAR_MIDDLE = np.array([6.65, -1.25, -1.0])
_EAR_ORIGIN = np.array([6.85, -1.25, -0.75])
_EAR_TILT, _EAR_FLARE = np.radians(12), np.radians(22)
_EVEN = 0.7  # how evenly the columns go round the ear; the rest follows the block's rim
_EAR_UP, _EAR_DOWN = 3.0, 3.05  # half heights of the outline, scaled with the rest by sa-sba


def place_nostril(topology: HalfTopology, points: Floats) -> None:
    """An oval opening on the nose's underside, its long axis forward and inward, and a short dark shaft."""
    rings = topology.rings["nostril"]
    rim = points[rings[0]]
    forward = unit(np.array([-0.30, 0.28, 1.0]))
    aside = np.array([1.0, -0.05, 0.30])
    aside = unit(aside - forward * (aside @ forward))
    angle = np.radians(-135 + 30 * np.arange(12))
    oval = _NOSTRIL + np.outer(np.cos(angle), aside) * 0.31 + np.outer(np.sin(angle), forward) * 0.45
    up = np.array([0.0, 1.0, -0.25])
    points[rings[1]] = rim + (oval - rim) * 0.55
    points[rings[2]] = oval
    for ring, (size, depth) in zip((3, 4, 5), ((0.92, 0.18), (0.75, 0.55), (0.35, 0.9)), strict=True):
        points[rings[ring]] = _NOSTRIL + (oval - _NOSTRIL) * size + up * depth


@dataclass(frozen=True)
class _EarPlane:
    """The ear's plane: `back` and `up` span it, `out` leaves the head; [3] unit vectors."""

    back: Floats
    up: Floats
    out: Floats

    @staticmethod
    def make() -> _EarPlane:
        up = unit(np.array([0.10, np.cos(_EAR_TILT), -np.sin(_EAR_TILT)]))
        back = np.array([np.sin(_EAR_FLARE), 0, -np.cos(_EAR_FLARE)])
        back = unit(back - up * (back @ up))
        out = np.cross(back, up)
        return _EarPlane(back, up, out * np.sign(out[0]))


@dataclass(frozen=True)
class _Outline:
    """The ear's outline by ring column: its place in the plane, and how much it is top, front, rear, lobe."""

    back: Floats
    up: Floats
    top: Floats
    front: Floats
    rear: Floats
    lobe: Floats
    behind: Bools


def _outline(rim: Floats) -> _Outline:
    """Wide at the top back, a narrow lobe, a flat front edge; columns by their angle on the head's side."""
    angle = np.unwrap(np.arctan2((rim[:, 1] - _EAR_MIDDLE[1]) / 2.4, -(rim[:, 2] - _EAR_MIDDLE[2]) / 1.7))
    even = angle[0] + np.sign(angle[-1] - angle[0]) * 2 * np.pi * np.arange(len(rim)) / len(rim)
    angle = (1 - _EVEN) * angle + _EVEN * (even + (angle - even).mean())
    cosine, sine = np.cos(angle), np.sin(angle)
    top, bottom = np.maximum(sine, 0), np.maximum(-sine, 0)
    rear, front = np.maximum(cosine, 0), np.maximum(-cosine, 0)
    cosine = np.sign(cosine) * np.abs(cosine) ** 0.8
    sine = np.sign(sine) * np.abs(sine) ** 0.85
    wide = np.where(cosine > 0, 1.95 + 0.40 * top - 0.85 * bottom**1.3, 0.84 + 0.12 * top + 0.05 * bottom)
    tall = np.where(sine > 0, _EAR_UP, _EAR_DOWN)
    return _Outline(wide * cosine, tall * sine, top, front, rear, smoothstep(bottom, 0.45, 0.9), cosine > 0)


def place_ear(topology: HalfTopology, points: Floats) -> None:
    """Rings: root, back, rim, helix, scapha, antihelix, concha, canal; then tragus and helix root."""
    rings = topology.rings["ear"]
    rim = points[rings[0]]
    plane, shape = _EarPlane.make(), _outline(rim)
    root = _EAR_ORIGIN + np.outer(shape.back * 0.62, plane.back) + np.outer(shape.up * 0.70, plane.up)
    skull = np.interp(root[:, 1], [-6, -4, -2, 0, 2], [5.95, 6.4, 6.8, 7.05, 7.3])
    root[:, 0] = skull - 0.004 * (root[:, 2] + 1) ** 2 - 0.12
    points[rings[1]] = rim + (root - rim) * 0.55
    points[rings[2]] = root
    for ring, at in enumerate(_pinna(plane, shape)):
        points[rings[3 + ring]] = at + _bumps(at, plane)


def _pinna(plane: _EarPlane, shape: _Outline) -> list[Floats]:
    """Rings [K, 3] from behind the rim over the helix into the canal."""

    def ring(
        scale: Floats | float, lift: Floats, front: float, shift: tuple[float, float] = (0.0, 0.0)
    ) -> Floats:
        height = lift * (1 - shape.front * (1 - front))
        across = (shape.back * scale + shift[0])[:, None] * plane.back
        result: Floats = _EAR_ORIGIN + across + (shape.up * scale + shift[1])[:, None] * plane.up
        return result + height[:, None] * plane.out

    rise, lobe = 0.55 + 0.15 * shape.top, shape.lobe
    flat = np.ones_like(rise)
    return [
        ring(np.where(shape.behind, 0.80, 0.74), 0.10 + 0.05 * shape.rear, 1.0),
        ring(0.95, 0.32 * flat, 0.9),
        ring(1.0, rise * 0.85, 0.72),
        ring(0.975, rise * 1.08, 0.75),
        ring(0.90, rise * 1.05 - 0.1 * lobe, 0.78),
        ring(0.82, (rise - 0.26) * (1 - lobe) + lobe * 0.42, 1.0),
        ring(0.72, (rise - 0.42) * (1 - lobe) + lobe * 0.44, 1.4),
        ring(0.60, (0.54 + 0.08 * shape.rear) * (1 - lobe) + lobe * 0.46, 1.0, (-0.02, 0.0)),
        ring(0.48, 0.46 * (1 - 0.3 * lobe), 1.15, (-0.05, -0.06)),
        ring(0.37, 0.12 * flat, 1.6, (-0.10, -0.12)),
        ring(0.27, -0.22 * flat, 0.0, (-0.14, -0.16)),
        ring(0.10, -0.42 * flat, 1.0, (-0.25, -0.18)),
    ]


def _bumps(at: Floats, plane: _EarPlane) -> Floats:
    """Displacement [K, 3]: the tragus over the canal, the helix's root into the concha, the antitragus."""
    back, up = (at - _EAR_ORIGIN) @ plane.back, (at - _EAR_ORIGIN) @ plane.up

    def bump(u: float, v: float, width: float, height: float) -> Floats:
        return gauss(np.hypot((back - u) / width, (up - v) / height), 1)

    tragus = bump(-0.72, -0.35, 0.26, 0.42)
    lift = 0.38 * tragus + 0.22 * bump(-0.35, 0.55, 0.40, 0.16) + 0.20 * bump(0.15, -1.35, 0.26, 0.22)
    moved: Floats = lift[:, None] * plane.out + 0.16 * tragus[:, None] * plane.back
    return moved

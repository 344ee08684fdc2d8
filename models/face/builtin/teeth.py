"""Teeth and gums along a dental arch. Crown sizes are rounded from tables of dental anatomy (e.g. Ash and
Nelson, Wheeler's Dental Anatomy, 8th ed. 2003); their placement is by eye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mesh import Floats
from .pieces import Piece, disc_quads, face_outwards, tube_quads

_ARCH_HALF, _ARCH_BACK, _ARCH_DEPTH = 2.62, 5.24, 3.85
_COLUMNS = 12
_GAP = 0.006
_MOLAR_SINK = 0.22  # molars end short of the bite, or they fill the corner of an open mouth
# Up the crown from the neck: share of the height, of the width, of the depth.
_CROWN = (
    (-0.15, 0.80, 0.62),
    (0.12, 0.84, 0.85),
    (0.40, 0.94, 1.0),
    (0.72, 0.985, 0.92),
    (0.92, 0.96, 0.62),
    (0.985, 0.90, 0.40),
    (1.0, 0.70, 0.22),
)
_GUM_SECTIONS, _GUM_COLUMNS = 41, 8


@dataclass(frozen=True)
class Jaw:
    """One row of teeth, from the central incisor to the second molar.

    Attributes:
        widths, heights: crown sizes, cm; scale: of the arch; edge: height of the incisal edge.
        bite: -1 where crowns point down (upper jaw), 1 where they point up.
    """

    widths: tuple[float, ...]
    heights: tuple[float, ...]
    scale: float
    edge: float
    bite: int


UPPER = Jaw(
    (0.86, 0.68, 0.78, 0.70, 0.68, 0.98, 0.95), (1.02, 0.90, 1.02, 0.88, 0.82, 0.76, 0.70), 1.0, -6.69, -1
)
LOWER = Jaw(
    (0.55, 0.60, 0.69, 0.71, 0.72, 1.08, 1.02), (0.88, 0.90, 1.0, 0.88, 0.82, 0.75, 0.70), 0.945, -6.49, 1
)


def teeth(jaw: Jaw) -> Piece:
    """All crowns of a jaw and its gum."""
    vertices: list[Floats] = []
    polygons = []
    count, place = 0, 0.0
    for width, height in zip(jaw.widths, jaw.heights, strict=True):
        for side in (1, -1):
            crown = _crown(jaw, place, width, height, side)
            last = count + (len(_CROWN) - 1) * _COLUMNS
            polygons += [tube_quads(len(_CROWN), _COLUMNS) + count, disc_quads(last, _COLUMNS)]
            vertices.append(crown)
            count += len(crown)
        place += width + _GAP
    gum = _gum(jaw, place)
    polygons.append(tube_quads(_GUM_SECTIONS, _GUM_COLUMNS) + count)
    points = np.concatenate([*vertices, gum])
    flags = np.arange(len(points)) >= count
    return Piece(points, face_outwards(points, np.concatenate(polygons)), flags, np.full(len(points), 9.0))


def _arch(place: float, scale: float) -> tuple[Floats, Floats]:
    """Point (x, z) and outward direction of the arch at arc length `place` (negative to the right)."""
    turn = np.linspace(0, np.pi / 2, 400)
    x = _ARCH_HALF * scale * np.sin(turn) ** 0.92
    z = _ARCH_BACK + _ARCH_DEPTH * np.cos(turn) ** 0.80 - (1 - scale) * 2.2
    x, z = np.append(x, x[-1]), np.append(z, z[-1] - 3)  # straight behind the molars
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(z)))])

    def at(s: float) -> Floats:
        return np.array([np.interp(abs(s), length, x) * (-1 if s < 0 else 1), np.interp(abs(s), length, z)])

    step = 0.02
    along = at(place + step) - at(place - step)
    along /= np.linalg.norm(along)
    return at(place), np.array([-along[1], along[0]])


def _crown(jaw: Jaw, place: float, width: float, height: float, side: int) -> Floats:
    """One tooth [rows * columns, 3]: rounded boxes from the neck to the edge."""
    centre, out = _arch(side * (place + width / 2), jaw.scale)
    along = np.array([out[1], -out[0]])
    molar = place > 2.9
    depth = 0.62 * 0.55 if molar else 0.34 * 0.5
    canine, lateral = 1.5 < place < 2.2, jaw.bite < 0 and 0.8 < place < 1.5
    tip = jaw.edge + jaw.bite * (0.05 * canine - 0.05 * lateral - _MOLAR_SINK * molar)
    angle = (np.arange(_COLUMNS) + 0.5) * 2 * np.pi / _COLUMNS
    across = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.55 * width / 2 * 1.01
    through = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.75 * depth
    rows = []
    for up, wide, deep in _CROWN:
        thick = max(deep, 0.8) if molar and up < 0.95 else deep
        lean = -0.16 if molar else -0.10 * (1 - up)
        at = centre + np.outer(across * wide, along) + np.outer(through * thick + lean, out)
        y = np.full(_COLUMNS, tip - jaw.bite * height * (1 - up))
        rows.append(np.stack([at[:, 0], y, at[:, 1]], 1))
    return np.concatenate(rows)


def _gum(jaw: Jaw, length: float) -> Floats:
    """A tube along the arch round the teeth's necks."""
    places = np.linspace(-length, length, _GUM_SECTIONS)
    neck = jaw.edge - jaw.bite * np.interp(np.abs(places), [0, 1.2, 2, 3, 6], [0.86, 0.80, 0.82, 0.72, 0.6])
    angle = np.arange(_GUM_COLUMNS) * 2 * np.pi / _GUM_COLUMNS
    sections = []
    for place, height in zip(places, neck, strict=True):
        centre, out = _arch(float(place), jaw.scale)
        at = centre + np.outer(np.cos(angle) * 0.27 - 0.07, out)
        y = height - jaw.bite * 0.34 + 0.38 * np.sin(angle)
        sections.append(np.stack([at[:, 0], y, at[:, 1]], 1))
    return np.concatenate(sections)

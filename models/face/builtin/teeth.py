"""Crowns: each a tube of rings from neck to biting surface, with an edge or with cusps."""

from __future__ import annotations

import numpy as np

from .dental_arch import Arch, Tooth
from .gums import gum
from .mesh import FLIP, Floats, Ints
from .pieces import Piece, disc_quads, face_outwards, tube_quads

_COLUMNS = 16  # 0 mesial, 4 facial, 8 distal, 12 lingual
_STATIONS = (2, 4, 6)  # columns of a crown that serve as stations of the tooth rings
_FRONT_ROW, _EDGE_ROW = 4, 6
# Rows from under the gum to the middle of the biting surface: share of the height, of the cusps' relief, and
# of the biting surface's size.
_ROWS = (
    *((-0.20, 0.0, 1.0), (0.04, 0.0, 1.0), (0.20, 0.0, 1.0), (0.42, 0.0, 1.0), (0.66, 0.12, 1.0)),
    *((0.88, 0.6, 1.0), (0.985, 1.0, 0.88), (1.0, 1.0, 0.60), (1.0, 1.0, 0.32), (1.0, 1.0, 0.08)),
)
# By height: half width (share of the crown's), then by kind the facial and lingual surface behind the line.
_HEIGHTS = (-0.2, 0.04, 0.2, 0.42, 0.66, 0.88, 1.0)
_WIDTHS = {
    "incisor": (0.66, 0.74, 0.83, 0.93, 0.99, 1.0, 0.96),
    "canine": (0.68, 0.76, 0.85, 0.94, 1.0, 0.90, 0.66),
    "premolar": (0.66, 0.74, 0.84, 0.95, 1.0, 0.94, 0.84),
    "molar": (0.78, 0.84, 0.90, 0.97, 1.0, 0.96, 0.90),
}
_FACIAL = {
    "incisor": (0.17, 0.115, 0.06, 0.015, 0.0, 0.015, 0.05),
    "canine": (0.15, 0.09, 0.035, 0.0, 0.005, 0.06, 0.14),
    "premolar": (0.14, 0.075, 0.02, 0.0, 0.03, 0.10, 0.17),
    "molar": (0.12, 0.06, 0.015, 0.0, 0.03, 0.11, 0.18),
}
# Lingual surface as a share of the crown's depth.
_LINGUAL = {
    "incisor": (0.93, 0.97, 0.98, 0.72, 0.42, 0.25, 0.17),
    "canine": (0.93, 0.97, 1.0, 0.82, 0.56, 0.36, 0.27),
    "premolar": (0.88, 0.93, 0.98, 1.0, 0.97, 0.89, 0.80),
    "molar": (0.90, 0.94, 0.99, 1.0, 0.98, 0.91, 0.84),
}
# Cusps: place across (mesial 1 .. distal -1) and through (facial 1 .. lingual -1), depth under the tip.
_CUSPS = {
    "premolar": ((0.0, 0.62, 0.0), (0.05, -0.60, 0.07)),
    "molar": ((0.48, 0.62, 0.0), (-0.46, 0.60, 0.02), (0.48, -0.60, 0.05), (-0.44, -0.58, 0.08)),
}
_CUSP_SLOPE, _CUSP_ROUND = 0.62, 0.012
_DEEPEST = -0.26  # of a fossa or a rounded side


def teeth(arch: Arch) -> Piece:
    """All crowns of a jaw, right then left of each pair, and its gum."""
    vertices: list[Floats] = []
    polygons = []
    count = 0
    quads = np.concatenate(
        [tube_quads(len(_ROWS), _COLUMNS), disc_quads((len(_ROWS) - 1) * _COLUMNS, _COLUMNS)]
    )
    for number in range(len(arch.teeth)):
        left = _crown(arch, number)
        for crown in (left * FLIP, left):
            vertices.append(crown)
            polygons.append(quads + count)
            count += len(crown)
    gums, gum_quads = gum(arch)
    points = np.concatenate([*vertices, gums])
    polygons.append(gum_quads + count)
    flags = np.arange(len(points)) >= count
    return Piece(points, face_outwards(points, np.concatenate(polygons)), flags, np.full(len(points), 9.0))


def tooth_rings(arch: Arch) -> Ints:
    """Ids [2, stations] in `teeth`, left half from the midline: edge, and most forward line of the crowns."""
    crown = len(_ROWS) * _COLUMNS
    first = (2 * np.arange(len(arch.teeth)) + 1)[:, None] * crown
    columns = np.array(_STATIONS)
    return np.stack([(first + row * _COLUMNS + columns).ravel() for row in (_EDGE_ROW, _FRONT_ROW)])


def _shape_of(kind: str) -> str:
    return "incisor" if kind in ("central", "lateral", "lower incisor") else kind


def _relief(tooth: Tooth, across: Floats, through: Floats) -> Floats:
    """Height of the biting surface under its highest cusp (<= 0), at places in -1 .. 1."""
    if tooth.kind in _CUSPS:
        cones = []
        for a, b, low in _CUSPS[tooth.kind]:
            distance = np.hypot((across - a) * tooth.width / 2, (through - b) * tooth.depth / 2)
            cones.append(-low - _CUSP_SLOPE * (np.sqrt(distance**2 + _CUSP_ROUND) - np.sqrt(_CUSP_ROUND)))
        cusped: Floats = np.maximum(np.max(cones, axis=0), _DEEPEST)
        return cusped
    if tooth.kind == "canine":
        pointed: Floats = -0.13 * np.abs(across) ** 1.3 - 0.03 * (across < 0) * np.abs(across)
        return pointed
    distal = 0.085 if tooth.kind == "lateral" else 0.05
    rounded: Floats = -np.where(across < 0, distal, 0.025) * np.abs(across) ** 5
    return rounded - (0.05 if tooth.kind == "lateral" else 0.0)


def _crown(arch: Arch, number: int) -> Floats:
    """One tooth of the left side [rows * columns, 3]."""
    tooth, shape = arch.teeth[number], _shape_of(arch.teeth[number].kind)
    place = arch.starts[number] + tooth.width / 2
    centre, out = arch.at(place)
    mesial = np.array([-out[1], out[0]])
    angle = np.arange(_COLUMNS) * 2 * np.pi / _COLUMNS
    square = 0.62 if shape == "incisor" else 0.72
    a = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** square
    b = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.8
    taper = 1 - 0.16 * np.clip(-b, 0, 1)
    rows = []
    for up, relief, size in _ROWS:
        wide = np.interp(up, _HEIGHTS, _WIDTHS[shape]) * tooth.width / 2 * size
        facial = -np.interp(up, _HEIGHTS, _FACIAL[shape])
        lingual = -np.interp(up, _HEIGHTS, _LINGUAL[shape]) * tooth.depth
        through = (facial + lingual) / 2 + b * size * (facial - lingual) / 2
        at = centre + np.outer(a * wide * taper, mesial) + np.outer(through, out)
        high = tooth.height * (up - 1) + relief * _relief(tooth, a * size, b * size)
        rows.append(np.stack([at[:, 0], arch.tip(place) + arch.bite * high, at[:, 1]], 1))
    return np.concatenate(rows)

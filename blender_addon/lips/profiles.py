"""The profiles of both lips: columns across the mouth, rows from the vermilion border to the inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..protocol.face import FaceFile
from ..protocol.tensorfile import Array
from .canonical import LipCoordinates, Location, arc_length, chart_points, locate

# Rows as the built-in head numbers its rings: 5 vermilion border, 8 lip line, 9 to 12 inside. Where a face
# has no such rings, the rows lie at these v (mouth widths; corner, middle), measured on the built-in head.
ROWS = (5, 6, 7, 8, 9, 10, 11, 12)
_ACROSS = {
    5: (0.07, 0.235),
    6: (0.047, 0.18),
    7: (0.023, 0.115),
    9: (-0.022, -0.024),
    10: (-0.034, -0.049),
    11: (-0.06, -0.135),
    12: (-0.08, -0.215),
}
LINE = ROWS.index(8)
INNER = ROWS.index(10)  # lies flat on its counterpart when the lips are shut
COLUMNS = 31  # where a face has no rings to tell


@dataclass(frozen=True)
class Profiles:
    """Surface points of both lips. R = len(ROWS), N columns from the right corner to the left, both included.

    Attributes:
        points: 2 N R surface points, [upper or lower, column, row] in order.
        columns: N; u: [N] place of the columns along the lip.
    """

    points: Location
    columns: int
    u: Array


def profiles_of(face: FaceFile, coordinates: LipCoordinates) -> Profiles:
    """Profiles on the face's own rings where it has them all, else on rows at fixed v."""
    names = [f"lip_{lip}.{row}" for lip in ("upper", "lower") for row in ROWS]
    rings = [face.rings[name] for name in names if name in face.rings]
    local = np.full(len(face.vertices), -1)
    local[face.lip_index] = np.arange(len(face.lip_index))
    whole = len(rings) == len(names) and {len(ring) for ring in rings} == {len(coordinates.upper)}
    if not whole or (local[np.stack(rings)] < 0).any():
        return _at_fixed_v(face, coordinates)
    ids = _columns_first(local[np.stack(rings)])
    points = Location(np.repeat(ids[:, None], 3, 1), np.tile([1.0, 0.0, 0.0], (len(ids), 1)))
    u = (coordinates.u[coordinates.upper] + coordinates.u[coordinates.lower]) / 2
    return Profiles(points, len(u), u)


def _at_fixed_v(face: FaceFile, coordinates: LipCoordinates) -> Profiles:
    u = np.linspace(-1.0, 1.0, COLUMNS)
    ids, shares = [], []
    for lip, line in ((1.0, coordinates.upper), (-1.0, coordinates.lower)):
        for row in ROWS:
            if row == ROWS[LINE]:
                place = _on_line(face, coordinates, line, u)
            else:
                v = np.interp(np.abs(u), (0, 1), _ACROSS[row][::-1])
                place = locate(coordinates, chart_points(u, v, np.full(COLUMNS, lip)))
            ids.append(place.ids)
            shares.append(place.shares)
    return Profiles(Location(_columns_first(np.stack(ids)), _columns_first(np.stack(shares))), COLUMNS, u)


def _columns_first(rows: Array) -> Array:
    """[2 R, N, ...] by lip and row, then column -> [2 N R, ...] by lip and column, then row."""
    lips = rows.reshape(2, len(ROWS), *rows.shape[1:])
    ordered: Array = np.swapaxes(lips, 1, 2).reshape(-1, *rows.shape[2:])
    return ordered


def _on_line(face: FaceFile, coordinates: LipCoordinates, line: Array, u: Array) -> Location:
    """Points of the lip line itself, between two of its vertices."""
    own = arc_length(face.vertices[coordinates.index[line]].astype(float))
    i = np.clip(np.searchsorted(own, u, side="right") - 1, 0, len(line) - 2)
    share = np.clip((u - own[i]) / (own[i + 1] - own[i]), 0.0, 1.0)
    return Location(
        np.stack([line[i], line[i + 1], line[i]], 1), np.stack([1 - share, share, np.zeros_like(share)], 1)
    )

"""Quads of the left half head: a grid with rings (O-grids) round eye, mouth, nostril and ear.

Ring blocks give loops that follow lids and lips, as animators want them, and exact symmetry by mirroring.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .anatomy import CROWN_COLUMN_RADIUS
from .mesh import Floats, Ints

_FRONT_X = (0, 0.3, 0.6, 0.9, 1.22, 1.6, 1.99, 2.39, 2.79, 3.19, 3.58, 3.9, 4.2, 4.5, 4.82, 5.17, 5.56)
_SIDE_DEGREES = (
    *(56.5, 62, 67.5, 73, 78.5),
    *(84, 87.5, 91, 94.5, 98, 101.5, 105, 108.5, 112),  # the ear's block
    *(116.5, 121.5, 127.5, 134, 140.5, 147, 153.5, 160, 166.5, 173.3, 180),
)
COLUMNS = np.concatenate([np.arcsin(np.array(_FRONT_X) / CROWN_COLUMN_RADIUS), np.radians(_SIDE_DEGREES)])
_NECK_ROWS = (
    *(-25.1, -24.95, -24.7, -24.4, -24.0, -23.5, -22.9, -22.3, -21.7, -21.1, -20.5, -19.9, -19.3, -18.7),
    *(
        -18.1,
        -17.5,
        -16.8,
        -16.1,
        -15.4,
        -14.7,
        -14.0,
        -13.4,
        -12.9,
        -12.3,
        -11.8,
        -11.4,
        -11.1,
        -10.8,
        -10.5,
        -10.25,
    ),
)
_FACE_ROWS = (
    *(-10.0, -9.55, -9.1, -8.65),  # chin to the mouth block
    *(-8.22, -7.8, -7.39, -6.98, -6.57, -6.16, -5.75, -5.34, -4.98, -4.67),  # mouth block's top
    *(-4.34, -4.08, -3.84, -3.58, -3.3, -2.98, -2.62, -2.24, -1.86),  # nose, to the eye block
    *(-1.47, -1.07, -0.65, -0.2, 0.26, 0.72, 1.16, 1.58),  # eye block's top
    *(2.0, 2.42, 2.86, 3.32, 3.82, 4.35, 4.92, 5.5, 6.1),
    *(6.75, 7.4, 8.1, 8.8, 9.5, 10.2, 10.9, 11.6, 12.3),
)
ROWS = np.array(_NECK_ROWS + _FACE_ROWS)
_CHIN = len(_NECK_ROWS)  # the first row of the face
CROWN_ROW = 20.0  # the domain height of crown vertices, which fairing places


@dataclass(frozen=True)
class Block:
    """A rectangle of the grid replaced by rings.

    Attributes:
        columns, rows: first and last grid index.
        outer: rings between the rim and the feature's edge; inner: rings beyond it.
    """

    columns: tuple[int, int]
    rows: tuple[int, int]
    outer: int
    inner: int

    @property
    def closed(self) -> bool:
        """False for a block on the midline, whose rings are open half loops."""
        return self.columns[0] > 0


BLOCKS: dict[str, Block] = {
    "mouth": Block((0, 10), (_CHIN + 3, _CHIN + 13), 8, 10),
    "nostril": Block((1, 4), (_CHIN + 14, _CHIN + 17), 3, 2),
    "eye": Block((4, 16), (_CHIN + 22, _CHIN + 30), 9, 4),
    "ear": Block((22, 30), (_CHIN + 17, _CHIN + 29), 1, 18),
}


@dataclass(frozen=True)
class HalfTopology:
    """The left half's connectivity.

    Attributes:
        domain: [N, 2] angle (0 front, pi back) and row height of each vertex; (0, 0) on rings.
        quads: [Q, 4]; grid: [rows, columns] ids, -1 inside blocks; cap: [h, w] ids of the crown.
        rings: name -> [rings, columns] ids, from the block's rim inwards.
    """

    domain: Floats
    quads: Ints
    grid: Ints
    cap: Ints
    rings: dict[str, Ints]


class _Builder:
    def __init__(self) -> None:
        self.domain: list[tuple[float, float]] = []
        self.quads: list[list[int]] = []

    def add(self, points: npt.ArrayLike) -> Ints:
        rows = np.atleast_2d(np.asarray(points, float))
        first = len(self.domain)
        self.domain += [(float(a), float(t)) for a, t in rows]
        return np.arange(first, first + len(rows))

    def strip(self, outer: Ints, inner: Ints, closed: bool) -> None:
        if closed:
            outer, inner = np.append(outer, outer[0]), np.append(inner, inner[0])
        self.quads += np.stack([outer[:-1], outer[1:], inner[1:], inner[:-1]], 1).tolist()


def build() -> HalfTopology:
    """The whole half head, without positions."""
    builder = _Builder()
    grid = _grid(builder)
    rings = {name: _rings(builder, grid, block) for name, block in BLOCKS.items()}
    cap = _crown(builder, grid[-1])
    return HalfTopology(np.array(builder.domain), np.array(builder.quads), grid, cap, rings)


def _grid(builder: _Builder) -> Ints:
    rows, columns = len(ROWS), len(COLUMNS)
    hole = np.zeros((rows, columns), bool)
    blocked = np.zeros((rows - 1, columns - 1), bool)
    for block in BLOCKS.values():
        (j0, j1), (i0, i1) = block.columns, block.rows
        hole[i0 + 1 : i1, (j0 + 1 if j0 else 0) : j1] = True
        blocked[i0:i1, j0:j1] = True
    grid = -np.ones((rows, columns), np.int64)
    for i, j in zip(*np.nonzero(~hole), strict=True):
        grid[i, j] = builder.add((COLUMNS[j], ROWS[i]))[0]
    for i, j in zip(*np.nonzero(~blocked), strict=True):
        builder.quads.append(
            [int(v) for v in (grid[i, j], grid[i, j + 1], grid[i + 1, j + 1], grid[i + 1, j])]
        )
    return grid


def _perimeter(grid: Ints, block: Block) -> Ints:
    """Counter-clockwise outline of a block; open at the midline."""
    (j0, j1), (i0, i1) = block.columns, block.rows
    low = [grid[i0, j] for j in range(j0, j1)]
    side = [grid[i, j1] for i in range(i0, i1)]
    top = [grid[i1, j] for j in range(j1, j0, -1)]
    back = [grid[i, j0] for i in range(i1, i0, -1)] if block.closed else [grid[i1, j0]]
    return np.array(low + side + top + back)


def _rings(builder: _Builder, grid: Ints, block: Block) -> Ints:
    rings = [_perimeter(grid, block)]
    for _ in range(block.outer + block.inner):
        rings.append(builder.add(np.zeros((len(rings[0]), 2))))
        builder.strip(rings[-2], rings[-1], block.closed)
    return np.array(rings)


def _crown(builder: _Builder, rim: Ints) -> Ints:
    """Half-disc cap of quads: the last row bends round a rectangle; row 0 is front, column 0 the midline."""
    width = (len(rim) - 1) // 4
    height = len(rim) - 1 - 2 * width
    cap = -np.ones((height + 1, width + 1), np.int64)
    edge = [(0, c) for c in range(width + 1)] + [(r, width) for r in range(1, height + 1)]
    edge += [(height, c) for c in range(width - 1, -1, -1)]
    for (row, column), vertex in zip(edge, rim, strict=True):
        cap[row, column] = vertex
    for row in range(1, height):
        for column in range(width):
            cap[row, column] = builder.add((0.0, CROWN_ROW))[0]
    for r in range(height):
        for c in range(width):
            builder.quads.append(
                [int(v) for v in (cap[r, c], cap[r, c + 1], cap[r + 1, c + 1], cap[r + 1, c])]
            )
    return cap

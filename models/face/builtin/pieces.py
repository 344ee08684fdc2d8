"""Eyeballs, and what all separate pieces share. Each maker gives a `Piece`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .anatomy import EYE_CENTRE, EYE_RADIUS, IRIS_RADIUS
from .mesh import Bools, Floats, Ints, Part, smoothstep

IRIS_ANGLE = float(np.arcsin(IRIS_RADIUS / EYE_RADIUS))
EYE_COLUMNS = 32
_CORNEA = 0.045  # height of the cornea over the sphere
# Depth of the iris's rim behind the limbus, of its middle behind its rim.
_IRIS_SUNK, _IRIS_HOLLOW = 0.02, 0.05
_CORNEA_POLAR = np.array([0.05, 0.15, 0.28, 0.42, 0.56, 0.7, 0.82, 0.92, 1.0, 1.05, 1.1])  # iris radii
CORNEA_VERTICES = len(_CORNEA_POLAR) * EYE_COLUMNS


@dataclass(frozen=True)
class Piece:
    """A closed piece: vertices [n, 3], polygons [m, 4], and [n] gum flags and iris angles (9 elsewhere)."""

    vertices: Floats
    polygons: Ints
    gum: Bools
    iris: Floats

    @staticmethod
    def plain(vertices: Floats, polygons: Ints) -> Piece:
        """A piece without gums or iris."""
        return Piece(vertices, polygons, np.zeros(len(vertices), bool), np.full(len(vertices), 9.0))


def tube_quads(rows: int, columns: int) -> Ints:
    """Quads of a tube of `rows` rings with `columns` vertices each."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    k = (j + 1) % columns
    quads = np.stack([i * columns + j, i * columns + k, (i + 1) * columns + k, (i + 1) * columns + j], -1)
    rows_of_quads: Ints = quads.reshape(-1, 4).astype(np.int64)
    return rows_of_quads


def disc_quads(first: int, columns: int) -> Ints:
    """Quads that fill a ring of `columns` vertices whose first id is `first`."""
    k = np.arange(columns // 2 - 1)
    filled: Ints = first + np.stack([k, k + 1, columns - 2 - k, columns - 1 - k], 1).astype(np.int64)
    return filled


def face_outwards(vertices: Floats, polygons: Ints) -> Ints:
    """Flip connected pieces whose enclosed volume is negative."""
    edges = np.concatenate([polygons[:, [0, 1]], polygons[:, [1, 2]], polygons[:, [2, 3]]])
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(vertices), len(vertices)))
    label = connected_components(graph, directed=False)[1][polygons[:, 0]]
    polygons = polygons.copy()
    for piece in np.unique(label):
        rows = np.flatnonzero(label == piece)
        corner = vertices[polygons[rows]] - vertices[polygons[rows]].mean((0, 1))
        fan = np.cross(corner[:, 1], corner[:, 2]) + np.cross(corner[:, 2], corner[:, 3])
        if (corner[:, 0] * fan).sum() < 0:
            polygons[rows] = polygons[rows][:, ::-1]
    return polygons


def eyeball() -> Piece:
    """The left eyeball: a sphere whose front is a sunken iris, then the clear cornea over it, a shell.

    Both are rings of `EYE_COLUMNS` about the gaze axis; the cornea's `CORNEA_VERTICES` come last.
    """
    polar, radius, depth = _ball_profile()
    ball = _turned(radius, depth)
    shell = _turned(*_cornea_profile())
    last = (len(polar) - 1) * EYE_COLUMNS
    polygons = np.concatenate(
        [
            tube_quads(len(polar), EYE_COLUMNS),
            disc_quads(0, EYE_COLUMNS)[:, ::-1],
            disc_quads(last, EYE_COLUMNS),
            tube_quads(len(_CORNEA_POLAR), EYE_COLUMNS) + len(ball),
            disc_quads(len(ball), EYE_COLUMNS)[:, ::-1],
        ]
    )
    vertices = np.concatenate([ball, shell]) + EYE_CENTRE
    polygons = face_outwards(vertices, polygons)
    iris = np.repeat(np.concatenate([polar, _CORNEA_POLAR]), EYE_COLUMNS)
    return Piece(vertices, polygons, np.zeros(len(vertices), bool), iris)


def _ball_profile() -> tuple[Floats, Floats, Floats]:
    """Rings of the ball: polar angle in iris radii, distance from the gaze axis, place along it."""
    iris = np.concatenate([np.linspace(0.1, 0.36, 3), np.linspace(0.42, 0.93, 6)])
    white = np.concatenate([[1.0, 1.06], np.linspace(1.25, np.pi * 0.98 / IRIS_ANGLE, 13)])
    limbus = EYE_RADIUS * np.cos(IRIS_ANGLE)
    sunk = limbus - _IRIS_SUNK - _IRIS_HOLLOW * (1 - iris)
    return (
        np.concatenate([iris, white]),
        np.concatenate([iris * IRIS_RADIUS * 1.02, EYE_RADIUS * np.sin(white * IRIS_ANGLE)]),
        np.concatenate([sunk, EYE_RADIUS * np.cos(white * IRIS_ANGLE)]),
    )


def _cornea_profile() -> tuple[Floats, Floats]:
    """Rings of the cornea: distance from the gaze axis, place along it. Its rim lies under the white."""
    height = _CORNEA * np.cos(np.clip(_CORNEA_POLAR, 0, 1) * np.pi / 2) + 0.003
    radius = EYE_RADIUS + height - 0.012 * smoothstep(_CORNEA_POLAR, 1.0, 1.1)
    return radius * np.sin(_CORNEA_POLAR * IRIS_ANGLE), radius * np.cos(_CORNEA_POLAR * IRIS_ANGLE)


def _turned(radius: Floats, depth: Floats) -> Floats:
    """Rings [n * EYE_COLUMNS, 3] of these radii and places about the gaze axis."""
    around = np.arange(EYE_COLUMNS) * 2 * np.pi / EYE_COLUMNS
    x, y = radius[:, None] * np.cos(around), radius[:, None] * np.sin(around)
    points: Floats = np.stack(np.broadcast_arrays(x, y, depth[:, None]), -1).reshape(-1, 3)
    return points


def cornea_flags(part: Ints) -> Bools:
    """[V] true on the corneas, given the `Part` of each vertex: the last of each eye."""
    flags = np.zeros(len(part), bool)
    for eye in (Part.EYE_LEFT, Part.EYE_RIGHT):
        flags[np.flatnonzero(part == eye)[-CORNEA_VERTICES:]] = True
    return flags

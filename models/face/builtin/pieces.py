"""Eyeballs, and what all separate pieces share. Each maker gives a `Piece`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .anatomy import EYE_CENTRE, EYE_RADIUS, IRIS_RADIUS
from .mesh import Bools, Floats, Ints

IRIS_ANGLE = float(np.arcsin(IRIS_RADIUS / EYE_RADIUS))
EYE_COLUMNS = 32
_CORNEA = 0.045  # height of the cornea over the sphere


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
    """The left eyeball: a sphere with a low cornea, in rings about the gaze axis."""
    polar = np.concatenate(
        [
            np.linspace(0.06, IRIS_ANGLE * 0.36, 3),
            np.linspace(IRIS_ANGLE * 0.42, IRIS_ANGLE * 0.96, 5),
            [IRIS_ANGLE, IRIS_ANGLE * 1.06],
            np.linspace(IRIS_ANGLE * 1.25, np.pi * 0.98, 13),
        ]
    )
    around = np.arange(EYE_COLUMNS) * 2 * np.pi / EYE_COLUMNS
    polar_grid, around_grid = np.meshgrid(polar, around, indexing="ij")
    radius = EYE_RADIUS + _CORNEA * np.cos(np.clip(polar_grid / IRIS_ANGLE, 0, 1) * np.pi / 2)
    direction = np.stack(
        [
            np.sin(polar_grid) * np.cos(around_grid),
            np.sin(polar_grid) * np.sin(around_grid),
            np.cos(polar_grid),
        ],
        -1,
    )
    vertices = (radius[..., None] * direction).reshape(-1, 3) + EYE_CENTRE
    last = (len(polar) - 1) * EYE_COLUMNS
    polygons = np.concatenate(
        [
            tube_quads(len(polar), EYE_COLUMNS),
            disc_quads(0, EYE_COLUMNS)[:, ::-1],
            disc_quads(last, EYE_COLUMNS),
        ]
    )
    polygons = face_outwards(vertices, polygons)
    return Piece(vertices, polygons, np.zeros(len(vertices), bool), polar_grid.ravel() / IRIS_ANGLE)

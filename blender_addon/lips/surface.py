"""Pieces of surfaces: triangles, edges, distances over the surface, smooth functions on it. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..protocol.tensorfile import Array

_FLAT = 1e-12  # metres^2; below this a triangle has no direction
_WEAKEST = 0.05  # least cotangent weight: keeps the harmonic functions free of new extremes


def triangles_of(polygons: Array) -> Array:
    """[P, 4] polygons (-1 last for a triangle) -> [T, 3] i64 triangles, none with a corner twice.

    Quads are split along both diagonals, so that a mirrored mesh gives mirrored results.
    """
    quads = polygons[polygons[:, 3] >= 0]
    halves = [quads[:, [i, (i + 1) % 4, (i + 2) % 4]] for i in range(4)]
    all_ = np.concatenate([*halves, polygons[polygons[:, 3] < 0][:, :3]]).astype(np.int64)
    a, b, c = all_.T
    proper: Array = all_[(a != b) & (b != c) & (a != c)]
    return proper


def edges_of(polygons: Array) -> Array:
    """[P, 4] polygons -> [E, 2] i64 edges, each once, without diagonals."""
    last = np.where(polygons[:, 3] < 0, polygons[:, 2], polygons[:, 3])
    loop = np.column_stack([polygons[:, :3], last]).astype(np.int64)
    pairs = np.concatenate([loop[:, [i, (i + 1) % 4]] for i in range(4)])
    edges: Array = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], 1), axis=0)
    return edges


@dataclass(frozen=True)
class Patch:
    """A part of a mesh with its own numbering.

    Attributes:
        points: [n, 3] f64 metres; triangles: [T, 3] and edges: [E, 2] between them, local ids.
        rim: [n] vertices with a neighbour outside the patch.
    """

    points: Array
    triangles: Array
    edges: Array
    rim: Array


def patch_of(vertices: Array, polygons: Array, index: Array) -> Patch:
    """The part of a mesh between the vertices `index` [n]."""
    local = np.full(len(vertices), -1)
    local[index] = np.arange(len(index))
    triangles, edges = local[triangles_of(polygons)], local[edges_of(polygons)]
    rim = np.zeros(len(index), bool)
    crossing = edges[(edges.min(1) < 0) & (edges.max(1) >= 0)]
    rim[crossing.max(1)] = True
    return Patch(
        vertices[index].astype(np.float64),
        triangles[(triangles >= 0).all(1)],
        edges[(edges >= 0).all(1)],
        rim,
    )


def distances(patch: Patch, sources: Array) -> Array:
    """[n] distance over the surface from the vertices `sources`, metres; infinite where none leads.

    A first-order front: each triangle carries it as a plane wave (Sethian 1996), repeated until nothing
    changes.
    """
    reach = np.full(len(patch.points), np.inf)
    reach[sources] = 0.0
    corners = np.concatenate([np.roll(patch.triangles, i, 1) for i in range(3)])  # [3 T, 3]
    far, a, b = corners.T
    one, two = patch.points[a] - patch.points[far], patch.points[b] - patch.points[far]
    aa, bb, ab = (one * one).sum(1), (two * two).sum(1), (one * two).sum(1)
    scale = 1 / np.maximum(aa * bb - ab * ab, _FLAT**2)
    p, q, r = bb * scale, aa * scale, -ab * scale  # inverse of the edges' inner products
    for _ in range(len(patch.points)):
        before = reach.copy()
        x, y = reach[a], reach[b]
        best = np.minimum(x + np.sqrt(aa), y + np.sqrt(bb))
        with np.errstate(invalid="ignore"):
            total, mean = p + q + 2 * r, (p + r) * x + (q + r) * y
            root = mean**2 - total * (p * x * x + q * y * y + 2 * r * x * y - 1)
            wave = (mean + np.sqrt(root)) / total
            inside = (p * (wave - x) + r * (wave - y) > 0) & (r * (wave - x) + q * (wave - y) > 0)
        best[inside] = np.minimum(best, wave)[inside]
        np.minimum.at(reach, far, best)
        if np.array_equal(reach, before):
            break
    return reach


def harmonic(patch: Patch, fixed: Array, values: Array) -> Array:
    """[n, C] the smoothest functions that take `values` [m, C] at the vertices `fixed` [m] (cotangents)."""
    n = len(patch.points)
    matrix = np.zeros((n, n))
    for i in range(3):
        k, a, b = np.roll(patch.triangles, i, 1).T
        one, two = patch.points[a] - patch.points[k], patch.points[b] - patch.points[k]
        area = np.linalg.norm(np.cross(one, two), axis=1)
        weight = np.maximum((one * two).sum(1) / np.maximum(area, _FLAT) / 2, _WEAKEST)
        for row, column in ((a, b), (b, a)):
            np.add.at(matrix, (row, column), -weight)
            np.add.at(matrix, (row, row), weight)
    matrix[np.diag_indices(n)] += 1e-9  # a piece that nothing holds takes zero
    free = np.setdiff1d(np.arange(n), fixed)
    result = np.zeros((n, values.shape[1]))
    result[fixed] = values
    result[free] = np.linalg.solve(matrix[np.ix_(free, free)], -matrix[np.ix_(free, fixed)] @ values)
    return result


def components(patch: Patch, without: Array) -> Array:
    """[n] the connected piece of each vertex when the vertices `without` are taken out; -1 for those."""
    label = np.arange(len(patch.points))
    label[without] = -1
    kept = patch.edges[(label[patch.edges] >= 0).all(1)]
    while True:
        lowest = np.minimum(label[kept[:, 0]], label[kept[:, 1]])
        before = label.copy()
        np.minimum.at(label, kept[:, 0], lowest)
        np.minimum.at(label, kept[:, 1], lowest)
        if np.array_equal(label, before):
            return label

"""Spreading displacements of points over the skin: |L d|^2 + screen |d|^2 + weight |S d - h|^2 -> min."""

from __future__ import annotations

import numpy as np

from ..protocol.tensorfile import Array
from .surface import edges_of

_SHORTEST_EDGE = 2e-4  # metres


def laplacian_rows(vertices: Array, polygons: Array, index: Array) -> tuple[Array, Array]:
    """The umbrella Laplacian, weights 1 / edge length, for the vertices `index` [n] and all beside them.

    Vertices outside `index` are held still, so their columns are left out; their rows keep the rim smooth.

    Returns:
        columns [m, k] local vertex ids and values [m, k], padded with zeros.
    """
    edges = edges_of(polygons)
    inside = np.zeros(len(vertices), bool)
    inside[index] = True
    row_of = inside.copy()
    touched = edges[inside[edges].any(1)]
    row_of[touched.ravel()] = True
    edges = edges[row_of[edges].any(1)]
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    weight = np.tile(1 / np.maximum(length.astype(float), _SHORTEST_EDGE), 2)
    row, column = np.concatenate([edges, edges[:, ::-1]]).T
    total = np.bincount(row, weight, len(vertices))
    keep = row_of[row] & inside[column]
    row, column = row[keep], column[keep]
    rows = np.flatnonzero(row_of)
    own = rows[inside[rows]]
    row, column = np.r_[row, own], np.r_[column, own]
    value = np.r_[-weight[keep] / total[row[: keep.sum()]], np.ones(len(own))]
    return _padded(np.searchsorted(rows, row), _local(index, len(vertices))[column], value, len(rows))


def _local(index: Array, count: int) -> Array:
    local = np.full(count, -1)
    local[index] = np.arange(len(index))
    return local


def _padded(row: Array, column: Array, value: Array, rows: int) -> tuple[Array, Array]:
    order = np.argsort(row, kind="stable")
    row, column, value = row[order], column[order], value[order]
    first = np.searchsorted(row, np.arange(rows))
    place = np.arange(len(row)) - first[row]
    columns = np.zeros((rows, place.max() + 1), np.int64)
    values = np.zeros(columns.shape)
    columns[row, place], values[row, place] = column, value
    return columns, values


def spread_matrix(
    laplacian: tuple[Array, Array], screen: Array, samples: tuple[Array, Array], weight: Array, handles: Array
) -> Array:
    """[n, H] f64 displacement of each vertex per unit displacement of each handle.

    Args:
        laplacian: from `laplacian_rows`; screen: [n] > 0, how strongly a vertex is held.
        samples: ids [s, 3] and shares [s, 3], the points that follow handles; weight: [s].
        handles: [s, H] what of each handle's displacement a sample shall take.
    """
    n = len(screen)
    system = np.zeros(n * n)
    for (ids, share), strength in ((laplacian, np.ones(len(laplacian[0]))), (samples, weight)):
        products = share[:, :, None] * share[:, None, :] * strength[:, None, None]
        cells = ids[:, :, None] * n + ids[:, None, :]
        system += np.bincount(cells.ravel(), products.ravel(), n * n)
    system = system.reshape(n, n)
    system[np.diag_indices(n)] += screen
    right = np.zeros((n, handles.shape[1]))
    for corner in range(samples[0].shape[1]):
        np.add.at(right, samples[0][:, corner], (weight * samples[1][:, corner])[:, None] * handles)
    solved: Array = np.linalg.solve(system, right)
    return solved

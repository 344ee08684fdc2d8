"""Values known at some vertices of a mesh, carried smoothly over the rest of it."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.linalg import splu

from blender_addon.protocol.tensorfile import Array

_TO_MEAN = 3e-3  # pull towards the mean: far from what is known, over some 20 edges, it wins (our choice)
_SHORTEST = 2e-4  # metres; edges shorter than this bind no more strongly


def edges_of(polygons: Array) -> Array:
    """Vertex pairs [E, 2] of all sides of `polygons` [P, 4] (-1 last for a triangle), each once."""
    ring = np.where(polygons < 0, polygons[:, :1], polygons)
    pairs = np.stack([ring, np.roll(ring, -1, 1)], -1).reshape(-1, 2)
    pairs = np.unique(np.sort(pairs, 1), axis=0)
    sides: Array = pairs[pairs[:, 0] != pairs[:, 1]]
    return sides


class MeshSpread:
    """Spreads values over one mesh."""

    def __init__(self, vertices: Array, polygons: Array) -> None:
        """`vertices` [V, 3] metres; `polygons` [P, 4]."""
        edges = edges_of(polygons)
        length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
        weight = np.median(length) / np.maximum(length, _SHORTEST)
        count = len(vertices)
        both = np.concatenate([edges, edges[:, ::-1]])
        self._near: csr_matrix = coo_matrix(
            (np.concatenate([weight, weight]), (both[:, 0], both[:, 1])), shape=(count, count)
        ).tocsr()
        self._degree = np.asarray(self._near.sum(1)).ravel()

    def __call__(self, values: Array, trust: Array, mean: Array) -> Array:
        """Smooth [V, C]: near `values` [V, C] where `trust` [V] is large, near `mean` [C] far from all."""
        system = diags(self._degree + trust + _TO_MEAN) - self._near
        known = values * trust[:, None] + mean * _TO_MEAN
        result: Array = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A").solve(known)
        return result

    def smoothed(self, values: Array, rounds: int) -> Array:
        """`values` [V] averaged with their neighbours' `rounds` times."""
        share = 1.0 / np.maximum(self._degree, 1e-9)
        for _ in range(rounds):
            values = 0.5 * values + 0.5 * (self._near @ values) * share
        return values

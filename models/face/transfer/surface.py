"""Triangle surfaces: normals, neighbours, islands, closest points. Lengths in the unit of the points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse
from scipy.sparse import csgraph
from scipy.spatial import KDTree

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_TINY = 1e-20
_CANDIDATES = 24  # samples of triangles near a point that are tried exactly
# Barycentric places at which each triangle is sampled for the search.
_SAMPLES = np.array([[1, 1, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4], [3, 3, 0.5], [0.5, 3, 3], [3, 0.5, 3]])


def triangulate(polygons: npt.NDArray[np.integer[Any]]) -> Ints:
    """Polygons [P, 4], -1 last for a triangle -> triangles [T, 3]."""
    whole = polygons[:, 3] >= 0
    triangles: Ints = np.concatenate([polygons[:, :3], polygons[whole][:, [0, 2, 3]]]).astype(np.int64)
    return triangles


@dataclass(frozen=True)
class Surface:
    """Vertices [V, 3] and triangles [T, 3], counter-clockwise seen from outside."""

    vertices: Floats
    triangles: Ints

    @cached_property
    def edges(self) -> Ints:
        """[E, 2] each edge once, lower id first."""
        pairs = np.concatenate([self.triangles[:, [i, (i + 1) % 3]] for i in range(3)])
        edges: Ints = np.unique(np.sort(pairs, 1), axis=0)
        return edges

    @cached_property
    def edge_lengths(self) -> Floats:
        """[E]"""
        a, b = self.edges.T
        lengths: Floats = np.linalg.norm(self.vertices[a] - self.vertices[b], axis=1)
        return lengths

    @cached_property
    def face_normals(self) -> Floats:
        """[T, 3] unit normals."""
        return _unit(self._crosses)

    @cached_property
    def areas(self) -> Floats:
        """[T]"""
        areas: Floats = 0.5 * np.linalg.norm(self._crosses, axis=1)
        return areas

    @cached_property
    def _crosses(self) -> Floats:
        a, b, c = np.moveaxis(self.vertices[self.triangles], 1, 0)
        crosses: Floats = np.cross(b - a, c - a)
        return crosses

    @cached_property
    def vertex_normals(self) -> Floats:
        """[V, 3] unit normals, weighted by area."""
        total = np.zeros_like(self.vertices)
        for corner in self.triangles.T:
            np.add.at(total, corner, self._crosses)
        return _unit(total)

    @cached_property
    def boundary_edges(self) -> Ints:
        """[n, 2] edges with a triangle on one side only."""
        pairs = np.sort(np.concatenate([self.triangles[:, [i, (i + 1) % 3]] for i in range(3)]), 1)
        edges, count = np.unique(pairs, axis=0, return_counts=True)
        border: Ints = edges[count == 1]
        return border

    def graph(self, weights: Floats) -> sparse.csr_matrix:
        """Symmetric [V, V] with `weights` [E] on the edges."""
        a, b = self.edges.T
        n = len(self.vertices)
        ends = (np.concatenate([a, b]), np.concatenate([b, a]))
        return sparse.csr_matrix((np.tile(weights, 2), ends), shape=(n, n))

    def islands(self, without: Ints | None = None) -> Ints:
        """[V] number of each vertex's connected part; edges at the vertices `without` do not connect."""
        cut = np.zeros(len(self.vertices), bool)
        cut[[] if without is None else without] = True
        _, label = csgraph.connected_components(self.graph(1.0 - cut[self.edges].any(1)))
        return np.asarray(label, np.int64)

    @cached_property
    def loose(self) -> Bools:
        """[V] vertices without a triangle."""
        loose = np.ones(len(self.vertices), bool)
        loose[self.triangles] = False
        return loose

    @cached_property
    def bending(self) -> sparse.csc_matrix:
        """L^T L of the graph Laplacian with weights 1 / edge length: [V, V]."""
        shortest = 0.05 * float(np.median(self.edge_lengths))
        near = self.graph(1 / np.maximum(self.edge_lengths, shortest))
        total = np.maximum(np.asarray(near.sum(1)).ravel(), _TINY)
        laplacian = sparse.identity(len(self.vertices)) - sparse.diags(1 / total) @ near
        return (laplacian.T @ laplacian).tocsc()


@dataclass(frozen=True)
class Hits:
    """Places on a surface: triangle [n] (-1 where none is allowed), bary [n, 3], distance [n]."""

    triangle: Ints
    bary: Floats
    distance: Floats

    def take(self, surface: Surface, values: Floats) -> Floats:
        """`values` [V, ...] of the surface's vertices at these places: [n, ...]."""
        corners = values[surface.triangles[self.triangle]]
        taken: Floats = np.einsum("nc,nc...->n...", self.bary, corners)
        return taken


class ClosestPoints:
    """Closest points on one surface that look the same way and carry a compatible label."""

    def __init__(self, surface: Surface, labels: Ints | None = None) -> None:
        """`labels` [V, k]: see `compatible`."""
        self.surface = surface
        self._corners = surface.vertices[surface.triangles]
        weights = _SAMPLES / _SAMPLES.sum(1, keepdims=True)
        samples = np.einsum("sc,tcx->tsx", weights, self._corners)
        self._tree = KDTree(samples.reshape(-1, 3))
        each = np.zeros((len(surface.vertices), 1), np.int64) if labels is None else labels
        corner = each[surface.triangles]  # [T, 3, k]
        self._labels = np.where(np.abs(corner.min(1)) > np.abs(corner.max(1)), corner.min(1), corner.max(1))

    def __call__(self, points: Floats, normals: Floats, least_dot: float, labels: Ints | None = None) -> Hits:
        """Closest places to `points` [n, 3] with normals within acos(`least_dot`) of `normals` [n, 3]."""
        count = min(_CANDIDATES, self._tree.n)
        _, found = self._tree.query(points, count)
        triangle = np.atleast_2d(found) // len(_SAMPLES)  # [n, k]
        bary, near = closest_on_triangles(points[:, None], self._corners[triangle])
        distance = np.linalg.norm(near - points[:, None], axis=-1)
        allowed = np.einsum("nkx,nx->nk", self.surface.face_normals[triangle], normals) >= least_dot
        if labels is not None:
            allowed &= compatible(self._labels[triangle], labels[:, None])
        cost = np.where(allowed, distance, np.inf)
        best = cost.argmin(1)
        row = np.arange(len(points))
        usable = np.isfinite(cost[row, best])
        return Hits(np.where(usable, triangle[row, best], -1), bary[row, best], distance[row, best])


def compatible(a: Ints, b: Ints) -> Bools:
    """[...] whether labels [..., k] agree: each is 1 or -1 for two sides that never match, 0 for either."""
    return np.asarray((a * b >= 0).all(-1))


def closest_on_triangles(points: Floats, corners: Floats) -> tuple[Floats, Floats]:
    """Closest places to `points` [..., 3] on triangles [..., 3, 3]: barycentric and points, both [..., 3]."""
    a, b, c = (corners[..., i, :] for i in range(3))
    inside = _plane_bary(points - a, b - a, c - a)
    outside = (inside < 0).any(-1)
    best = np.maximum(inside, 0)
    least = np.where(outside, np.inf, -1.0)
    for i, (p, q) in enumerate(((a, b), (b, c), (c, a))):
        along = q - p
        t = np.clip(_dot(points - p, along) / np.maximum(_dot(along, along), _TINY), 0, 1)
        gap = points - p - t[..., None] * along
        distance = _dot(gap, gap)
        better = distance < least
        least = np.where(better, distance, least)
        edge = np.zeros_like(best)
        edge[..., i], edge[..., (i + 1) % 3] = 1 - t, t
        best = np.where(better[..., None], edge, best)
    best /= best.sum(-1, keepdims=True)
    near: Floats = np.einsum("...c,...cx->...x", best, corners)
    return best, near


def _plane_bary(p: Floats, u: Floats, v: Floats) -> Floats:
    uu, uv, vv, pu, pv = _dot(u, u), _dot(u, v), _dot(v, v), _dot(p, u), _dot(p, v)
    area = uu * vv - uv * uv
    scale = 1 / np.maximum(area, _TINY)
    s, t = (vv * pu - uv * pv) * scale, (uu * pv - uv * pu) * scale
    bary = np.stack([1 - s - t, s, t], -1)
    bary[area <= _TINY] = -1.0
    result: Floats = bary
    return result


def _dot(a: Floats, b: Floats) -> Floats:
    product: Floats = np.einsum("...x,...x->...", a, b)
    return product


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _TINY)
    return unit

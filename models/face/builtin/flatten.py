"""Flattening patches of the mesh: convex combination maps onto a convex outline.

Every inner vertex is a weighted mean of its neighbours with positive weights and the outline is convex, so no
polygon folds over another (W. T. Tutte, *How to draw a graph*, 1963; mean value weights after M. Floater,
2003). Weights are then changed so that each place gets its share of the area (in the manner of S. Yoshizawa,
A. Belyaev and H.-P. Seidel, 2004), which keeps them positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from scipy.sparse.csgraph import connected_components

from .mesh import Bools, Floats, Ints

_ROUNDS = 8
_STEP = 0.35  # share of a place's lack of area that one round corrects
_HOLE = 0.35  # area wanted per area of a hole
_WIDEST = np.radians(150.0)  # a corner's angle counts as no more than this


@dataclass(frozen=True)
class Patch:
    """A piece of the mesh with its own vertex numbers.

    Attributes:
        ids: [n] the mesh's vertex of each own vertex; vertices on a cut are there twice.
        polygons: [m, 4] own ids; a triangle repeats one.
    """

    ids: Ints
    polygons: Ints

    @staticmethod
    def of(polygons: Ints) -> Patch:
        """The patch of some of the mesh's polygons [m, 4]."""
        ids, own = np.unique(polygons, return_inverse=True)
        return Patch(ids, own.reshape(polygons.shape).astype(np.int64))

    def cut(self, seam: Bools, right: Bools) -> Patch:
        """Separate the polygons flagged `right` [m] from the others along vertices flagged `seam` [n]."""
        twin = np.arange(len(self.ids))
        rows = np.flatnonzero(seam)
        twin[rows] = len(self.ids) + np.arange(len(rows))
        polygons = np.where(right[:, None], twin[self.polygons], self.polygons)
        return Patch(np.concatenate([self.ids, self.ids[rows]]), polygons)


def sides(polygons: Ints) -> tuple[Ints, Ints]:
    """Directed edges [e, 2] of polygons [m, 4], and the polygon of each."""
    ends = np.roll(polygons, -1, 1)
    rows = np.repeat(np.arange(len(polygons)), 4)
    edges = np.stack([polygons, ends], -1).reshape(-1, 2)
    kept = edges[:, 0] != edges[:, 1]
    return edges[kept], rows[kept]


def outline(polygons: Ints) -> list[Ints]:
    """Closed loops of boundary vertices, longest first, in the direction of the polygons."""
    edges, _ = sides(polygons)
    there = {(int(a), int(b)) for a, b in edges}
    following = {a: b for a, b in there if (b, a) not in there}
    loops = []
    while following:
        start, at = next(iter(following.items()))
        loop = [start]
        del following[start]
        while at != start:
            loop.append(at)
            at = following.pop(at)
        loops.append(np.array(loop))
    return sorted(loops, key=len, reverse=True)


def pieces_of(polygons: Ints) -> Ints:
    """[m] number of the connected piece, over shared edges, that each polygon belongs to."""
    edges, rows = sides(polygons)
    key = np.sort(edges, 1)
    order = np.lexsort(key.T)
    same = (key[order][1:] == key[order][:-1]).all(1)
    a, b = rows[order][1:][same], rows[order][:-1][same]
    graph = sparse.coo_matrix((np.ones(len(a)), (a, b)), shape=(len(polygons), len(polygons)))
    label: Ints = connected_components(graph, directed=False)[1]
    return label


def is_disc(polygons: Ints) -> bool:
    """True for a connected piece with one outline and no handle."""
    edges, _ = sides(polygons)
    unique = len(np.unique(np.sort(edges, 1), axis=0))
    return len(np.unique(polygons)) - unique + len(polygons) == 1 and len(edges) < 2 * unique


def discs(vertices: Floats, polygons: Ints) -> list[Ints]:
    """Rows of polygons [m, 4] grouped into discs, as few as halving along one of their main axes gives."""
    label = pieces_of(polygons)
    found: list[Ints] = []
    for number in range(label.max() + 1):
        rows = np.flatnonzero(label == number)
        found += [rows] if is_disc(polygons[rows]) else _halved(vertices, polygons, rows)
    return found


def _halved(vertices: Floats, polygons: Ints, rows: Ints) -> list[Ints]:
    centre = vertices[polygons[rows]].mean(1)
    centre = centre - centre.mean(0)
    along = centre @ np.linalg.svd(centre, full_matrices=False)[2].T
    order = np.argsort(along, axis=0, kind="stable").T
    ways = [(rows[near], rows[far]) for near, far in (np.split(o, [len(rows) // 2]) for o in order)]
    count = [sum(pieces_of(polygons[half]).max() for half in halves) for halves in ways]
    whole = [all(_only_discs(polygons[half]) for half in halves) for halves in ways]
    best = min(range(3), key=lambda axis: (not whole[axis], count[axis], -axis))
    return [half[disc] for half in ways[best] for disc in discs(vertices, polygons[half])]


def _only_discs(polygons: Ints) -> bool:
    label = pieces_of(polygons)
    return all(is_disc(polygons[label == number]) for number in range(label.max() + 1))


def flatten(points: Floats, polygons: Ints, fixed: Ints, place: Floats, density: Floats) -> Floats:
    """Coordinates [n, 2] of a patch. Its holes are closed meanwhile, so that they keep their size.

    Args:
        points: [n, 3]; polygons: [m, 4] own ids.
        fixed: the outline's ids, at `place` [len(fixed), 2] on a convex curve.
        density: [m] area wanted per area of the surface.
    """
    count = len(points)
    points, polygons, density = _closed(points, polygons, density, fixed)
    edges, weight = _mean_value_weights(points, polygons)
    free = np.ones(len(points), bool)
    free[fixed] = False
    flat = np.zeros((len(points), 2))
    flat[fixed] = place
    wanted = np.maximum(areas(points, polygons), 1e-9) * density
    wanted /= wanted.sum()
    for _ in range(_ROUNDS):
        matrix = sparse.coo_matrix((weight, edges.T), shape=(len(points),) * 2).tocsr()
        laplacian = sparse.diags(np.asarray(matrix.sum(1)).ravel()) - matrix
        inner = laplacian[free][:, free].tocsc()
        flat[free] = sparse_linalg.spsolve(inner, -(laplacian[free][:, ~free] @ flat[~free]))
        weight = weight / _lack(flat, polygons, wanted)[edges[:, 1]]
    return flat[:count]


def _closed(points: Floats, polygons: Ints, density: Floats, fixed: Ints) -> tuple[Floats, Ints, Floats]:
    """The patch with a fan of triangles in each hole."""
    outer = set(fixed.tolist())
    for loop in outline(polygons):
        if int(loop[0]) in outer:
            continue
        middle = len(points)
        ahead = np.roll(loop, -1)
        fan = np.stack([ahead, loop, np.full(len(loop), middle), np.full(len(loop), middle)], 1)
        points = np.concatenate([points, points[loop].mean(0, keepdims=True)])
        polygons = np.concatenate([polygons, fan])
        density = np.concatenate([density, np.full(len(fan), _HOLE)])
    return points, polygons, density


def areas(points: Floats, polygons: Ints) -> Floats:
    """[m] area of polygons in the plane or in space."""
    corner = np.pad(points, ((0, 0), (0, 3 - points.shape[1])))[polygons]
    size: Floats = 0.5 * np.linalg.norm(
        np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1]), axis=1
    )
    return size


def _lack(flat: Floats, polygons: Ints, wanted: Floats) -> Floats:
    """[n] above 1 where polygons round a vertex have less area than wanted, to the power of the step."""
    size = areas(flat, polygons)
    size = np.maximum(size / size.sum(), 1e-12)
    want, have = np.zeros(len(flat)), np.zeros(len(flat))
    for corner in range(4):
        np.add.at(want, polygons[:, corner], wanted)
        np.add.at(have, polygons[:, corner], size)
    lack: Floats = np.clip(want / np.maximum(have, 1e-12), 0.05, 20.0) ** _STEP
    return lack


def _mean_value_weights(points: Floats, polygons: Ints) -> tuple[Ints, Floats]:
    """Directed edges [e, 2] and their positive weights: half the angles beside an edge over its length."""
    edges, rows = sides(polygons)
    before = {(row, int(b)): int(a) for row, (a, b) in zip(rows, edges, strict=True)}
    previous = np.array([before[row, int(a)] for row, (a, _) in zip(rows, edges, strict=True)])
    at, ahead, behind = points[edges[:, 0]], points[edges[:, 1]], points[previous]
    u, v = ahead - at, behind - at
    u_long, v_long = np.linalg.norm(u, axis=1), np.linalg.norm(v, axis=1)
    cosine = (u * v).sum(1) / np.maximum(u_long * v_long, 1e-12)
    half = np.tan(np.minimum(np.arccos(np.clip(cosine, -1, 1)), _WIDEST) / 2) + 1e-3
    pairs = np.concatenate([edges, np.stack([edges[:, 0], previous], 1)])
    return pairs, np.concatenate([half / np.maximum(u_long, 1e-4), half / np.maximum(v_long, 1e-4)])

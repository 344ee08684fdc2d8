"""The target's own lid margins and lip lines: paths along its edges that follow ours, through landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from scipy.sparse import csgraph
from scipy.spatial import KDTree

from .surface import Floats, Ints, Surface

# Ring -> the landmarks that it passes, in the order of the face file's rings.
RING_LANDMARKS: Mapping[str, tuple[str, str, str]] = {
    "lip_upper": ("mouth_corner.R", "lip_upper_middle", "mouth_corner.L"),
    "lip_lower": ("mouth_corner.R", "lip_lower_middle", "mouth_corner.L"),
    **{
        f"lid_{lid}.{side}": (f"eye_inner.{side}", f"lid_{lid}_middle.{side}", f"eye_outer.{side}")
        for lid in ("upper", "lower")
        for side in "LR"
    },
}
_WIDTHS = (0.02, 0.015)  # of a ring's chord: how far a path may stray before it counts as twice as long
_CREASE = 0.6  # factor on an edge that is an edge to the eye too
_NO_BORDER = -4.0  # makes a border 2.6 times as long
_CLOSED = 0.04  # chords between the middles of lips that touch
_OPEN_MOUTH, _OPEN_EYE = 0.3, 1.25


def ring_names(opening: str) -> tuple[str, str]:
    """The two rings of an opening: "lip", "lid.L" or "lid.R"."""
    side = opening[3:]
    return f"{opening[:3]}_upper{side}", f"{opening[:3]}_lower{side}"


def find_opening(
    surface: Surface, stops: tuple[tuple[int, int, int], tuple[int, int, int]], guides: tuple[Floats, Floats]
) -> tuple[Ints, Ints]:
    """Upper and lower path through three vertices each, which follow `guides` [n, 3].

    Where the two touch at rest, as closed lips do, each then follows the other.
    """
    at = surface.vertices
    (corner, top, other), (_, bottom, _) = stops
    if np.linalg.norm(at[top] - at[bottom]) > _CLOSED * np.linalg.norm(at[corner] - at[other]):
        upper, lower = (find_path(surface, s, g, _WIDTHS[0]) for s, g in zip(stops, guides, strict=True))
        return upper, lower
    guide = 0.5 * (guides[0] + guides[1])
    upper, lower = (find_path(surface, each, guide, _WIDTHS[0]) for each in stops)
    for width in _WIDTHS[1:]:
        upper = find_path(surface, stops[0], at[lower], width)
        lower = find_path(surface, stops[1], at[upper], width)
    return upper, lower


def find_path(surface: Surface, stops: tuple[int, int, int], guide: Floats, width: float) -> Ints:
    """The path along edges through `stops` that strays little, `width` chords, from `guide` [n, 3]."""
    chord = float(np.linalg.norm(guide[0] - guide[-1]))
    dense = np.concatenate([np.linspace(a, b, 8) for a, b in pairwise(guide)])
    middle = surface.vertices[surface.edges].mean(1)
    stray = KDTree(dense).query(middle)[0] / (width * chord)
    cost = surface.edge_lengths * (1 + stray**2) * _crease_factor(surface, stops)
    graph = surface.graph(np.maximum(cost, 1e-12))
    path = [stops[0]]
    for start, end in pairwise(stops):
        _, before = csgraph.dijkstra(graph, indices=start, return_predecessors=True)
        piece = [end]
        while piece[-1] != start and before[piece[-1]] >= 0:
            piece.append(int(before[piece[-1]]))
        path += piece[-2::-1]
    return np.array(path, np.int64)


def _crease_factor(surface: Surface, stops: tuple[int, int, int]) -> Floats:
    """[E] 1 on smooth skin, `_CREASE` where the surface turns by a right angle or more.

    A path between places on the surface's border follows it; any other keeps away from it.
    """
    n = len(surface.vertices)
    sides = surface.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    key = np.sort(sides, 1) @ [n, 1]
    order = np.argsort(key, kind="stable")
    owner = np.repeat(np.arange(len(surface.triangles)), 3)[order]
    edge = np.searchsorted(surface.edges @ [n, 1], key[order])
    borders = surface.boundary_edges
    turn = np.full(len(surface.edges), 1.0 if np.isin(stops, borders).all() else _NO_BORDER)
    pair = np.flatnonzero(edge[1:] == edge[:-1])
    cosine = (surface.face_normals[owner[pair]] * surface.face_normals[owner[pair + 1]]).sum(1)
    turn[edge[pair]] = np.clip(1 - cosine, 0, 1)
    factor: Floats = 1 - (1 - _CREASE) * turn
    return factor


def is_open(surface: Surface, marks: Mapping[str, int], opening: str) -> bool:
    """Whether the mouth ("lip") or an eye ("lid.L", "lid.R") is a hole, not painted on closed skin."""
    ring = ring_names(opening)
    one, top, other = (marks[name] for name in RING_LANDMARKS[ring[0]])
    bottom = marks[RING_LANDMARKS[ring[1]][1]]
    at = surface.vertices
    width, straight = np.linalg.norm(at[one] - at[other]), np.linalg.norm(at[top] - at[bottom])
    way = csgraph.dijkstra(surface.graph(np.maximum(surface.edge_lengths, 1e-12)), indices=top)[bottom]
    least = straight * _OPEN_EYE + (_OPEN_MOUTH * width if opening == "lip" else 0.0)
    return bool(top != bottom and way > least)


def by_length(points: Floats, middle: int) -> Floats:
    """[n] place along a polyline [n, 3]: 0 at its start, 1 at `middle`, 2 at its end, by length between."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    half = max(length[middle], 1e-12)
    rest = max(length[-1] - length[middle], 1e-12)
    place: Floats = np.where(length <= half, length / half, 1 + (length - half) / rest)
    return place


def along(place: Floats, values: Floats, wanted: Floats) -> Floats:
    """`values` [n, ...] at ascending `place` [n], interpolated at `wanted` [m]: [m, ...]."""
    flat = values.reshape(len(values), -1)
    taken = np.stack([np.interp(wanted, place, column) for column in flat.T], -1)
    result: Floats = taken.reshape(len(wanted), *values.shape[1:])
    return result


def pair_up(points_a: Floats, points_b: Floats) -> tuple[Ints, Ints]:
    """Which vertices of two polylines with common ends face each other: ascending indices of equal count.

    Each vertex of the shorter line gets one of the longer line, as near as ascending order allows.
    """
    if len(points_a) > len(points_b):
        b, a = pair_up(points_b, points_a)
        return a, b
    n, m = len(points_a), len(points_b)
    cost = np.linalg.norm(points_a[:, None] - points_b[None], axis=-1)
    total = np.full((n, m), np.inf)
    total[0, 0] = 0.0
    choice = np.zeros((n, m), np.int64)
    for i in range(1, n):
        best = np.minimum.accumulate(total[i - 1])
        first = np.where(total[i - 1] == best, np.arange(m), 0)
        choice[i, 1:] = np.maximum.accumulate(first)[:-1]
        total[i, 1:] = best[:-1] + cost[i, 1:]
    picked = [m - 1]
    for i in range(n - 1, 0, -1):
        picked.append(int(choice[i, picked[-1]]))
    return np.arange(n), np.array(picked[::-1])

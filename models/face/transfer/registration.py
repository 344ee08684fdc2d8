"""Our skin laid onto the target's: a warp through landmarks, then closest points, ever less stiff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from scipy.interpolate import RBFInterpolator
from scipy.sparse import csgraph

from .placement import Similarity, fit_similarity, fit_upright
from .rings import RING_LANDMARKS, along, by_length, find_opening, is_open, ring_names
from .surface import Bools, ClosestPoints, Floats, Ints, Surface

# Stiffness against closest points, from the first pass to the last, and the farthest match in head sizes.
# Chosen on the two test heads: softer folds the ears' surroundings, stiffer leaves the nose beside its place.
_PASSES: tuple[tuple[float, float], ...] = (
    (30.0, 0.35),
    (10.0, 0.25),
    (3.0, 0.2),
    (1.0, 0.12),
    (0.3, 0.08),
    (0.1, 0.06),
    (0.05, 0.05),
)
_RINGS_FROM = 3  # the pass from which the target's own rings are known
_LANDMARK, _RING = 30.0, 30.0
_LEAST_DOT = 0.5
_LIP_REACH = 0.5  # mouth widths round the line in which upper and lower skin are told apart
HEAD_SIZE = 0.2  # metres, of our head


@dataclass(frozen=True)
class Model:
    """Our head as registration needs it.

    Attributes:
        surface: skin only, metres.
        landmarks: name -> id in the skin.
        rings: name -> ids in the skin.
        weight: [n] how much a vertex is drawn to the target: 0 inside mouth and lids, little on ears.
        lips: [n] flags of the lips, which are drawn only when the target's lines are known.
        labels: [n, 2] see `side_labels`.
        frame: ids of far points (crown, back, neck) that the first warp keeps in place.
    """

    surface: Surface
    landmarks: Mapping[str, int]
    rings: Mapping[str, Ints]
    weight: Floats
    lips: Bools
    labels: Ints
    frame: Ints


@dataclass(frozen=True)
class Target:
    """The target's skin, with its landmarks (ids) and, once found, its rings (ids) and labels."""

    surface: Surface
    landmarks: Mapping[str, int]
    rings: Mapping[str, Ints]
    labels: Ints


def coarse_warp(model: Model, target: Target) -> RBFInterpolator:
    """A thin-plate spline [n, 3] -> [n, 3] through all given landmarks; far points follow the similarity."""
    names = list(target.landmarks)
    source = model.surface.vertices[[model.landmarks[name] for name in names]]
    goal = target.surface.vertices[[target.landmarks[name] for name in names]]
    fit = fit_similarity(source, goal)
    far = model.surface.vertices[model.frame]
    points, first = np.unique(np.concatenate([source, far]), axis=0, return_index=True)
    goals = np.concatenate([goal, fit(far)])[first]
    return RBFInterpolator(points, goals, kernel="linear", degree=1, smoothing=1e-9)


def landmark_similarity(model: Model, target: Target) -> Similarity:
    """Scale and shift from our head to the target, by their common landmarks."""
    names = list(target.landmarks)
    source = model.surface.vertices[[model.landmarks[name] for name in names]]
    return fit_upright(source, target.surface.vertices[[target.landmarks[name] for name in names]])


def refine(model: Model, target: Target, start: Floats, base: Floats, passes: slice, size: float) -> Floats:
    """Draw our skin onto the target's: [n, 3].

    |L (x - base)|^2 * stiffness + weight * |x - closest|^2 + landmarks + rings -> min, ever less stiff.

    Args:
        start: [n, 3] our skin so far; base: [n, 3] the form that stiffness keeps.
        passes: which of the passes to do; size: the target's size against our head's.
    """
    bending = Surface(base, model.surface.triangles).bending
    closest = ClosestPoints(target.surface, target.labels)
    borders = np.zeros(len(target.surface.vertices), bool)
    borders[target.surface.boundary_edges.ravel()] = True
    fixed_weight, fixed_goal = _fixed(model, target)
    placed = start
    for stiffness, reach in _PASSES[passes]:
        here = Surface(placed, model.surface.triangles)
        hits = closest(placed, here.vertex_normals, _LEAST_DOT, model.labels)
        usable = (hits.triangle >= 0) & (hits.distance < reach * size * HEAD_SIZE)
        corners = target.surface.triangles[hits.triangle]
        on_border = (borders[corners] & (hits.bary > 1e-9)).sum(1) == (hits.bary > 1e-9).sum(1)
        weight = model.weight * usable * ~on_border * (~model.lips | ("lip_upper" in target.rings))
        goal = hits.take(target.surface, target.surface.vertices)
        fixed = fixed_weight > 0
        weight[fixed], goal[fixed] = fixed_weight[fixed], fixed_goal[fixed]
        system = stiffness * bending + sparse.diags(weight + 1e-7)
        factor = sparse_linalg.splu(
            system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}
        )
        pull = weight[:, None] * (goal - base)
        placed = base + factor.solve(pull)
    return placed


def _fixed(model: Model, target: Target) -> tuple[Floats, Floats]:
    """Weight [n] and goal [n, 3] of the vertices that landmarks and rings place."""
    weight, goal = np.zeros(len(model.surface.vertices)), np.zeros((len(model.surface.vertices), 3))
    for name, ids in target.rings.items():
        ours = model.rings[name]
        there = ring_places(target.surface, ids, target.landmarks[RING_LANDMARKS[name][1]])
        here = ring_places(model.surface, ours, model.landmarks[RING_LANDMARKS[name][1]])
        goal[ours] = along(there, target.surface.vertices[ids], here)
        weight[ours] = _RING
    for name, vertex in target.landmarks.items():
        weight[model.landmarks[name]] = _LANDMARK
        goal[model.landmarks[name]] = target.surface.vertices[vertex]
    return weight, goal


def ring_places(surface: Surface, ring: Ints, middle: int) -> Floats:
    """[n] place of a ring's vertices: 0 at its first, 1 at the vertex `middle`, 2 at its last."""
    return by_length(surface.vertices[ring], int(np.flatnonzero(ring == middle)[0]))


def register(
    model: Model, target: Target, hints: Mapping[str, Floats] | None = None
) -> tuple[Floats, Target]:
    """Lay our skin onto the target's.

    Args:
        target: without rings.
        hints: ring -> points [n, 3] that it is known to pass near, from its first end to its last.

    Returns:
        Our skin's vertices [n, 3] on the target, and the target with its rings and labels.
    """
    size = landmark_similarity(model, target).scale
    base = coarse_warp(model, target)(model.surface.vertices)
    near = refine(model, target, base, base, slice(0, _RINGS_FROM), size)
    guides = {name: near[ids] for name, ids in model.rings.items()}
    for name, points in (hints or {}).items():
        guides[name] = _through(guides[name], points)
    rings = find_rings(target, guides)
    found = Target(
        target.surface, target.landmarks, rings, side_labels(target.surface, rings, target.landmarks)
    )
    return refine(model, found, near, base, slice(_RINGS_FROM, None), size), found


def _through(guide: Floats, points: Floats) -> Floats:
    """`guide` [n, 3] moved so that it passes through `points` [m, 3]; between them it keeps its form.

    Both run from corner to corner; places along them are those along the line between the points' ends.
    """
    chord = points[-1] - points[0]
    chord = chord / (chord @ chord)
    way = np.maximum.accumulate((guide - guide[0]) @ chord)
    way = way / max(way[-1], 1e-12)
    known = np.maximum.accumulate((points - points[0]) @ chord)
    return guide + along(known, points - along(way, guide, known), way)


def find_rings(target: Target, guides: Mapping[str, Floats]) -> dict[str, Ints]:
    """The target's rings where it has openings; `guides` are ours on it, name -> [n, 3]."""
    rings: dict[str, Ints] = {}
    for opening in ("lip", "lid.L", "lid.R"):
        if not is_open(target.surface, target.landmarks, opening):
            continue
        names = ring_names(opening)
        stops = (_stops(target, names[0]), _stops(target, names[1]))
        paths = find_opening(target.surface, stops, (guides[names[0]], guides[names[1]]))
        rings |= zip(names, paths, strict=True)
    return rings


def _stops(target: Target, ring: str) -> tuple[int, int, int]:
    one, middle, other = RING_LANDMARKS[ring]
    return target.landmarks[one], target.landmarks[middle], target.landmarks[other]


def side_labels(surface: Surface, rings: Mapping[str, Ints], landmarks: Mapping[str, int]) -> Ints:
    """[V, 2] which side of the mouth's line and of all rings a vertex is on: see `compatible`.

    The first is 1 near the upper lip, -1 near the lower, so that closed lips do not mix; the second is 1 on
    the face, -1 inside the mouth and behind the lids.
    """
    labels = np.zeros((len(surface.vertices), 2), np.int64)
    if rings:
        cut = np.concatenate(list(rings.values()))
        part = surface.islands(without=cut)
        labels[:, 1] = np.where(part == part[landmarks["nose_tip"]], 1, -1)
        labels[cut, 1] = 0
    if "lip_upper" in rings:
        graph = surface.graph(np.maximum(surface.edge_lengths, 1e-12))
        corners = surface.vertices[rings["lip_upper"][[0, -1]]]
        reach = _LIP_REACH * np.linalg.norm(np.diff(corners, axis=0))
        upper, lower = (
            csgraph.dijkstra(graph, indices=rings[name][1:-1], min_only=True, limit=reach)
            for name in ("lip_upper", "lip_lower")
        )
        labels[upper < lower, 0], labels[lower < upper, 0] = 1, -1
    return labels

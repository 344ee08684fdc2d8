"""Corrections on the target's own rings, so that lids shut and lips that touch in our shapes touch in its."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from scipy.spatial import KDTree

from blender_addon.lips.seal import smoothstep
from blender_addon.protocol.arkit import ARKIT_INDEX

from .lids import Eye
from .rings import along, by_length, ring_names
from .surface import Floats, Ints, Surface

_TOUCHING = 2e-4  # metres: a shape of ours that parts the lips less keeps them shut
_MEET = 0.6  # of the way from the lower to the upper lip, as in our own mouthClose
_FIRM, _FREE, _HELD = 1e4, 1e-4, 30.0
_SPREAD = 0.9  # chords of a ring over which its correction fades out
_SEEN = 3e-6  # metres
_LID_REACH = 0.8  # heights of the opening from the margins in which skin gives
_GROWN = (2.2, 3.2)  # growth of edges from which lids stretch evenly, and where they do fully
_CLEAR = 0.02  # of the ball's radius that shut lids keep from it


@dataclass(frozen=True)
class Rings:
    """The target's skin and its rings, name -> ids."""

    surface: Surface
    rings: Mapping[str, Ints]


def touching(upper: Floats, lower: Floats) -> list[int]:
    """Which of our shapes keep the lips shut: moves of our two lines [S, n, 3] -> shape numbers."""
    apart = np.linalg.norm(upper - lower, axis=2).max(1)
    return [int(i) for i in np.flatnonzero(apart < _TOUCHING)]


def seal(rings: Rings, shapes: Floats, sealed: list[int], eyes: Mapping[str, Eye]) -> Floats:
    """Correct `shapes` [52, V, 3] of the target.

    Args:
        sealed: shapes that keep the lips shut, besides mouthClose over jawOpen.
        eyes: side -> the target's eye.
    """
    goals = np.zeros_like(shapes)
    if "lip_upper" in rings.rings:
        _lip_goals(rings, shapes, sealed, goals)
    for side, name in (("L", "eyeBlinkLeft"), ("R", "eyeBlinkRight")):
        if f"lid_upper.{side}" in rings.rings:
            _lid_goals(rings, shapes[ARKIT_INDEX[name]], side, eyes[side], goals[ARKIT_INDEX[name]])
    corrected: Floats = shapes + spread(rings, goals)
    for side, name in (("L", "eyeBlinkLeft"), ("R", "eyeBlinkRight")):
        if side in eyes:
            blink = corrected[ARKIT_INDEX[name]]
            _stretch_evenly(rings, blink, side, eyes[side])
            blink += _off_the_ball(rings.surface, blink, eyes[side])
    return corrected


def _lip_goals(rings: Rings, shapes: Floats, sealed: list[int], goals: Floats) -> None:
    """Both lips take the motion of one line between them, and mouthClose takes up the gap at rest too."""
    upper, lower = (rings.rings[name] for name in ring_names("lip"))
    rest = rings.surface.vertices
    opened, closed = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
    for shape in sorted({*sealed, closed}):
        base = shapes[opened] if shape == closed else np.zeros_like(rest)
        start = rest if shape == closed else np.zeros_like(rest)
        moved = start + base + shapes[shape]
        line = _between(rest, moved, upper, lower, _MEET)
        for ids in (upper, lower):
            goals[shape][ids] = line(rest[ids]) - moved[ids]


def _lid_goals(rings: Rings, blink: Floats, side: str, eye: Eye, goals: Floats) -> None:
    """Both margins come to lie on one line between them: midway by angle, at the mean distance from the ball.

    Their places on it go by length, which holds where a wide eye's margin turns back at its corner.
    """
    upper, lower = (rings.rings[name] for name in ring_names(f"lid.{side}"))
    shut = rings.surface.vertices + blink
    ways = [by_length(shut[ids], len(ids) - 1) for ids in (upper, lower)]
    way = np.unique(np.concatenate(ways))
    arms = [along(each, shut[ids], way) - eye.centre for each, ids in zip(ways, (upper, lower), strict=True)]
    reach = np.mean([np.linalg.norm(arm, axis=1) for arm in arms], axis=0)
    middle = 0.5 * (arms[0] + arms[1])
    line = eye.centre + middle * (reach / np.linalg.norm(middle, axis=1))[:, None]
    for each, ids in zip(ways, (upper, lower), strict=True):
        goals[ids] = along(way, line, each) - shut[ids]


@dataclass(frozen=True)
class MeetingLine:
    """Values [k, C] along the way from one corner to the other, `way` [k] ascending."""

    corner: Floats
    across: Floats
    way: Floats
    values: Floats

    def __call__(self, points: Floats) -> Floats:
        """The values at the same way as `points` [n, 3]: [n, C]."""
        return along(self.way, self.values, (points - self.corner) @ self.across)


def _between(places: Floats, values: Floats, upper: Ints, lower: Ints, share: float) -> MeetingLine:
    """The line `share` of the way from the lower ring's `values` [V, C] to the upper's, at `places`."""
    corner = places[upper[0]]
    across = places[upper[-1]] - corner
    across = across / np.linalg.norm(across)
    ways = [np.maximum.accumulate((places[ids] - corner) @ across) for ids in (upper, lower)]
    way = np.unique(np.concatenate(ways))
    high, low = (along(each, values[ids], way) for each, ids in zip(ways, (upper, lower), strict=True))
    return MeetingLine(corner, across, way, low + share * (high - low))


def spread(rings: Rings, goals: Floats) -> Floats:
    """Displacements [S, V, 3] that are `goals` on all rings and fade out round them."""
    surface = rings.surface
    if not rings.rings:
        return np.zeros_like(goals)
    hold = np.full(len(surface.vertices), _HELD)
    for ids in rings.rings.values():
        at = surface.vertices[ids]
        reach = _SPREAD * float(np.linalg.norm(at[-1] - at[0]))
        share = np.clip(KDTree(at).query(surface.vertices)[0] / reach, 0, 1)
        hold = np.minimum(hold, _FREE ** (1 - share) * _HELD**share)
    pinned = np.unique(np.concatenate(list(rings.rings.values())))
    firm = np.zeros(len(hold))
    firm[pinned] = _FIRM
    system = (surface.bending + sparse.diags(hold + firm)).tocsc()
    factor = sparse_linalg.splu(system, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    result = np.zeros_like(goals)
    for shape in np.flatnonzero(np.abs(goals).max((1, 2)) > 0):
        result[shape] = factor.solve(firm[:, None] * goals[shape])
    result[np.abs(result) < _SEEN] = 0.0
    return result


def _stretch_evenly(rings: Rings, blink: Floats, side: str, eye: Eye) -> None:
    """Where lids have no fold to unroll, let all the skin round them give, not the first row alone.

    Changes `blink` [V, 3] as far as its edges grow beyond what skin that unrolls shows.
    """
    surface = rings.surface
    margin = np.unique(np.concatenate([rings.rings[name] for name in ring_names(f"lid.{side}")]))
    away = KDTree(surface.vertices[margin]).query(surface.vertices)[0]
    zone = away < _LID_REACH * eye.height
    a, b = surface.edges[zone[surface.edges].all(1)].T
    rest, shut = surface.vertices, surface.vertices + blink
    grown = np.linalg.norm(shut[a] - shut[b], axis=1) / np.maximum(
        np.linalg.norm(rest[a] - rest[b], axis=1), 1e-9
    )
    share = float(smoothstep(np.percentile(grown, 98), *_GROWN))
    if share == 0.0:
        return
    free = zone.copy()
    free[margin] = False
    near = surface.graph(1 / np.maximum(surface.edge_lengths, 1e-9))
    laplacian = (sparse.diags(np.asarray(near.sum(1)).ravel()) - near).tocsr()
    even = sparse_linalg.spsolve(laplacian[free][:, free].tocsc(), -laplacian[free][:, ~free] @ blink[~free])
    arm, rested = rest[free] + even - eye.centre, np.linalg.norm(rest[free] - eye.centre, axis=1)
    farthest = np.maximum(rested, (1 + _CLEAR) * eye.radius)
    arm *= np.minimum(1, farthest / np.linalg.norm(arm, axis=1))[:, None]
    blink[free] += share * (eye.centre + arm - rest[free] - blink[free])


def _off_the_ball(surface: Surface, blink: Floats, eye: Eye) -> Floats:
    """[V, 3] what lifts shut lids off the ball."""
    at = surface.vertices
    rest = np.linalg.norm(at - eye.centre, axis=1)
    arm = at + blink - eye.centre
    radius = np.maximum(np.linalg.norm(arm, axis=1), 1e-9)
    lid = (rest >= eye.radius) & (rest < 1.5 * eye.radius) & (np.abs(blink).max(1) > _SEEN)
    lift = np.where(lid, np.maximum((1 + _CLEAR) * eye.radius - radius, 0), 0)
    lifted: Floats = arm * (lift / radius)[:, None]
    return lifted

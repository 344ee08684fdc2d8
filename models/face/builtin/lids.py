"""Lid shapes: rings turn about the eyeball towards, or away from, the line where the lids close."""

from __future__ import annotations

import numpy as np

from .anatomy import EYE_CENTRE, EYE_RADIUS, LID_THICKNESS
from .eye_area import COLUMNS, RING_SHARE
from .mesh import INNER_CANTHUS, LID_MARGIN, OUTER_CANTHUS, Bools, Floats, smoothstep, stack, unit
from .solver import Handle, SkinSolver

_SCREEN = 1e-3
_CLOSING_HEIGHT = 0.16  # of the way from the lower to the upper margin, where they meet
_LOOSE_COLUMNS = 3  # beside the inner corner, where the solver rounds the fold off
_SLACK = 0.05  # a closed lid lies this far off the open lid's depth


def lid_turn(solver: SkinSolver, up: float, low: float) -> Floats:
    """[columns] angle of each lid column; `up` and `low` are shares of the way to the closing line."""
    column = np.arange(COLUMNS)
    margin = solver.skin[solver.mesh.rings["eye"][LID_MARGIN]]
    lower = np.concatenate([36 + np.arange(4), np.arange(17)])
    upper = np.arange(36, 15, -1)
    low_y = np.interp(margin[:, 0], margin[lower, 0], margin[lower, 1])
    up_y = np.interp(margin[:, 0], margin[upper, 0], margin[upper, 1])
    closing = low_y + _CLOSING_HEIGHT * (up_y - low_y)
    arm = margin - EYE_CENTRE
    radius = np.hypot(arm[:, 1], arm[:, 2])
    wanted = np.arcsin(np.clip((closing - EYE_CENTRE[1]) / radius, -1, 1))
    is_upper = (column > OUTER_CANTHUS) & (column < INNER_CANTHUS)
    turn: Floats = (wanted - np.arctan2(arm[:, 1], arm[:, 2])) * np.where(is_upper, up, low)
    turn[[OUTER_CANTHUS, INNER_CANTHUS]] = 0
    return turn


def lid_handles(solver: SkinSolver, up: float, low: float, out: float = 0.0) -> list[Handle]:
    """Handles of all lid rings for a lid position, its middle lifted off the eyeball by `out` cm.

    A shape moves along a chord and the cornea bulges: without the lift the ball would come through half-way.
    """
    column = np.arange(COLUMNS)
    is_upper = (column > OUTER_CANTHUS) & (column < INNER_CANTHUS)
    turn = lid_turn(solver, up, low)
    lift = out * np.abs(np.sin(np.pi * (column - OUTER_CANTHUS) / (INNER_CANTHUS - OUTER_CANTHUS))) ** 0.6
    handles = []
    for ring, ids in enumerate(solver.mesh.rings["eye"][1:], start=1):
        arm = solver.skin[ids] - EYE_CENTRE
        share = np.ones(COLUMNS)
        if ring < LID_MARGIN:
            share = 1 - smoothstep(RING_SHARE[ring] / np.where(is_upper, 0.47, 0.40), 0, 1)
        angle = turn * share
        cosine, sine = np.cos(angle), np.sin(angle)
        turned = stack(
            arm[:, 0], arm[:, 1] * cosine + arm[:, 2] * sine, arm[:, 2] * cosine - arm[:, 1] * sine
        )
        if ring < LID_MARGIN:
            turned = _unfold(turned, np.abs(turn), share * np.where(is_upper, 1, 0.3))
        turned += (lift * share)[:, None] * unit(turned)
        strength = np.where(share > 0.02, 200.0, 0.0)
        if ring < LID_MARGIN:
            strength[np.abs(column - INNER_CANTHUS) <= _LOOSE_COLUMNS] *= 0.01
        handles.append(Handle(ids, turned - arm, strength))
    return handles


def _unfold(arm: Floats, turn: Floats, share: Floats) -> Floats:
    """The skin of the fold, drawn out by a turning lid, comes to lie on the ball."""
    radius = np.linalg.norm(arm, axis=1)
    flat = EYE_RADIUS + LID_THICKNESS + _SLACK
    amount = np.clip(turn / 0.35, 0, 1) * share * (radius < flat + 0.35)
    goal = np.maximum(flat, radius * 0.3 + flat * 0.7)
    result: Floats = arm * (1 + amount * (goal / radius - 1))[:, None]
    return result


def away_from_eyes(solver: SkinSolver) -> Bools:
    """[skin] true where lid shapes hold the skin still."""
    x, y, z = solver.skin.T
    away: Bools = (np.hypot((np.abs(x) - EYE_CENTRE[0]) / 2.6, (y - EYE_CENTRE[1]) / 1.9) > 1) | (z < 4)
    return away


def lid_shape(
    solver: SkinSolver, up: float, low: float, out: float = 0.0, extra: tuple[Handle, ...] = ()
) -> Floats:
    """[V, 3] displacement of both eyes' lids."""
    handles = lid_handles(solver, up, low, out) + list(extra)
    return solver.whole(solver.spread(handles, away_from_eyes(solver), _SCREEN))

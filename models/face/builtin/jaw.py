"""The jaw: how far each vertex follows it, opening about the condyles, and lips that close over it."""

from __future__ import annotations

import numpy as np

from .anatomy import CONDYLE, JAW_DEGREES, JAW_GLIDE
from .dental_arch import in_front
from .mesh import LIP_BORDER, MOUTH_INSIDE, Floats, HeadMesh, Part, smoothstep, stack
from .mesh import LIP_LINE as LINE_RING
from .mouth_area import COLUMNS, TO_MIDDLE, UPPER
from .solver import Handle, SkinSolver

_SCREEN = 1e-6
_CLOSE_SCREEN = 1e-3
_LIPS_SLIDE = (0.40, 0.80)  # how far upper and lower lip go along with a jaw that moves forward or aside
_CLOSED_CLEARANCE = 0.06  # cm of closed lips before the teeth
_MEET = 0.78  # of the way from the lower to the upper lip where closed lips meet under an open jaw
_VERMILION_FOLLOWS = {5: 0.93, 6: 0.96, 7: 0.99}  # less lets the lips balloon


def far_from_mouth(mesh: HeadMesh) -> Floats:
    """[skin] 1 where mouth shapes hold still: above the nose, behind the cheeks, on the lower neck."""
    _, y, z = mesh.vertices[: mesh.skin_count].T
    held: Floats = np.max(
        [smoothstep(y, -2.4, -0.3), smoothstep(-z, -3.0, -0.5), smoothstep(-y, 11.5, 14.0)], axis=0
    )
    return held


def jaw_follow(solver: SkinSolver) -> Floats:
    """[V] share of the jaw's rotation that each vertex takes."""
    mesh = solver.mesh
    _, y, z = solver.skin.T
    held = (y < -15) | (z < -1.5) | (y > 0) | solver.ears
    follow = np.zeros(len(mesh.vertices))
    handles = _lip_handles(solver) + _skin_handles(solver)
    follow[: solver.count] = np.clip(solver.spread(handles, held, _SCREEN)[:, 0], 0, 1.02)
    follow[mesh.part == Part.LOWER_TEETH] = 1
    tongue = mesh.part == Part.TONGUE
    follow[tongue] = smoothstep(mesh.vertices[tongue, 2], 3.5, 7.5) * 0.45 + 0.5
    return follow


def _lip_handles(solver: SkinSolver) -> list[Handle]:
    mouth = solver.mesh.rings["mouth"]
    lower = smoothstep(TO_MIDDLE, 0, 0.55) * 0.62 + 0.38
    upper = 0.38 * (1 - smoothstep(TO_MIDDLE, 0, 0.45))
    share = np.where(UPPER, upper, lower)[:, None]
    handles = [Handle(mouth[ring], share, 20.0) for ring in range(LIP_BORDER, MOUTH_INSIDE + 1)]
    floor = 1 - smoothstep(np.arange(COLUMNS) / 30, 0.38, 0.62)
    for ring in range(MOUTH_INSIDE + 1, len(mouth)):
        fade = np.interp(ring, [13, 18], [1, 0.35])
        handles.append(Handle(mouth[ring], floor[:, None] * fade, 5.0))
    return handles


def _skin_handles(solver: SkinSolver) -> list[Handle]:
    """Chin and the jaw's lower border follow; cheeks over the mouth, sides and neck stay."""
    x, y, z = solver.skin.T
    outer = np.ones(solver.count, bool)
    outer[solver.mesh.rings["mouth"][LIP_BORDER:].ravel()] = False
    outer &= x > -0.01
    chin = np.flatnonzero(outer & (y < -7.9) & (y > -10.9) & (z > 6.3) & (x < 3.2))
    border_height = np.interp(z, [1.0, 4.0, 8.0], [-7.6, -8.9, -10.3])
    body = np.flatnonzero(outer & (np.abs(y - border_height) < 0.55) & (z > 1.2) & (z < 7) & (x > 2.5))
    above = np.interp(x, [0, 2, 3, 4.5, 7], [-5.3, -5.3, -3.4, -2.6, -2.4])
    still = np.flatnonzero(outer & ((y > above) | (z < 0.3) | (y < -14)))
    body_share = np.interp(z[body], [1, 6], [0.72, 1.0])[:, None]
    return [
        Handle(chin, np.ones((1, 1)), 5.0),
        Handle(body, body_share, 0.6),
        Handle(still, np.zeros((1, 1)), 5.0),
    ]


def jaw_open(solver: SkinSolver, follow: Floats) -> Floats:
    """[V, 3] jawOpen: each vertex turns by its share along the arc, which keeps the cheek's length."""
    angle = np.radians(JAW_DEGREES) * follow
    cosine, sine = np.cos(angle), np.sin(angle)
    arm = solver.mesh.vertices - CONDYLE
    turned = stack(arm[:, 0], cosine * arm[:, 1] - sine * arm[:, 2], sine * arm[:, 1] + cosine * arm[:, 2])
    moved: Floats = turned - arm
    moved[:, 2] += JAW_GLIDE * follow
    mouth = solver.mesh.rings["mouth"]
    narrower = stack(-0.22 * (1 - TO_MIDDLE) ** 2, 0 * TO_MIDDLE, 0.05 * (1 - TO_MIDDLE))
    corners = []
    for ring in mouth[LIP_BORDER : MOUTH_INSIDE + 1]:
        at = solver.skin[ring] + moved[ring]
        goal = np.where(UPPER[:, None], in_front(at + narrower, _CLOSED_CLEARANCE), at + narrower)
        corners.append(Handle(ring, goal - at, 5.0))
    moved[: solver.count] += solver.spread(corners, solver.far_from_mouth, 2e-4)
    return moved


def jaw_slide(solver: SkinSolver, follow: Floats, move: tuple[float, float, float]) -> Floats:
    """[V, 3] the closed jaw shifted by `move`; both lips go along in part and stay together."""
    slid: Floats = follow[:, None] * move
    handles = []
    for ring in solver.mesh.rings["mouth"][LIP_BORDER : MOUTH_INSIDE + 1]:
        share = np.where(UPPER, *_LIPS_SLIDE)
        share = share + (np.mean(_LIPS_SLIDE) - share) * (1 - TO_MIDDLE)
        goal = share[:, None] * np.array(move) * (1, 0, 1)
        for ids in (ring, solver.mirror[ring]):
            rest = solver.skin[ids]
            handles.append(Handle(ids, in_front(rest + goal, _CLOSED_CLEARANCE) - rest - slid[ids], 30.0))
    slid[: solver.count] += solver.spread_as_given(handles, solver.far_from_mouth, _CLOSE_SCREEN)
    return slid


def mouth_close(solver: SkinSolver, opened: Floats) -> Floats:
    """[V, 3] mouthClose: added to jawOpen 1, the lip lines meet, with their rest gap kept."""
    mouth = solver.mesh.rings["mouth"]
    at = solver.skin + opened[: solver.count]
    column = np.arange(COLUMNS)
    up, low = np.where(UPPER, column, 30 - column), np.where(UPPER, 30 - column, column)
    handles = []
    for ring in range(LINE_RING, MOUTH_INSIDE):
        ids = mouth[ring]
        meet = _MEET * at[ids[up]] + (1 - _MEET) * at[ids[low]]
        rest_gap = solver.skin[ids] - 0.5 * (solver.skin[ids[up]] + solver.skin[ids[low]])
        goal = in_front(meet + rest_gap, _CLOSED_CLEARANCE)
        handles.append(Handle(ids, goal - at[ids], 500.0 if ring < MOUTH_INSIDE - 1 else 2.0))
    line = handles[0].move
    handles += [Handle(mouth[ring], line * share, 40.0) for ring, share in _VERMILION_FOLLOWS.items()]
    handles.append(solver.near(0, -8.4, (0, 0.45, 0.12), 0.7, 1.0))
    handles.append(solver.near(0, -9.8, (0, 0.12, 0.05), 0.7, 1.0))
    return solver.whole(solver.spread(handles, solver.far_from_mouth, _CLOSE_SCREEN))

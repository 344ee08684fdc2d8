"""The 52 ARKit shapes as displacements [52, V, 3] in centimetres.

Exact targets on lips and lids are spread over the skin by `solver`. Paired shapes are computed once for both
sides and split by a smooth partition of unity. The amounts were chosen by eye on renders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES

from . import lip_profile as lips
from .creases import (
    FOREHEAD,
    FOREHEAD_SIDE,
    GLABELLA,
    MARIONETTE,
    NASOLABIAL,
    NASOLABIAL_CHEEK,
    NOSE_SIDE,
    UNDER_EYE,
    UNDER_LIP,
    Creaser,
)
from .dental_arch import in_front
from .eye_area import COLUMNS as LID_COLUMNS
from .jaw import far_from_mouth, jaw_follow, jaw_open, jaw_slide, mouth_close
from .lids import lid_handles, lid_shape
from .lip_profile import Profile, lip_handles
from .mesh import (
    FLIP,
    LIP_BORDER,
    LOWER_LID,
    MOUTH_INSIDE,
    UPPER_LID,
    Bools,
    Floats,
    HeadMesh,
    Part,
    smoothstep,
    stack,
)
from .mouth_area import COLUMNS, TO_MIDDLE
from .solver import Handle, SkinSolver
from .tongue import put_out

_SCREEN, _BROW_SCREEN, _PUFF_SCREEN = 2e-4, 3e-4, 1e-4
_JAW_ASIDE, _JAW_FORWARD = (0.75, -0.12, 0.0), (0.0, -0.22, 0.55)  # cm; the drop clears the upper teeth
_FUNNEL_JAW, _TONGUE_JAW = 0.22, 0.36  # share of jawOpen within mouthFunnel and tongueOut
_SPLIT_HALF_WIDTH = 0.9  # of the blend between left and right about the midline


@dataclass(frozen=True)
class Expressions:
    """`shapes` [52, V, 3] cm in Apple's order, and `jaw` [V], the share of the jaw's rotation."""

    shapes: Floats
    jaw: Floats


def expressions(mesh: HeadMesh) -> Expressions:
    """Solve all 52 shapes."""
    solver = SkinSolver(mesh, far_from_mouth(mesh))
    follow = jaw_follow(solver)
    single = _jaw_shapes(solver, follow) | _whole_mouth(solver)
    single["mouthFunnel"] += _FUNNEL_JAW * single["jawOpen"]
    single["tongueOut"] = _tongue_out(mesh, single["jawOpen"])
    single["browInnerUp"] = _brow_inner_up(solver)
    single["cheekPuff"] = _cheek_puff(solver)
    paired = _lid_shapes(solver) | _mouth_pairs(solver) | _brow_pairs(solver)
    paired["cheekSquint"] = _cheek_squint(solver)
    paired["noseSneer"] = _nose_sneer(solver)
    left = smoothstep(mesh.vertices[:, 0], -_SPLIT_HALF_WIDTH, _SPLIT_HALF_WIDTH)[:, None]
    for name, move in paired.items():
        single[f"{name}Left"], single[f"{name}Right"] = move * left, move * (1 - left)
    return Expressions(np.stack([single[name] for name in ARKIT_NAMES]), follow)


def _mouth(solver: SkinSolver, profile: Profile, *more: Handle) -> Floats:
    handles = lip_handles(solver, profile) + list(more)
    return solver.whole(solver.spread(handles, solver.far_from_mouth, _SCREEN))


def _jaw_shapes(solver: SkinSolver, follow: Floats) -> dict[str, Floats]:
    opened = jaw_open(solver, follow)
    aside = jaw_slide(solver, follow, _JAW_ASIDE)
    return {
        "jawOpen": opened,
        "mouthClose": mouth_close(solver, opened),
        "jawForward": jaw_slide(solver, follow, _JAW_FORWARD),
        "jawLeft": aside,
        "jawRight": aside[solver.mesh.mirror] * FLIP,
    }


def _lid_shapes(solver: SkinSolver) -> dict[str, Floats]:
    near = solver.near
    return {
        "eyeBlink": lid_shape(solver, 1, 1, 0.11),
        "eyeLookDown": lid_shape(solver, 0.44, -1.5, 0.02),
        "eyeLookUp": lid_shape(solver, -0.18, 0.30, 0.05),
        "eyeLookIn": _lids_aside(solver, -0.05),
        "eyeLookOut": _lids_aside(solver, 0.05),
        "eyeSquint": lid_shape(solver, 0.20, 1.8, 0.02, (near(3.2, -1.5, (0, 0.22, 0.06), 0.6),)),
        "eyeWide": lid_shape(solver, -0.30, -0.45, 0.06),
    }


def _lids_aside(solver: SkinSolver, move: float) -> Floats:
    """Lids follow the turning cornea a little sideways; corners stay."""
    eye = solver.mesh.rings["eye"]
    share = np.zeros(LID_COLUMNS)
    share[UPPER_LID] = np.sin(np.pi * (UPPER_LID - 16) / 20)
    share[LOWER_LID] = np.sin(np.pi * np.arange(1, 20) / 20)
    handles = [Handle(ids, stack(move * share, 0, 0), 50.0) for ids in eye[6:]]
    x, y, z = solver.skin.T
    away = (np.hypot((np.abs(x) - 3.15) / 2.0, y / 1.4) > 1) | (z < 4)
    return solver.whole(solver.spread(handles, away, 1e-3))


def _mouth_pairs(solver: SkinSolver) -> dict[str, Floats]:
    near, crease = solver.near, Creaser(solver)
    below = (near(3.7, -6.8, (0.48, 0.26, -0.02), 0.6, 0.3), near(0, -8.2, (0, 0.06, -0.04), 0.6, 0.4))
    cheek = (near(3.9, -3.9, (0.10, 0.28, 0.24), 1.2, 0.3), near(3.15, -4.9, (0.50, 0.55, 0.06), 0.4, 1))
    wing = near(1.7, -3.4, (0.10, 0.05, 0), 0.4, 1)
    corner = near(2.75, -6.25, (0.60, 0.64, -0.56), 0.28, 4)
    fold = crease(NASOLABIAL, -0.13, 0.23) + crease(NASOLABIAL_CHEEK, 0.11, 0.36)
    sad = (near(2.6, -7.7, (0.05, -0.25, 0.06), 0.5, 0.5), near(2.78, -6.85, (0.08, -0.5, -0.04), 0.2, 6))
    lifted = (near(1.5, -3.7, (0.06, 0.22, 0.02), 0.4), near(3.0, -4.4, (0.10, 0.30, 0.14), 0.5, 0.6))
    return {
        "mouthSmile": _mouth(solver, lips.smile, *cheek, *below, wing, corner) + fold,
        "mouthFrown": _mouth(solver, lips.frown, near(0, -9.3, (0, 0.14, 0.10), 0.8), *sad)
        + crease(MARIONETTE, -0.07, 0.18),
        "mouthDimple": _mouth(solver, lips.dimple, near(3.0, -6.4, (0.12, 0.05, 0.05), 0.4, 0.5))
        + crease(((2.95, -6.0), (2.98, -6.7)), -0.12, 0.16)
        + crease(((3.4, -6.0), (3.45, -6.8)), 0.06, 0.25),
        "mouthStretch": _mouth(
            solver,
            lips.stretch,
            near(3.4, -7.2, (0.4, -0.12, -0.02), 0.6, 0.4),
            near(2.9, -6.8, (0.64, -0.20, -0.46), 0.35, 2),
        ),
        "mouthPress": _mouth(solver, lips.press, near(0, -8.6, (0, 0.10, 0.06), 0.6))
        + crease(UNDER_LIP, -0.03, 0.25),
        "mouthLowerDown": _mouth(solver, lips.lower_down, near(0.8, -8.4, (0, -0.38, 0.04), 0.8)),
        "mouthUpperUp": _mouth(solver, lips.upper_up, *lifted) + 0.5 * crease(NASOLABIAL, -0.12, 0.17),
    }


def _whole_mouth(solver: SkinSolver) -> dict[str, Floats]:
    near = solver.near
    aside = solver.whole(_mouth_aside(solver))
    return {
        "mouthPucker": _mouth(
            solver,
            lips.pucker,
            near(3.6, -6.4, (-0.38, 0, 0.42), 0.6, 0.7),
            near(0, -8.4, (0, 0.10, 0.22), 0.6),
            near(1.5, -4.9, (-0.12, -0.05, 0.2), 0.4),
        ),
        "mouthFunnel": _mouth(
            solver,
            lips.funnel,
            near(3.6, -6.4, (-0.30, 0, 0.30), 0.6, 0.7),
            near(0, -8.6, (0, -0.14, 0.15), 0.6),
        ),
        "mouthRollLower": _mouth(solver, lips.roll(False), near(0, -8.2, (0, 0.24, 0.02), 0.6)),
        "mouthRollUpper": _mouth(solver, lips.roll(True), near(0, -4.9, (0, -0.14, 0), 0.4)),
        "mouthShrugLower": _mouth(
            solver,
            lips.shrug_lower,
            near(0, -9.4, (0, 0.42, 0.06), 0.8),
            near(1.2, -9.2, (0, 0.34, 0.05), 0.7),
        ),
        "mouthShrugUpper": _mouth(solver, lips.shrug_upper, near(1.2, -4.7, (0, 0.12, 0.06), 0.4)),
        "mouthLeft": aside,
        "mouthRight": aside[solver.mesh.mirror] * FLIP,
    }


def _mouth_aside(solver: SkinSolver) -> Floats:
    """[skin, 3] lips shifted to the left: the left corner back and up, the right one forward and down."""
    handles = []
    corner = 1 - TO_MIDDLE
    for ring in solver.mesh.rings["mouth"][LIP_BORDER : MOUTH_INSIDE + 1]:
        for ids, side in ((ring, 1), (solver.mirror[ring], -1)):
            move = stack(np.full(COLUMNS, 0.62), 0.05 * side * corner, -0.22 * corner * side)
            rest = solver.skin[ids]
            handles.append(Handle(ids, in_front(rest + move, 0.06) - rest, 30.0))
    return solver.spread_as_given(handles, solver.far_from_mouth, _SCREEN)


def _brow_held(solver: SkinSolver) -> Bools:
    """Brow shapes leave the lids, the lower face and the scalp still."""
    _, y, z = solver.skin.T
    lids = solver.mesh.marked(solver.mesh.rings["eye"][6:])[: solver.count]
    held: Bools = (y < -1.2) | (y > 7.5) | (z < 3) | solver.ears | lids
    return held


def _brow(solver: SkinSolver, *handles: Handle) -> Floats:
    return solver.whole(solver.spread(list(handles), _brow_held(solver), _BROW_SCREEN))


def _brow_pairs(solver: SkinSolver) -> dict[str, Floats]:
    near, crease = solver.near, Creaser(solver)
    return {
        "browDown": _brow(
            solver,
            near(1.3, 1.8, (-0.18, -0.50, 0.12), 0.5),
            near(2.6, 2.15, (-0.08, -0.48, 0.10), 0.5),
            near(4.0, 2.25, (0, -0.36, 0.05), 0.5),
            near(5.0, 1.9, (0, -0.20, 0), 0.5),
            near(0, 1.2, (0, -0.22, 0.06), 0.4),
            near(3.1, 1.25, (0, -0.28, 0.05), 0.4, 1),
        )
        + crease(GLABELLA, -0.06, 0.16),
        "browOuterUp": _brow(
            solver,
            near(1.2, 1.8, (0, 0.04, 0), 0.3, 1.0),
            near(2.6, 2.15, (0, 0.30, 0), 0.3, 1.0),
            near(3.6, 2.3, (0, 0.58, 0), 0.3, 1.0),
            near(4.4, 2.2, (0, 0.68, 0), 0.3, 1.0),
            near(5.2, 1.8, (0, 0.55, 0), 0.3, 1.0),
            near(4, 4.0, (0, 0.28, 0.04), 0.8, 1.0),
            near(3.6, 1.25, (0, 0.26, 0), 0.4, 1.0),
        )
        + crease(FOREHEAD_SIDE, -0.03, 0.25),
    }


def _brow_inner_up(solver: SkinSolver) -> Floats:
    near = solver.near
    raised = _brow(
        solver,
        near(1.2, 1.8, (0.04, 0.78, 0.02), 0.5),
        near(2.4, 2.15, (0, 0.50, 0.02), 0.5),
        near(3.9, 2.25, (0, 0.08, 0), 0.5),
        near(0, 1.9, (0, 0.50, 0), 0.5),
        near(5.0, 1.9, (0, -0.04, 0), 0.5),
        near(0, 4.2, (0, 0.3, 0.06), 1),
    )
    furrow = Creaser(solver)
    return raised + furrow(FOREHEAD[0], -0.035, 0.22) + furrow(FOREHEAD[1], -0.03, 0.22)


def _cheek_puff(solver: SkinSolver) -> Floats:
    near = solver.near
    handles = [
        near(4.5, -6.0, (0.80, 0, 0.70), 1.5, 0.1),
        near(1.5, -4.9, (0.05, 0, 0.34), 0.5, 0.4),
        near(1.3, -8.1, (0.05, 0, 0.30), 0.5, 0.4),
        *lip_handles(solver, lips.puff),
    ]
    return solver.whole(solver.spread(handles, solver.far_from_mouth, _PUFF_SCREEN))


def _cheek_squint(solver: SkinSolver) -> Floats:
    near = solver.near
    _, y, z = solver.skin.T
    held = np.where((y > 0.9) | (z < 3), 1.0, smoothstep(-y, 3.4, 4.8))
    handles = [
        *lid_handles(solver, 0.06, 0.9),
        near(3.6, -1.9, (0, 0.26, 0.14), 0.8),
        near(4.6, -2.4, (0.05, 0.26, 0.16), 0.8),
        near(3.2, -3.0, (0, 0.25, 0.1), 0.6),
    ]
    return solver.whole(solver.spread(handles, held, _BROW_SCREEN)) + Creaser(solver)(UNDER_EYE, 0.04, 0.2)


def _nose_sneer(solver: SkinSolver) -> Floats:
    near, crease = solver.near, Creaser(solver)
    x, y, z = solver.skin.T
    nose = (y < 2) & (np.abs(x) < 1.5) & (z > 5)
    handles = [
        near(1.6, -3.4, (0.09, 0.58, 0.03), 0.35, 6),
        near(1.4, -2.4, (0.02, 0.42, 0.10), 0.4),
        near(0.9, -0.9, (-0.05, 0.16, 0.06), 0.4),
        near(2.7, -3.8, (0.08, 0.62, 0.30), 0.5, 1),
        near(0.6, 1.0, (-0.03, -0.10, 0.05), 0.4),
        *lip_handles(solver, lips.sneer, 6.0),
    ]
    held = np.where(nose, 0, np.maximum(solver.far_from_mouth, smoothstep(-y, 5.0, 6.4)))
    wrinkle = crease(NOSE_SIDE, -0.10, 0.15) + crease(NASOLABIAL[:3], -0.19, 0.20)
    return solver.whole(solver.spread(handles, held, _BROW_SCREEN)) + wrinkle


def _tongue_out(mesh: HeadMesh, opened: Floats) -> Floats:
    """The tongue slides forward, flat between the incisors, and out over the lower lip, its tip down.

    Closed teeth leave it no way, so the jaw drops a little within the shape.
    """
    moved = _TONGUE_JAW * opened
    tongue = mesh.part == Part.TONGUE
    moved[tongue] += put_out() - mesh.vertices[tongue]
    return moved

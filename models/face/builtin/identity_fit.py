"""Makes identity fields respect what must stay together: round eyeballs under their lids, lips that meet,
teeth behind the lips. Each correction is linear, so it holds for every mixture of fields."""

from __future__ import annotations

import numpy as np

from .anatomy import EYE_CENTRE
from .mesh import LIP_LINE, MOUTH_INSIDE, Bools, Floats, HeadMesh, Part, smoothstep

# Fields that carry the eyes along; all others leave the eyeballs and the lid margins where they are.
MOVES_EYES = frozenset(("size", "headLength", "faceWidth", "eyeSpacing", "eyeHeight", "eyeDepth"))
SHAPES_LIDS = frozenset(("eyeSize", "eyeTilt", "eyeOpening"))
_LID_REACH = (1.75, 0.95)  # half axes of the region round an eye that moves with the ball
_LID_FADE = (1.0, 1.75)  # in those half axes
_CHIN_FOLD, _UPPER_LIP_ROOT = -8.2, -4.9
_ANCHOR_HEIGHTS = (-7.9, -6.5, -5.0)  # where the mouth's inside follows chin fold, lip line, upper lip's root
_PIECES = (Part.UPPER_TEETH, Part.LOWER_TEETH, Part.TONGUE)


def fit(mesh: HeadMesh, name: str, field: Floats) -> Floats:
    """`field` [V, 3] of the parameter `name`, corrected."""
    fitted = field.copy()
    if name != "eyeSize":
        _fit_eyes(mesh, name, fitted)
    _fit_lips(mesh, fitted)
    _fit_teeth(mesh, fitted)
    return fitted


def _fit_eyes(mesh: HeadMesh, name: str, field: Floats) -> None:
    """Eyeballs move without changing shape; skin next to them moves with them."""
    x, y, z = mesh.vertices.T
    cx, cy, _ = EYE_CENTRE
    reach = np.hypot((np.abs(x) - cx) / _LID_REACH[0], (y - cy) / _LID_REACH[1])
    near = (1 - smoothstep(reach, *_LID_FADE)) * smoothstep(z, 4.5, 6.0)
    for part, side in ((Part.EYE_LEFT, x > 0), (Part.EYE_RIGHT, x < 0)):
        ball = mesh.part == part
        shift = field[ball].mean(0) if name in MOVES_EYES else np.zeros(3)
        field[ball] = shift
        if name not in SHAPES_LIDS:
            skin = (mesh.part == Part.SKIN) & side
            field[skin] += near[skin, None] * (shift - field[skin])


def _fit_lips(mesh: HeadMesh, field: Floats) -> None:
    """From the lip line inwards, what lies opposite on the other lip moves alike: closed lips stay closed."""
    for ring in mesh.rings["mouth"][LIP_LINE : MOUTH_INSIDE + 1]:
        for ids in (ring, mesh.mirror[ring]):
            field[ids] = (field[ids] + field[ids[::-1]]) / 2


def _fit_teeth(mesh: HeadMesh, field: Floats) -> None:
    """Teeth, tongue and the mouth's inside go with lips, chin and upper lip root; the arch widens as one."""
    corner = mesh.rings["mouth"][LIP_LINE][15]
    wider = field[corner, 0] / mesh.vertices[corner, 0]
    inside: Bools = np.isin(mesh.part, _PIECES) | mesh.marked(mesh.rings["mouth"][MOUTH_INSIDE + 1 :])
    line = mesh.rings["mouth"][LIP_LINE]
    lips = field[line[np.r_[0:10, 21:31]]].mean(0)
    anchors = np.stack(
        [_front_move(mesh, field, _CHIN_FOLD), lips, _front_move(mesh, field, _UPPER_LIP_ROOT)]
    )
    field[inside, 0] = wider * mesh.vertices[inside, 0]
    for axis in (1, 2):
        field[inside, axis] = np.interp(mesh.vertices[inside, 1], _ANCHOR_HEIGHTS, anchors[:, axis])


def _front_move(mesh: HeadMesh, field: Floats, height: float) -> Floats:
    """Mean move [3] of the skin's front about the midline at a height."""
    x, y, z = mesh.vertices.T
    hidden = mesh.marked(mesh.rings["mouth"][LIP_LINE:])
    front = (mesh.part == Part.SKIN) & ~hidden & (np.abs(x) < 1.3) & (np.abs(y - height) < 0.35) & (z > 8)
    move: Floats = field[front].mean(0)
    return move

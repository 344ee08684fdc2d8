"""A head mesh without shapes and a few landmarks -> a face file with all 52 shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.face import FaceFile

from .assemble import Fitted, assemble_face, carry_lip_basis
from .carry import Correspondence, correspond
from .gradients import Pins, transfer_shapes
from .lids import EYE_SHAPES, Eye, eye_of, lid_pins
from .model import Source, source_head
from .obj import TargetMesh
from .parts import Ball, Part, classify, find_eyeballs
from .placement import NEEDED, Marks, Placement, check_names, find_placement, landmark_ids
from .registration import Target, landmark_similarity, register
from .seal import Rings, seal, touching
from .surface import Floats, Ints, Surface, triangulate

_SMALLEST = 200  # vertices that a skin must have


@dataclass(frozen=True)
class Transfer:
    """A transferred head.

    Attributes:
        face: with vertices in the mesh's order.
        placement: the mesh's own coordinates -> the face file's.
        notes: what will not work on it and why, one line each.
        fit_mm: median distance of our skin from the target's, millimetres.
    """

    face: FaceFile
    placement: Placement
    notes: tuple[str, ...]
    fit_mm: float


@dataclass(frozen=True)
class _Skin:
    """The target's skin within the mesh: ids [n] of its vertices, and the rest as islands."""

    ids: Ints
    islands: list[Ints]
    target: Target


def transfer_face(
    source: FaceFile, mesh: TargetMesh, marks: Marks, face_id: str, unit: float | None = None
) -> Transfer:
    """Give `mesh` the shapes of `source`. Deterministic. Raises `InputError`.

    Args:
        source: the built-in head, or another with the same regions, rings and landmarks.
        marks: landmark name -> vertex id or coordinates; `NEEDED` at least.
        face_id: the new face's stable name.
        unit: metres per unit of the mesh; None to find a power of ten.
    """
    check_names(marks, source.landmarks)
    ids, placement = _place(source, mesh, marks, unit)
    fitted, placed = fit_head(source, mesh, placement(mesh.vertices), ids)
    shapes = _skin_shapes(fitted.head, fitted.match, placed, fitted.balls)
    face, lips = _with_lips(source, assemble_face(fitted, face_id, shapes, ids))
    notes = _notes(fitted.match.target, fitted.balls, fitted.parts)
    return Transfer(face, placement, (*notes, *lips), fitted.fit_mm)


def fit_head(
    source: FaceFile,
    mesh: TargetMesh,
    vertices: Floats,
    ids: Mapping[str, int],
    hints: Mapping[str, Ints] | None = None,
) -> tuple[Fitted, Floats]:
    """Lay our skin onto `mesh`, and tell its other islands. Raises `InputError`.

    Args:
        source: as for `transfer_face`.
        vertices: [V, 3] the mesh's, metres, in our axes; ids: landmark name -> vertex, `NEEDED` at least.
        hints: ring -> vertices in order that it is known to pass near.

    Returns:
        The fitted mesh, and our skin's vertices [n, 3] on it.
    """
    head = source_head(source)
    surface = Surface(vertices, triangulate(mesh.polygons))
    skin = _find_skin(head, surface, ids)
    points = {name: vertices[ring] for name, ring in (hints or {}).items()}
    placed, target = register(head.model, skin.target, points)
    fit = landmark_similarity(head.model, target)
    match = correspond(head.model, target, placed, fit.scale)
    balls = find_eyeballs(surface.vertices, skin.islands, _guess_eyes(head, target, placed))
    width = float(np.linalg.norm(np.subtract(*(_mark(target, f"mouth_corner.{side}") for side in "LR"))))
    parts = classify(surface.vertices, skin.islands, source, fit, balls, width)
    return Fitted(head, mesh, surface.vertices, skin.ids, match, fit, parts, balls), placed


def _place(
    source: FaceFile, mesh: TargetMesh, marks: Marks, unit: float | None
) -> tuple[dict[str, int], Placement]:
    """Landmark ids, and how the mesh's units and axes lie to ours."""
    ids = landmark_ids(marks, Surface(mesh.vertices, triangulate(mesh.polygons)))
    ours = source.vertices[[source.landmarks[name] for name in NEEDED]].astype(np.float64)
    theirs = mesh.vertices[[ids[name] for name in NEEDED]]
    return ids, find_placement(ours, theirs, unit)


def _with_lips(source: FaceFile, face: FaceFile) -> tuple[FaceFile, list[str]]:
    """`face` with lip fields where its mouth has lips to move, and a note where these cannot be charted."""
    if "lip_upper" not in face.rings or len(source.lip_basis) == 0:
        return face, []
    try:
        return carry_lip_basis(source, face), []
    except FileFormatError as error:
        return face, [f"no lip detail: {error.what}"]


def _mark(target: Target, name: str) -> Floats:
    place: Floats = target.surface.vertices[target.landmarks[name]]
    return place


def _find_skin(head: Source, surface: Surface, ids: Mapping[str, int]) -> _Skin:
    """The island on which the landmarks are, and the others."""
    label = surface.islands()
    part = label[ids["nose_tip"]]
    elsewhere = [name for name in ids if name in NEEDED and label[ids[name]] != part]
    if elsewhere:
        raise InputError(
            f"{', '.join(elsewhere)} and nose_tip are on separate pieces of the mesh",
            "Put all landmarks on the skin, and merge vertices by distance where the skin is in pieces",
        )
    skin = np.flatnonzero(label == part)
    if len(skin) < _SMALLEST:
        raise InputError(
            f"the skin has {len(skin)} vertices", f"It needs {_SMALLEST} or more to hold the shapes"
        )
    to_skin = np.full(len(label), -1)
    to_skin[skin] = np.arange(len(skin))
    triangles = to_skin[surface.triangles[(label[surface.triangles] == part).all(1)]]
    usable = {
        name: int(to_skin[i]) for name, i in ids.items() if label[i] == part and name in head.model.landmarks
    }
    label[surface.loose] = -1  # one island of them all
    order = np.argsort(label, kind="stable")
    pieces = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    islands = [np.asarray(piece, np.int64) for piece in pieces if label[piece[0]] != part]
    flat = Surface(surface.vertices[skin], triangles)
    return _Skin(skin, islands, Target(flat, usable, {}, np.zeros((len(skin), 2), np.int64)))


def _guess_eyes(head: Source, target: Target, placed: Floats) -> dict[str, tuple[Floats, float]]:
    guesses = {}
    for side in _open_eyes(target):
        eye = _their_eye(head, placed, side, None)
        guesses[side] = (eye.centre, eye.width)
    return guesses


def _open_eyes(target: Target) -> list[str]:
    return [side for side in "LR" if f"lid_upper.{side}" in target.rings]


def _our_eye(head: Source, side: str) -> Eye:
    centre = next((np.array(bone.head) for bone in head.face.bones if bone.name == f"eye.{side}"), None)
    if centre is None:
        raise InputError(f"{head.face.id} has no bone eye.{side}", "Transfer from the built-in head")
    upper, lower = (
        head.model.surface.vertices[head.model.rings[f"lid_{lid}.{side}"]] for lid in ("upper", "lower")
    )
    return eye_of(upper, lower, centre)


def _their_eye(head: Source, placed: Floats, side: str, ball: Ball | None) -> Eye:
    upper, lower = (placed[head.model.rings[f"lid_{lid}.{side}"]] for lid in ("upper", "lower"))
    return eye_of(upper, lower, None if ball is None else ball.centre, like=_our_eye(head, side))


def _skin_shapes(head: Source, match: Correspondence, placed: Floats, balls: Mapping[str, Ball]) -> Floats:
    """[52, n, 3] displacements of the target's skin."""
    model, target = head.model, match.target
    theirs = {side: _their_eye(head, placed, side, balls.get(side)) for side in _open_eyes(target)}
    eyes = {side: (_our_eye(head, side), eye) for side, eye in theirs.items()}
    moves = np.empty((len(ARKIT_NAMES), *placed.shape))
    face = [i for i in range(len(ARKIT_NAMES)) if i not in EYE_SHAPES]
    ours, laid = model.surface, Surface(placed, model.surface.triangles)
    none = Pins(np.zeros(0, np.int64), np.zeros((len(face), 0, 3)))
    moves[face] = transfer_shapes(ours, head.shapes[face], laid, none)
    eye = list(EYE_SHAPES)
    pins = lid_pins(model, head.shapes[eye], placed, eyes)
    moves[eye] = transfer_shapes(ours, head.shapes[eye], laid, pins)
    upper, lower = (head.shapes[:, model.rings[name]] for name in ("lip_upper", "lip_lower"))
    return seal(
        Rings(target.surface, target.rings), match.carry_shapes(moves), touching(upper, lower), theirs
    )


def _notes(target: Target, balls: Mapping[str, Ball], parts: list[Part]) -> list[str]:
    notes: list[str] = []
    if "lip_upper" not in target.rings:
        notes.append("the mouth has no opening: the lips will not part. Cut the mesh along the lip line")
    closed = [side for side in "LR" if side not in _open_eyes(target)]
    if closed:
        notes.append(f"eye {' and '.join(closed)} has no opening between the lids: it will not blink")
    without = [side for side in "LR" if side not in balls]
    if without:
        notes.append(f"no eyeball was found for {' and '.join(without)}: gaze will not show")
    found = {part.region for part in parts}
    lacking = [name for name in ("upper_teeth", "lower_teeth", "tongue") if name not in found]
    if lacking:
        notes.append(f"no separate {', '.join(name.replace('_', ' ') for name in lacking)} found")
    return notes

"""A FaceVerse model file as a face file: its mesh, shapes, people and colours, our names for its parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.errors import FileFormatError, InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.lip_range import with_lip_basis
from models.face.transfer.assemble import assemble_face
from models.face.transfer.head import fit_head
from models.face.transfer.obj import TargetMesh
from models.face.transfer.surface import Floats, Ints, Surface
from models.srgb import srgb_to_linear

from .coefficients import KIND
from .content import Content, read_content
from .frame import Frame, find_frame
from .laid import laid_points
from .landmarks import foremost, named_points, ring_points
from .lip_line import on_the_line
from .names import arkit_columns, unknown_names
from .parts import by_bones, with_eyeballs, with_teeth
from .unwrap import corner_uv

LICENCE = (
    "LicenseRef-FaceVerse"  # for research only, says the authors' page; the user has the file from there
)
IDENTITY_LIMIT = 3.0  # our choice: the authors' fits hold coefficients near 0 by their squares alone
_WAY_OUT = "give the names of its columns with --names, or shapes of ours with face transfer"
_STILL = 1e-5  # metres; a shape that moves nothing farther is empty
_WRONG_SIDE = 0.5  # of the sided shapes: more that move the other side are a mistake in the names


@dataclass(frozen=True)
class Imported:
    """A face file from a FaceVerse file, and what a user should know of it, one line each."""

    face: FaceFile
    notes: tuple[str, ...]


def import_faceverse(
    path: Path,
    source: FaceFile,
    face_id: str,
    names: Sequence[str] | None = None,
    simplified: bool = False,
) -> Imported:
    """Read the model file at `path`. Deterministic. Raises `InputError`.

    Args:
        source: the built-in head, which is laid onto the mesh to find its parts, lips and lids.
        names: of the expression columns in order, for a file that does not name them.
        simplified: take the smaller mesh that v2 has besides its full one.
    """
    where = str(path)
    content = read_content(path, simplified)
    marks = named_points(content, where)
    frame = find_frame(content.mean, marks, _between_eyes(source), where)
    vertices = frame(content.mean)
    marks = foremost(vertices, marks)
    triangles, turned = _outwards(vertices, content.triangles, marks)
    columns, told = _columns(content, names, where)
    shapes = _shapes(content, frame, columns)
    _check_sides(vertices, shapes, columns)
    hints = ring_points(content)
    if "jawOpen" in columns:
        jaw = shapes[ARKIT_INDEX["jawOpen"]].astype(np.float64)
        marks, hints = on_the_line(Surface(vertices, triangles), jaw, marks, hints)
    fitted, placed = fit_head(source, _mesh(content, vertices, triangles), vertices, marks, hints)
    still = np.zeros((len(ARKIT_NAMES), len(fitted.skin), 3))
    face = replace(
        assemble_face(fitted, face_id, still, marks),
        licence=LICENCE,
        shapes=shapes,
        identity_names=tuple(f"id{number:03}" for number in range(1, len(content.identity) + 1)),
        identity=frame.moved(content.identity).astype(np.float32),
        identity_limits=np.tile([-IDENTITY_LIMIT, IDENTITY_LIMIT], (len(content.identity), 1)).astype(
            np.float32
        ),
        identity_correlation=np.eye(len(content.identity), dtype=np.float32),
        color=_linear(content.colors),
        source=_source(path, content, frame, columns) | {"winding_turned": turned},
    )
    points = content.mediapipe if len(content.mediapipe) else laid_points(fitted, placed)
    face = replace(
        face,
        rings={**face.rings, "mediapipe": points.astype(np.int32)},
        masks={**face.masks, **content.masks},
    )
    return _finished(face, content.ends, told)


def _finished(face: FaceFile, ends: tuple[int, ...], told: list[str]) -> Imported:
    """Eyeballs, bones and lip fields of a face that has the file's mesh and shapes."""
    face, eyes = with_eyeballs(face, ends)
    face = by_bones(with_teeth(face))
    lips: list[str] = []
    if face.shapes.any() and "lip_upper" in face.rings:
        try:
            face = with_lip_basis(face)
        except FileFormatError as error:
            lips = [f"no lip contact: {error.what}"]
    return Imported(face, (*told, *eyes, *lips, *_lacking(face)))


def _lacking(face: FaceFile) -> list[str]:
    """What the head does not have."""
    notes = []
    if "lip_upper" not in face.rings:
        notes.append("the mouth has no opening between the lips: no lip contact")
    closed = [side for side in "LR" if f"lid_upper.{side}" not in face.rings]
    if closed:
        notes.append(f"eye {' and '.join(closed)} has no opening between the lids")
    missing = [
        name
        for name in ("upper_teeth", "lower_teeth", "tongue")
        if not (face.region == face.region_names.index(name)).any()
    ]
    if missing:
        notes.append(f"it has no separate {', '.join(name.replace('_', ' ') for name in missing)}")
    if "neck" not in [bone.name for bone in face.bones]:
        notes.append("it has no neck: the head turns as a whole")
    return notes


def _between_eyes(source: FaceFile) -> Floats:
    """[3] the middle of the eyes' corners of our own head, where an imported one's comes to lie."""
    ids = [source.landmarks[f"eye_{end}.{side}"] for end in ("inner", "outer") for side in "LR"]
    middle: Floats = source.vertices[ids].mean(0).astype(np.float64)
    return middle


def _outwards(vertices: Floats, triangles: Ints, marks: Mapping[str, int]) -> tuple[Ints, bool]:
    """Triangles counter-clockwise from outside, and whether they were the other way round: by the nose."""
    normals = Surface(vertices, triangles).vertex_normals
    near = np.linalg.norm(vertices - vertices[marks["nose_tip"]], axis=1)
    facing = -normals[np.argsort(near)[:20], 1].sum()
    return (triangles, False) if facing > 0 else (triangles[:, [0, 2, 1]], True)


def _mesh(content: Content, vertices: Floats, triangles: Ints) -> TargetMesh:
    polygons = np.column_stack([triangles, np.full(len(triangles), -1)])
    return TargetMesh(vertices, polygons, corner_uv(content.uv, vertices, triangles))


def _columns(
    content: Content, names: Sequence[str] | None, where: str
) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """ARKit name -> expression columns, and what to say of it."""
    if content.names and names is not None:
        raise InputError(f"{where} names its expressions itself", "Leave the list of names out")
    given = content.names if names is None else tuple(names)
    if len(given) > len(content.expressions):
        raise InputError(f"{len(given)} names for {len(content.expressions)} expressions of {where}")
    found = arkit_columns(given, where)
    if not found:
        why = "has names that are none of ARKit's" if given else "does not name its expressions"
        return {}, [f"the file {why}: a face for identity only, which does not talk ({_WAY_OUT})"]
    notes = []
    if lacking := [name for name in ARKIT_NAMES if name not in found]:
        notes.append(f"no expression for {', '.join(lacking)}")
    if unknown := unknown_names(given, found):
        notes.append(f"expressions that are none of ARKit's are left out: {', '.join(unknown)}")
    return found, notes


def _shapes(content: Content, frame: Frame, columns: Mapping[str, tuple[int, ...]]) -> Array:
    shapes = np.zeros((len(ARKIT_NAMES), len(content.mean), 3), np.float32)
    for number, name in enumerate(ARKIT_NAMES):
        if name in columns:
            shapes[number] = frame.moved(content.expressions[list(columns[name])].sum(0))
    return shapes


def _check_sides(vertices: Floats, shapes: Array, columns: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `InputError` when most shapes called left move the subject's right."""
    wrong = total = 0
    for name in columns:
        side = 1 if name.endswith("Left") else -1 if name.endswith("Right") else 0
        move = np.linalg.norm(shapes[ARKIT_NAMES.index(name)], axis=1)
        if side and name.startswith(("eye", "brow", "mouthSmile", "cheekSquint")) and move.max() > _STILL:
            total += 1
            wrong += bool(side * float((vertices[:, 0] * move).sum()) < 0)
    if wrong > _WRONG_SIDE * max(total, 1):
        raise InputError(
            f"{wrong} of {total} expressions that are named left or right move the other side",
            "The names belong to another model, or the mesh is mirrored",
        )


def _linear(colors: Array) -> Array:
    """sRGB 0-255 -> linear 0-1."""
    value = np.clip(colors / 255.0, 0, 1)
    return srgb_to_linear(value).astype(np.float32)


def _source(
    path: Path, content: Content, frame: Frame, columns: Mapping[str, tuple[int, ...]]
) -> dict[str, Any]:
    """What converts coefficients and poses back: see `coefficients.Convention`, and docs/faceverse.md."""
    version = content.version
    flip = np.diag(version.flip)
    wide = {
        name: tuple(content.wide[n] for n in numbers)
        for name, numbers in columns.items()
        if content.wide and all(content.wide[n] >= 0 for n in numbers)
    }
    return {
        "kind": KIND,
        "version": version.number,
        "file": path.name,
        "sha256": _digest(path),
        "sizes": {
            "vertices": len(content.mean),
            "triangles": len(content.triangles),
            "id": len(content.identity),
            "exp": len(content.expressions),
            "exp_wide": content.wide_size,
            "tex": version.texture,
        },
        "gamma_first": version.gamma_first,
        "eyes": version.eyes,
        "rest_angles": list(version.rest),
        "stored_scale": version.scale,
        "stored_flip": list(version.flip),
        "rotation": (frame.rotation @ flip).tolist(),
        "scale": frame.scale / version.scale,
        "translation": frame.translation.tolist(),
        "tilt_degrees": round(frame.tilt, 2),
        "landmarks": "the file's" if len(content.mediapipe) else "laid on",
        "expressions": {name: list(numbers) for name, numbers in columns.items()},
        "expressions_wide": {name: list(numbers) for name, numbers in wide.items()},
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

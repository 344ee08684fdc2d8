"""The face that a job is for, prepared once per file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from blender_addon.lips.region import LipRegion, prepare_lips
from blender_addon.lips.solve import solve_coefficients, sticky_contact
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.errors import FileFormatError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array, input_error
from models.face import DEFAULT_HEAD, load_head


@dataclass(frozen=True)
class TalkingFace:
    """What motion needs to know of a face: its id, and its lips.

    Attributes:
        id: the face file's.
        lips: None when contact cannot be solved for this face.
        remark: why not, in a line; "" otherwise.
        geometry: the face's `geometry_descriptor`; None counts as that of the built-in head.
    """

    id: str
    lips: LipRegion | None
    remark: str = ""
    geometry: Array | None = None


def talking_face(path: Path | None) -> TalkingFace:
    """The face file at `path`, the built-in head by default.

    Raises:
        InputError, FileFormatError: the file cannot be read.
    """
    return _prepared(*_version(path))


def clip_for_face(clip: MotionClip, path: Path | None) -> MotionClip:
    """`clip` with lip coefficients of the face file at `path`, the built-in head by default.

    They are solved again from weights and contact when the clip was made for another face: coefficients mean
    nothing in another basis.
    """
    face = load_head(path)
    if clip.info.face_id == face.id and clip.lip.shape[1] == len(face.lip_basis):
        return clip
    lips, lip = _with_lips(*_version(path)).lips, np.zeros((clip.frames, 0), np.float32)
    if lips is not None:
        held = sticky_contact(clip.contact[:, 0], clip.info.fps).held
        lip = solve_coefficients(lips, clip.weights, clip.contact, held)
    return replace(clip, lip=lip, info=replace(clip.info, face_id=face.id))


def _version(path: Path | None) -> tuple[Path, int]:
    """The face file and when it was changed: what is prepared is good for these two."""
    path = DEFAULT_HEAD if path is None else path
    try:
        return path.resolve(), path.stat().st_mtime_ns
    except OSError as error:
        raise input_error(path, error) from error


@lru_cache(maxsize=4)
def _prepared(path: Path, changed: int) -> TalkingFace:
    return _with_geometry(load_head(path), _with_lips(path, changed))


def prepared_face(face: FaceFile) -> TalkingFace:
    """What motion needs to know of a face in memory."""
    return _with_geometry(face, _lips_of(face))


def _with_geometry(face: FaceFile, talking: TalkingFace) -> TalkingFace:
    from models.expression.style import geometry_descriptor  # loads torch, which exports can do without

    return replace(talking, geometry=geometry_descriptor(face))


@lru_cache(maxsize=4)
def _with_lips(path: Path, _changed: int) -> TalkingFace:
    """The face without its geometry."""
    return _lips_of(load_head(path))


def _lips_of(face: FaceFile) -> TalkingFace:
    if not len(face.lip_basis):
        return TalkingFace(face.id, None, "the face has no lip basis, so it gets no lip offsets")
    try:
        return TalkingFace(face.id, prepare_lips(face))
    except FileFormatError as error:
        return TalkingFace(face.id, None, f"no lip offsets: {error.what}")

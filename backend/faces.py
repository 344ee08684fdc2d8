"""The face that a job is for, prepared once per file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from blender_addon.lips.region import LipRegion, prepare_lips
from blender_addon.protocol.errors import FileFormatError
from blender_addon.protocol.tensorfile import input_error
from models.face import DEFAULT_HEAD, load_head


@dataclass(frozen=True)
class TalkingFace:
    """What motion needs to know of a face: its id, and its lips.

    Attributes:
        id: the face file's.
        lips: None when contact cannot be solved for this face.
        remark: why not, in a line; "" otherwise.
    """

    id: str
    lips: LipRegion | None
    remark: str = ""


def talking_face(path: Path | None) -> TalkingFace:
    """The face file at `path`, the built-in head by default.

    Raises:
        InputError, FileFormatError: the file cannot be read.
    """
    path = DEFAULT_HEAD if path is None else path
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise input_error(path, error) from error
    return _prepared(path.resolve(), changed)


@lru_cache(maxsize=4)
def _prepared(path: Path, _changed: int) -> TalkingFace:
    face = load_head(path)
    if not len(face.lip_basis):
        return TalkingFace(face.id, None, "the face has no lip basis, so it gets no lip offsets")
    try:
        return TalkingFace(face.id, prepare_lips(face))
    except FileFormatError as error:
        return TalkingFace(face.id, None, f"no lip offsets: {error.what}")

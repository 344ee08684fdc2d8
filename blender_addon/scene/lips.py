"""Lip contact after an artist's edits: the lip keys of a take solved again from its curves."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..lips.region import LipRegion, prepare_lips
from ..lips.solve import solve_coefficients, sticky_contact
from ..protocol.arkit import ARKIT_NAMES
from ..protocol.errors import InputError
from ..protocol.face import read_face
from ..protocol.tensorfile import Array
from .curves import find_curves, rewrite
from .lip_keys import lip_count

_BUILT_IN = Path(__file__).parent.parent / "assets" / "head.safetensors"
_UNCHANGED = 0.01  # coefficients that differ by less are left alone; reduced keys stray by half of it


def face_file(face_path: str) -> Path:
    """The face file that a head's `face_path` names; the built-in head's when it is empty."""
    return Path(bpy.path.abspath(face_path)) if face_path else _BUILT_IN


def refresh_lips(head: Any, take: Any, fps: float) -> int:
    """Solve the lip keys of `take` again where its shapes or contacts were edited; the frames that changed.

    Keys that an artist set on lip curves stay. Raises `VividTalkError` when the head's face file is gone.
    """
    count = lip_count(head)
    curves = find_curves(take.action, count)
    values = _evaluated(head, curves, take)
    shapes = len(ARKIT_NAMES)
    before = values[:, shapes : shapes + count]
    contact = values[:, -2:]
    held = sticky_contact(contact[:, 0], fps).held
    after = solve_coefficients(_region(head), values[:, :shapes], contact, held)
    changed = np.flatnonzero(np.abs(after - before).max(axis=1) > _UNCHANGED)
    if len(changed):
        for curve, column in zip(curves[shapes : shapes + count], after.T, strict=True):
            if curve is not None:
                rewrite(curve, take.start_frame, changed, column)
        take.action.update_tag()
    return len(changed)


def _evaluated(head: Any, curves: list[Any], take: Any) -> Array:
    """[F, C] values of the take's curves on its frames; 0 where a curve was removed."""
    frames = range(take.start_frame, take.start_frame + take.frames)
    values = np.zeros((len(frames), len(curves)), np.float32)
    for column, curve in enumerate(curves):
        if curve is not None and len(curve.keyframe_points):
            values[:, column] = [curve.evaluate(frame) for frame in frames]
    return values


def _region(head: Any) -> LipRegion:
    path = face_file(head.vividtalk.face_path)
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise InputError(
            f"the face file {path} of {head.name!r} cannot be read",
            "Put it back where the head was made from",
        ) from error
    region, face_id = _prepared(path, changed)
    if face_id != head.vividtalk.face_id:
        raise InputError(
            f"{head.name!r} was made from the face {head.vividtalk.face_id}, {path} holds {face_id}",
            "Create the head again from this file",
        )
    return region


@lru_cache(maxsize=2)
def _prepared(path: Path, _changed: int) -> tuple[LipRegion, str]:
    face = read_face(path)
    return prepare_lips(face), face.id

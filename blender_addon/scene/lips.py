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
from .evaluated import evaluated_motion
from .lip_keys import lip_count

_BUILT_IN = Path(__file__).parent.parent / "assets" / "head.safetensors"
_UNCHANGED = 0.2e-3  # metres; closer lip keys are left alone: reduced keys of speech stray by 0.14e-3


def face_file(face_path: str) -> Path:
    """The face file that a head's `face_path` names; the built-in head's when it is empty."""
    return Path(bpy.path.abspath(face_path)) if face_path else _BUILT_IN


def refresh_lips(head: Any, take: Any, fps: float) -> int:
    """Solve the lip keys of `take` again where its shapes or contacts were edited; the frames that changed.

    Keys that an artist set on lip curves stay. Raises `VividTalkError` when the head's face file is gone.
    """
    count, shapes = lip_count(head), len(ARKIT_NAMES)
    region, motion = _region(head, count), evaluated_motion(head, take)
    first, values = motion.first, motion.values.astype(np.float32)
    contact = values[:, -2:]
    held = sticky_contact(contact[:, 0], fps).held
    after = solve_coefficients(region, values[:, :shapes], contact, held)
    differs = np.abs(after - values[:, shapes : shapes + count]) * _size(region) > _UNCHANGED
    found = find_curves(take.action, count)[shapes : shapes + count]
    differs[:, [curve is None for curve in found]] = False
    for curve, column, changed in zip(found, after.T, differs.T, strict=True):
        if changed.any():
            rewrite(curve, first, np.flatnonzero(changed), column)
    take.action.update_tag()
    return int(differs.any(axis=1).sum())


def _size(region: LipRegion) -> Array:
    """[K] how far a unit of each lip coefficient moves the vertex that it moves most, metres."""
    size: Array = np.linalg.norm(region.basis, axis=2).max(axis=1)
    return size


def prepare(path: Path) -> None:
    """Read the face file at `path` for `refresh_lips`, some seconds; for any thread."""
    _prepared(path, path.stat().st_mtime_ns)


def forget() -> None:
    """Drop the prepared faces, some MB each."""
    _prepared.cache_clear()


def _region(head: Any, count: int) -> LipRegion:
    path = face_file(head.vividtalk.face_path)
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise InputError(
            f"the face file {path} of {head.name!r} cannot be read",
            "Put it back where the head was made from",
        ) from error
    region, face_id = _prepared(path, changed)
    if face_id != head.vividtalk.face_id or len(region.basis) != count:
        raise InputError(
            f"{head.name!r} was made from the face {head.vividtalk.face_id} with {count} lip keys, "
            f"{path} holds {face_id} with {len(region.basis)}",
            "Create the head again from this file",
        )
    return region


@lru_cache(maxsize=2)
def _prepared(path: Path, _changed: int) -> tuple[LipRegion, str]:
    face = read_face(path)
    return prepare_lips(face), face.id

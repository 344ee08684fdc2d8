"""A head's motion as it plays, read from Blender's own evaluation: what a talking video is made of.

Curves, NLA tracks, drivers, constraints, emotions and look-at targets all count, since Blender works them
out. That happens in a scene of its own with an empty that depends on the head's keys and bones, not on its
mesh: the artist's playhead stays where it is, and a frame takes a fraction of a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from ..protocol.tensorfile import Array
from .drivers import drive
from .emotion_keys import emotion_mixes
from .head_bones import HEAD
from .lip_keys import CONTACT_PROPERTIES, lip_properties

_EYES = ("eye.L", "eye.R")
_SEEN = 1e-3  # a shape key's value that counts as used; our choice
_AHEAD = Vector((0.0, -1.0, 0.0))  # where an eye looks at rest


@dataclass(frozen=True)
class PlayedMotion:
    """What is seen on n consecutive frames, by the names and shapes of a clip's arrays, all f32.

    Attributes:
        first: scene frame of the first row.
        weights: [n, 52] with emotions. lip: [n, K] times lip detail. contact: [n, 2].
        pose: [n, 6], 0 rows for a head without a head bone. gaze: [n, 4], 0 rows without eye bones.
        left_out: the artist's own shape keys that are used; a clip has no place for them.
    """

    first: int
    weights: Array
    lip: Array
    contact: Array
    pose: Array
    gaze: Array
    left_out: tuple[str, ...]

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays by name."""
        return {name: getattr(self, name) for name in ("weights", "lip", "contact", "pose", "gaze")}


@dataclass(frozen=True)
class _Mover:
    """What carries the head pose: a bone of `owner`, or `owner` itself, which is at `rest` without a pose.

    Its turn is about `pivot`, in the rest's axes.
    """

    owner: Any
    bone: str
    rest: Matrix
    pivot: Vector

    def moved(self, graph: Any) -> Matrix:
        """Where it is, seen from its rest."""
        owner = self.owner.evaluated_get(graph)
        if self.bone:
            return owner.pose.bones[self.bone].matrix @ self.rest.inverted()
        return self.rest.inverted() @ owner.matrix_basis

    def pose(self, graph: Any) -> list[float]:
        """Rotation vector and shift of the pivot."""
        moved = self.moved(graph)
        return [*moved.to_quaternion().to_exponential_map(), *(moved @ self.pivot - self.pivot)]


def played_frames(head: Any, take: Any, frames: range) -> PlayedMotion:
    """What is seen of `head` on scene `frames`. `take` (or None) says what carries its pose.

    Nothing in the artist's scene changes; handlers of a changed frame are called for another scene.
    """
    reader = _Reader(head, take)
    with _stage(reader) as scene:
        for frame in frames:
            scene.frame_set(frame)
            reader.read(scene.view_layers[0].depsgraph)
    return reader.motion(frames.start)


def seen_now(head: Any, take: Any, graph: Any, frame: int) -> PlayedMotion:
    """What `graph` shows of `head` at this moment: changes without a key count too."""
    reader = _Reader(head, take)
    reader.read(graph)
    return reader.motion(frame)


class _Reader:
    """Reads a head frame by frame."""

    def __init__(self, head: Any, take: Any) -> None:
        self.key, self.rig = head.data.shape_keys, head.vividtalk.armature
        self.mover = _mover(head, take)
        bones = () if self.rig is None else self.rig.pose.bones
        self.eyes = tuple(name for name in _EYES if name in bones)
        self._turner = _bone_mover(self.rig, HEAD, Vector()) if HEAD in bones else None
        self._values: list[Array] = []
        self._contact: list[list[float]] = []
        self._pose: list[list[float]] = []
        self._gaze: list[list[float]] = []

    def read(self, graph: Any) -> None:
        """Add what `graph` shows."""
        key = self.key.evaluated_get(graph)
        values = np.empty(len(key.key_blocks), np.float32)
        key.key_blocks.foreach_get("value", values)
        self._values.append(values)
        self._contact.append([float(key.get(name, 0.0)) for name in CONTACT_PROPERTIES])
        if self.mover is not None:
            self._pose.append(self.mover.pose(graph))
        if len(self.eyes) == len(_EYES):
            self._gaze.append(self._look(graph))

    def _look(self, graph: Any) -> list[float]:
        """Pitch and yaw of both eyes, seen from the head."""
        bones = self.rig.evaluated_get(graph).pose.bones
        head = Matrix() if self._turner is None else self._turner.moved(graph)
        angles: list[float] = []
        for name in self.eyes:
            turned = head.inverted() @ bones[name].matrix @ bones[name].bone.matrix_local.inverted()
            x, y, z = (turned.to_3x3() @ _AHEAD).normalized()
            angles += [float(np.arcsin(np.clip(z, -1.0, 1.0))), float(np.arctan2(x, -y))]
        return angles

    def motion(self, first: int) -> PlayedMotion:
        """All that was read, as motion from scene frame `first` on."""
        blocks = self.key.key_blocks
        values = np.stack(self._values) * [not block.mute for block in blocks]  # [n, B]
        names = {block.name: column for column, block in enumerate(blocks)}
        lips = [names[name] for name in lip_properties(len(blocks)) if name in names]
        return PlayedMotion(
            first=first,
            weights=_summed(values, names),
            lip=_f32(values[:, lips]),
            contact=_f32(self._contact),
            pose=_f32(self._pose).reshape(-1, 6),
            gaze=_f32(self._gaze).reshape(-1, 2 * len(_EYES)),
            left_out=_strangers(values, names, set(lips)),
        )


def _f32(values: Any) -> Array:
    array: Array = np.ascontiguousarray(values, np.float32)
    return array


def _summed(values: Array, names: dict[str, int]) -> Array:
    """[n, 52] f32 the ARKit keys and what emotions add to them, which stay below 1 where speech does."""
    weights = np.zeros((len(values), len(ARKIT_NAMES)))
    for column, name in enumerate(ARKIT_NAMES):
        if name in names:
            weights[:, column] = values[:, names[name]]
    added = np.zeros_like(weights)
    for name, mix in emotion_mixes().items():
        if name in names:
            added += values[:, names[name], None] * mix
    return _f32(np.minimum(weights + added, np.maximum(weights, 1.0)))


def _strangers(values: Array, names: dict[str, int], lips: set[int]) -> tuple[str, ...]:
    """Names of the shape keys that are used and belong to no clip; the first is the basis."""
    known = {names[name] for name in (*ARKIT_INDEX, *emotion_mixes()) if name in names} | lips | {0}
    used = np.abs(values).max(axis=0) > _SEEN
    return tuple(name for name, column in names.items() if used[column] and column not in known)


def _mover(head: Any, take: Any) -> _Mover | None:
    """What carries the pose of `head`: what the take moves, else its own head bone; None without either."""
    settings, owner = head.vividtalk, take and take.pose_owner
    rig, pivot = settings.armature, Vector(settings.pivot)
    if owner in (None, rig):
        return _bone_mover(rig, HEAD, pivot) if rig and HEAD in rig.pose.bones else None
    if owner.type == "ARMATURE":
        name = settings.head_bone
        bone = owner.pose.bones.get(name)
        return bone and _bone_mover(owner, name, bone.bone.head_local.copy())
    flat = take.pose_rest
    rest = Matrix([flat[4 * row : 4 * row + 4] for row in range(4)])
    return _Mover(owner, "", rest, pivot if owner == head else Vector())


def _bone_mover(rig: Any, name: str, pivot: Vector) -> _Mover:
    return _Mover(rig, name, rig.pose.bones[name].bone.matrix_local.copy(), pivot)


@contextmanager
def _stage(reader: _Reader) -> Iterator[Any]:
    """A scene in which what `reader` reads is evaluated; it is gone afterwards."""
    scene = bpy.data.scenes.new("VividTalk sampling")
    probe = bpy.data.objects.new("VividTalk sampling", None)
    try:
        scene.collection.objects.link(probe)
        drive(probe.driver_add("location", 0), reader.key, ["key_blocks[0].value"], "a")
        for name in (HEAD, *reader.eyes) if reader.rig else ():
            _depend(probe, reader.rig, name)
        if reader.mover is not None:
            _depend(probe, reader.mover.owner, reader.mover.bone)
        yield scene
    finally:
        bpy.data.scenes.remove(scene)
        bpy.data.objects.remove(probe)


def _depend(probe: Any, owner: Any, bone: str) -> None:
    constraint = probe.constraints.new("COPY_ROTATION")
    constraint.target, constraint.subtarget = owner, bone

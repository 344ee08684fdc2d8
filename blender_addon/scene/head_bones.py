"""Bones that carry a head pose: they turn about the face's pivot, and sliders scale what is keyed.

A slider is a custom property of the rig. It drives constraints that give the bone the rotation or location of
the collar, which never moves, by what the slider lacks to 1: so an artist's own keys are scaled too, and no
key is rewritten. A Pivot constraint after them turns the bone about the face's pivot, so that a scaled
rotation takes its own swing along, and a location key is the head's shift alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mathutils import Vector

from .drivers import drive

NECK, HEAD, COLLAR = "neck", "head", "collar"
_AXES = {"head.pitch": 0, "head.roll": 1, "head.yaw": 2}  # world axis of the rig at rest: +X left, +Z up
SHIFT = "head.shift"
STRENGTHS: tuple[str, ...] = ("head.pitch", "head.yaw", "head.roll", SHIFT)
_PIVOT = "VividTalk pivot"
_STILL = 1e-6  # metres


def has_strengths(rig: Any) -> bool:
    """True for a rig whose bones are ready for a head pose."""
    return all(name in rig for name in STRENGTHS)


def add_strengths(rig: Any, pivot: tuple[float, float, float] | None = None) -> None:
    """Give the neck and head of `rig` their sliders, and let them turn about `pivot` (metres).

    Without it, for a rig of an earlier version, that is where the head bone begins.
    """
    bones = [rig.pose.bones[name] for name in (NECK, HEAD) if name in rig.pose.bones]
    if not bones or COLLAR not in rig.pose.bones:
        return
    for name in STRENGTHS:
        rig[name] = 1.0
        what = "shift" if name == SHIFT else name.removeprefix("head.")
        rig.id_properties_ui(name).update(
            min=0.0,
            max=1.0,
            precision=2,
            description=f"How much of the head's {what} is shown, of your own keys too",
        )
    point = Vector(bones[-1].bone.head_local if pivot is None else pivot)
    for bone in bones:
        for name, axis in _AXES.items():
            constraint = _copy(rig, bone, name, "COPY_ROTATION")
            for letter, used in zip("xyz", range(3), strict=True):
                setattr(constraint, f"use_{letter}", used == _local_axis(bone, axis))
        _copy(rig, bone, SHIFT, "COPY_LOCATION")
        _turn_about(bone, point)


def _local_axis(bone: Any, world: int) -> int:
    """The bone's axis that lies nearest to a world axis."""
    return int(np.abs(np.array(bone.bone.matrix_local)[world, :3]).argmax())


def _copy(rig: Any, bone: Any, name: str, kind: str) -> Any:
    """A constraint towards rest, by what the slider `name` lacks to 1."""
    constraint = bone.constraints.new(kind)
    constraint.name = f"VividTalk {name.removeprefix('head.')}"
    constraint.target, constraint.subtarget = rig, COLLAR
    constraint.owner_space = constraint.target_space = "LOCAL"
    constraint.show_expanded = False
    drive(constraint.driver_add("influence"), rig, [f'["{name}"]'], "1 - a")
    return constraint


def _turn_about(bone: Any, point: Vector) -> None:
    offset = bone.bone.matrix_local.inverted() @ point
    if offset.length < _STILL:
        return
    constraint = bone.constraints.new("PIVOT")
    constraint.name = _PIVOT
    constraint.owner_space = "LOCAL"
    constraint.use_relative_location = True
    constraint.rotation_range = "ALWAYS_ACTIVE"
    constraint.offset = offset
    constraint.show_expanded = False

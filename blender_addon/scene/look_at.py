"""Eyes that look at an object: constraints on the eye bones, on top of what is keyed."""

from __future__ import annotations

import math
from typing import Any

import bpy
from mathutils import Vector

from ..protocol.face import EYE_LOOK_DEGREES
from .drivers import drive

LOOK_AT = "look_at"
_EYES = ("eye.L", "eye.R")
_TRACK, _LIMIT = "VividTalk look at", "VividTalk eye limits"
_DISTANCE = 1.0  # metres before the eyes; our choice
_SIZE = 0.05
_MADE = "vividtalk_look_at"


def eye_bones(rig: Any) -> list[Any]:
    """The eye bones of `rig`, which may be None."""
    return [] if rig is None else [rig.pose.bones[name] for name in _EYES if name in rig.pose.bones]


def looks_at(rig: Any) -> Any:
    """The object that the eyes of `rig` look at, or None."""
    for bone in eye_bones(rig):
        constraint = bone.constraints.get(_TRACK)
        if constraint is not None:
            return constraint.target
    return None


def new_target(context: Any, rig: Any) -> Any:
    """An empty a metre before the eyes of `rig`."""
    eyes = [bone.bone.head_local for bone in eye_bones(rig)]
    middle = sum(eyes, Vector()) / len(eyes)
    target = bpy.data.objects.new("Look At", None)
    context.scene.collection.objects.link(target)
    target.empty_display_type, target.empty_display_size = "SPHERE", _SIZE
    target.location = rig.matrix_world @ (middle + Vector((0.0, -_DISTANCE, 0.0)))
    target[_MADE] = True
    return target


def look_at(rig: Any, target: Any) -> None:
    """Let the eyes of `rig` look at `target`, as far as eyes turn, as much as its slider says."""
    if LOOK_AT not in rig:
        rig[LOOK_AT] = 1.0
        rig.id_properties_ui(LOOK_AT).update(
            min=0.0,
            max=1.0,
            precision=2,
            description="How much the eyes look at the target instead of as keyed",
        )
    for bone in eye_bones(rig):
        if _TRACK not in bone.constraints:
            _constrain(rig, bone)
        bone.constraints[_TRACK].target = target


def _constrain(rig: Any, bone: Any) -> None:
    track = bone.constraints.new("DAMPED_TRACK")
    track.name, track.track_axis = _TRACK, "TRACK_Y"
    limit = bone.constraints.new("LIMIT_ROTATION")
    limit.name, limit.owner_space = _LIMIT, "LOCAL"
    up, down, side = (math.radians(EYE_LOOK_DEGREES[name]) for name in ("Up", "Down", "Out"))
    limit.use_limit_x, limit.min_x, limit.max_x = True, -down, up
    limit.use_limit_z, limit.min_z, limit.max_z = True, -side, side
    for constraint in (track, limit):
        constraint.show_expanded = False
        drive(constraint.driver_add("influence"), rig, [f'["{LOOK_AT}"]'], "a")


def stop_looking(rig: Any) -> None:
    """Remove the constraints, their slider, and the empty that was made for them."""
    target = looks_at(rig)
    for bone in eye_bones(rig):
        for name in (_TRACK, _LIMIT):
            constraint = bone.constraints.get(name)
            if constraint is not None:
                constraint.driver_remove("influence")
                bone.constraints.remove(constraint)
    if LOOK_AT in rig:
        del rig[LOOK_AT]
    if target is not None and target.get(_MADE) and target.users <= len(target.users_collection):
        bpy.data.objects.remove(target)

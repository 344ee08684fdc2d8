"""A take's motion, as edited, onto another head: a new Action for every data-block that a map drives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..maps.apply import apply_map
from ..maps.facemap import BONE, PROPERTY, SHAPE_KEY, Channel, FaceMap, Viseme
from ..maps.names import bound, detect_map
from ..protocol.arkit import ARKIT_NAMES
from ..protocol.errors import InputError
from . import curves
from .compat import assign_action, curve_holder, new_action
from .curves import Keying, Motion
from .evaluated import evaluated_motion
from .takes import active_take

_GROUP = "VividTalk"


@dataclass(frozen=True)
class Retargeted:
    """What was done to one object: map's label, how many channels move, and which drivers hold still."""

    label: str
    channels: int
    driven: tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    """Where a part's curve goes: the data-block that owns it, its path and index."""

    owner: Any
    path: str
    index: int


def take_motion(head: Any) -> Motion:
    """The 52 weights of the active take as it plays, on every frame. Raises `InputError` without one."""
    take = active_take(head)
    if take is None:
        raise InputError(f"{head.name} has no active take", "Animate it first, or choose a take")
    motion = evaluated_motion(head, take)
    return replace(motion, values=motion.values[:, : len(ARKIT_NAMES)])


def why_not(target: Any) -> str:
    """Why `target` cannot be animated, or "". Data that is overridden here can be."""
    if target.type != "MESH" or target.data.shape_keys is None:
        return f"{target.name} is no mesh with shape keys"
    for owner in (target, target.data, target.data.shape_keys):
        if owner.library is not None:
            return f"{target.name} is linked from another file: make it local or override its library data"
    return ""


def fitting_map(target: Any, chosen: FaceMap | None) -> FaceMap:
    """The part of the chosen map, or of the preset that fits, that `target` has. Raises `InputError`."""
    shape_keys = [block.name for block in target.data.shape_keys.key_blocks[1:]]
    face_map = detect_map(shape_keys) if chosen is None else chosen
    if face_map is None:
        raise InputError(f"the shape keys of {target.name} belong to no known kind of head", "Choose a map")
    armature = target.find_armature()
    bones = [] if armature is None else [bone.name for bone in armature.pose.bones]
    present = {SHAPE_KEY: shape_keys, BONE: bones, PROPERTY: list(target.keys())}
    fitted = bound(face_map, present)
    if not fitted.parts:
        raise InputError(
            f"{target.name} has nothing that the map {face_map.label} drives", "Choose another map"
        )
    return fitted


def retarget(target: Any, motion: Motion, face_map: FaceMap, name: str, keying: Keying) -> Retargeted:
    """Key `motion` on `target` through `face_map`, which fits it.

    Every data-block gets a new Action; the one that it had is kept with a fake user. A channel with a driver
    is left to that.
    """
    mapped = apply_map(face_map, motion.values)
    places = [_place(target, part) for part in mapped.parts]
    free = [i for i, place in enumerate(places) if not _has_driver(place)]
    if not free:
        raise InputError(f"all channels of {target.name} have drivers", "Key what the drivers read instead")
    owners: dict[str, list[int]] = {}
    for i in free:
        owners.setdefault(places[i].owner.name_full + places[i].owner.id_type, []).append(i)
    for members in owners.values():
        owner = places[members[0]].owner
        made = _add_curves(owner, [places[i] for i in members], name)
        values = Motion(mapped.values[:, members], motion.first)
        curves.write_due(made, values, keying, math.inf)
    driven = tuple(mapped.names[i] for i in range(len(places)) if i not in free)
    return Retargeted(face_map.label, len(free), driven)


def _place(target: Any, part: Channel | Viseme) -> _Place:
    name = part.targets[0]
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    if isinstance(part, Viseme) or part.kind == SHAPE_KEY:
        return _Place(target.data.shape_keys, curves.data_path(quoted), 0)
    if part.kind == PROPERTY:
        return _Place(target, f'["{quoted}"]', 0)
    armature = target.find_armature()
    if armature.library is not None:
        raise InputError(
            f"the armature {armature.name} is linked from another file", "Override its library data"
        )
    if part.path == "rotation_euler" and armature.pose.bones[name].rotation_mode in (
        "QUATERNION",
        "AXIS_ANGLE",
    ):
        raise InputError(f"the bone {name} does not turn by Euler angles", "Set its rotation mode to XYZ")
    return _Place(armature, f'pose.bones["{quoted}"].{part.path}', part.axis)


def _has_driver(place: _Place) -> bool:
    animation = place.owner.animation_data
    return animation is not None and any(
        driver.data_path == place.path and driver.array_index == place.index for driver in animation.drivers
    )


def _add_curves(owner: Any, places: Sequence[_Place], name: str) -> list[Any]:
    """A new Action that animates `owner`, with an empty curve for each place."""
    animation = owner.animation_data
    if animation is not None and animation.action is not None:
        animation.action.use_fake_user = True
    action = new_action(name, owner)
    action.use_fake_user = True
    holder = curve_holder(action, owner.id_type)
    group = holder.groups.new(_GROUP)
    made = []
    for place in places:
        curve = holder.fcurves.new(place.path, index=place.index)
        curve.group = group
        made.append(curve)
    assign_action(owner, action)
    return made

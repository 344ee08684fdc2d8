"""The head's armature: bones, skin weights, and eyes that follow the eyeLook shapes."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np

from ..protocol.face import EYE_LOOK_DEGREES, FaceFile
from ..protocol.tensorfile import Array
from .drivers import drive
from .head_bones import COLLAR

_WEIGHT_STEPS = 255
_EYES = {"eye.L": ("Left", 1.0), "eye.R": ("Right", -1.0)}


def create_armature(context: Any, face: FaceFile, name: str) -> Any:
    """An armature object with the face file's bones, unconnected, and a `collar` that never moves.

    Local axes: Y along the bone, Z towards world +Z where it can be, so an eye's +X rotation looks up and
    its +Z rotation looks to the subject's left.
    """
    rig = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    context.scene.collection.objects.link(rig)
    rig.data.display_type = "STICK"
    _edit_mode(context, rig)
    _add_bones(rig.data.edit_bones, face)
    bpy.ops.object.mode_set(mode="OBJECT")
    for bone in rig.pose.bones:
        bone.rotation_mode = "XYZ"
    return rig


def _edit_mode(context: Any, rig: Any) -> None:
    if context.view_layer.objects.active and context.view_layer.objects.active.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    for other in context.selected_objects:
        other.select_set(False)
    context.view_layer.objects.active = rig
    rig.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")


def _add_bones(bones: Any, face: FaceFile) -> None:
    root = min((bone.head for bone in face.bones), key=lambda head: head[2], default=face.pivot)
    collar = bones.new(COLLAR)
    collar.head, collar.tail = (root[0], root[1], root[2] - 0.04), root
    for bone in face.bones:
        new = bones.new(bone.name)
        new.head, new.tail = bone.head, bone.tail
        new.parent = bones[bone.parent or COLLAR]
        new.use_connect = False
        if bone.name in _EYES:
            new.align_roll((0.0, 0.0, 1.0))


def bind(mesh_object: Any, rig: Any, face: FaceFile) -> None:
    """Parent the mesh to the rig and give it the face file's bone weights.

    Blender normalises weights, so what a row lacks to 1 goes to the collar bone explicitly.
    """
    for column, bone in enumerate(face.bones):
        _add_group(mesh_object, bone.name, face.bone_weights[:, column])
    _add_group(mesh_object, COLLAR, 1.0 - face.bone_weights.sum(axis=1))
    mesh_object.parent = rig
    modifier = mesh_object.modifiers.new("Armature", "ARMATURE")
    modifier.object = rig


def _add_group(mesh_object: Any, name: str, weights: Array) -> None:
    """A vertex group with `weights` [V], in steps of 1/255: one call per step instead of one per vertex."""
    group = mesh_object.vertex_groups.new(name=name)
    steps = np.rint(np.clip(weights, 0.0, 1.0) * _WEIGHT_STEPS).astype(int)
    for step in np.unique(steps[steps > 0]):
        group.add(np.flatnonzero(steps == step).tolist(), step / _WEIGHT_STEPS, "REPLACE")


def drive_eyes(rig: Any, key: Any) -> None:
    """Turn the eye bones by the eyeLook shapes' values, as the face file's constants say."""
    up, down, inward, outward = (math.radians(EYE_LOOK_DEGREES[name]) for name in ("Up", "Down", "In", "Out"))
    for bone, (side, left) in _EYES.items():
        if bone in rig.pose.bones:
            path = rig.pose.bones[bone]
            _drive(path, 0, key, (f"eyeLookUp{side}", up), (f"eyeLookDown{side}", -down))
            _drive(path, 2, key, (f"eyeLookOut{side}", left * outward), (f"eyeLookIn{side}", -left * inward))


def _drive(bone: Any, axis: int, key: Any, first: tuple[str, float], second: tuple[str, float]) -> None:
    """rotation_euler[axis] = first weight * its radians + second weight * its radians."""
    paths = [f'key_blocks["{shape}"].value' for shape, _ in (first, second)]
    expression = f"a * {first[1]:.6f} + b * {second[1]:.6f}"
    drive(bone.driver_add("rotation_euler", axis), key, paths, expression)

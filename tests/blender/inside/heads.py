"""The head that `Create Head` makes."""

from __future__ import annotations

import math

import bpy
import numpy as np
from common import addon

REST = 1e-6


def _coordinates(head: object) -> np.ndarray:
    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    mesh = head.evaluated_get(graph).to_mesh()
    flat = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def create() -> None:
    """One mesh with 52 named keys at 0, materials, UVs, colours; the face file's geometry, undeformed."""
    assert bpy.ops.vividtalk.create_head() == {"FINISHED"}
    head = bpy.context.scene.vividtalk.head
    folder = addon("operators")._ASSETS
    face = addon("protocol.face").read_face(folder / "head.safetensors")
    names = addon("protocol.arkit").ARKIT_NAMES
    blocks = head.data.shape_keys.key_blocks
    lip_keys = [f"lip.{number:02d}" for number in range(1, len(face.lip_basis) + 1)]
    emotions = [block.name for block in blocks[1 + len(names) + len(lip_keys) :]]
    assert [block.name for block in blocks] == ["Basis", *names, *lip_keys, *emotions]
    assert all(name.startswith("emotion.") for name in emotions)
    assert not any(block.value for block in blocks[1:])
    assert len(head.data.polygons) == len(face.polygons)
    assert [slot.name.split()[-1] for slot in head.data.materials] == list(face.material_names)
    assert len(head.data.uv_layers) == 1
    assert len(head.data.color_attributes) == 1
    assert np.abs(_coordinates(head) - face.vertices).max() < REST
    jaw = names.index("jawOpen")
    blocks["jawOpen"].value = 0.5
    assert np.abs(_coordinates(head) - face.vertices - 0.5 * face.shapes[jaw]).max() < 1e-5


def rig() -> None:
    """Unconnected bones in Euler XYZ; a nod moves the head and leaves the collar where it is."""
    bpy.ops.vividtalk.create_head()
    head = bpy.context.scene.vividtalk.head
    armature = head.vividtalk.armature
    assert {"neck", "head", "eye.L", "eye.R"} <= set(armature.data.bones.keys())
    assert not any(bone.use_connect for bone in armature.data.bones)
    assert {bone.rotation_mode for bone in armature.pose.bones} == {"XYZ"}
    rest = _coordinates(head)
    armature.pose.bones["head"].rotation_euler = (0.3, 0.0, 0.0)
    moved = np.linalg.norm(_coordinates(head) - rest, axis=1)
    assert moved[rest[:, 2].argmax()] > 0.01
    assert moved[rest[:, 2].argmin()] < 0.002
    armature.pose.bones["neck"].rotation_euler = (0.3, 0.0, 0.0)
    face = addon("protocol.face").read_face(addon("operators")._ASSETS / "head.safetensors")
    moved = np.linalg.norm(_coordinates(head) - rest, axis=1)
    still = face.bone_weights.sum(axis=1)
    assert moved[still.argmin()] < 0.1 * moved.max()


def eyes() -> None:
    """eyeLook shapes turn the eye bones by the face file's angles: up is up, out is to the temple."""
    bpy.ops.vividtalk.create_head()
    head = bpy.context.scene.vividtalk.head
    bones = head.vividtalk.armature.pose.bones
    degrees = addon("protocol.face").EYE_LOOK_DEGREES
    left, up = np.array((1.0, 0.0, 0.0)), np.array((0.0, 0.0, 1.0))
    for side, bone, out in (("Left", "eye.L", left), ("Right", "eye.R", -left)):
        for look, axis in (("Up", up), ("Down", -up), ("Out", out), ("In", -out)):
            key = head.data.shape_keys.key_blocks[f"eyeLook{look}{side}"]
            key.value = 1.0
            bpy.context.evaluated_depsgraph_get().update()
            graph = bpy.context.evaluated_depsgraph_get()
            pose = head.vividtalk.armature.evaluated_get(graph).pose.bones[bone]
            gaze = np.array(pose.tail - pose.head) / pose.length
            assert math.isclose(gaze @ axis, math.sin(math.radians(degrees[look])), abs_tol=1e-4), (
                look,
                side,
            )
            key.value = 0.0
    assert len(bones) == 5

"""A face file as a Blender head: one mesh object with 52 shape keys, bound to an armature."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..protocol.arkit import ARKIT_NAMES
from ..protocol.face import FaceFile
from ..protocol.tensorfile import Array
from . import rig as rigs
from .emotion_keys import add_emotion_keys
from .head_bones import add_strengths
from .lip_keys import add_lip_keys
from .materials import COLOR_ATTRIBUTE, add_materials


def create_head(context: Any, face: FaceFile, name: str = "Head") -> Any:
    """Add `face` to the scene at its origin and return the mesh object, selected and active.

    The mesh has one vertex group per region and bone, UVs, vertex colours, and ARKit shape keys at 0.
    """
    armature = rigs.create_armature(context, face, f"{name} Rig")
    mesh = _create_mesh(face, name)
    head = bpy.data.objects.new(name, mesh)
    context.scene.collection.objects.link(head)
    _add_regions(head, face)
    _add_shape_keys(head, face)
    add_lip_keys(head, face)
    add_emotion_keys(head)
    rigs.bind(head, armature, face)
    rigs.drive_eyes(armature, mesh.shape_keys)
    add_strengths(armature, face.pivot)
    head.vividtalk.face_id = face.id
    head.vividtalk.pivot = face.pivot
    head.vividtalk.armature = armature
    armature.select_set(False)
    head.select_set(True)
    context.view_layer.objects.active = head
    return head


def _create_mesh(face: FaceFile, name: str) -> Any:
    """The rest mesh: polygons, smooth shading, materials, one UV map, one colour attribute."""
    used = face.polygons >= 0  # [P, 4]
    sizes = used.sum(axis=1)
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(face.vertices))
    mesh.vertices.foreach_set("co", _flat(face.vertices))
    mesh.loops.add(int(sizes.sum()))
    mesh.loops.foreach_set("vertex_index", face.polygons[used].astype(np.int32))
    mesh.polygons.add(len(sizes))
    mesh.polygons.foreach_set("loop_start", (np.cumsum(sizes) - sizes).astype(np.int32))
    mesh.polygons.foreach_set("material_index", face.material.astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(sizes), bool))
    mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", _flat(face.uv[used]))
    colors = mesh.color_attributes.new(COLOR_ATTRIBUTE, "FLOAT_COLOR", "POINT")
    colors.data.foreach_set("color", _flat(np.insert(face.color, 3, 1.0, axis=1)))
    add_materials(mesh, face)
    mesh.update(calc_edges=True)
    mesh.validate()
    return mesh


def _add_regions(head: Any, face: FaceFile) -> None:
    """One vertex group per region that has vertices, named `region.<name>`."""
    for index, region in enumerate(face.region_names):
        members = np.flatnonzero(face.region == index)
        if len(members):
            head.vertex_groups.new(name=f"region.{region}").add(members.tolist(), 1.0, "REPLACE")


def _add_shape_keys(head: Any, face: FaceFile) -> None:
    """Basis and the 52 ARKit keys. 5.0 makes keys at value 1, so 0 is set."""
    head.shape_key_add(name="Basis", from_mix=False)
    for name, offsets in zip(ARKIT_NAMES, face.shapes, strict=True):
        key = head.shape_key_add(name=name, from_mix=False)
        key.value = 0.0
        key.points.foreach_set("co", _flat(face.vertices + offsets))


def _flat(values: Array) -> Array:
    return np.ascontiguousarray(values, np.float32).ravel()


def is_head(candidate: Any) -> bool:
    """True for a mesh object that VividTalk can animate."""
    return (
        candidate is not None
        and candidate.type == "MESH"
        and candidate.data.shape_keys is not None
        and bool(candidate.vividtalk.face_id)
    )

"""The built-in head as a face file: metres, +Z up, facing -Y, the subject's left at +X."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.face import Bone, FaceFile
from blender_addon.protocol.tensorfile import Array

from .bake import textures
from .bones import PIVOT, bone_weights, bones
from .identity_statistics import correlation, limits
from .labels import MATERIALS, REGIONS, landmarks, masks, material_ids, region_ids, rings
from .mesh import Floats, HeadMesh, Ints, smoothstep
from .paint import paint
from .samples import vertex_samples
from .uv import corner_uv

METRES = 0.01
HEAD_ID = "vividtalk-head-2"
LICENCE = "CC0-1.0"


def to_file_axes(points: Floats) -> Array:
    """Centimetres (+Y up, +Z forward) -> metres (+Z up, -Y forward), [..., 3] f32."""
    x, y, z = np.moveaxis(points, -1, 0)
    turned: Array = (np.stack([x, -z, y], -1) * METRES).astype(np.float32)
    return turned


def face_file(
    mesh: HeadMesh, shapes: Floats, identity: Floats, identity_names: tuple[str, ...], jaw: Floats
) -> FaceFile:
    """Turn a built head into a face file.

    Args:
        shapes: [52, V, 3] cm; identity: [I, V, 3] cm; jaw: [V] share of the jaw's rotation.
    """
    region = region_ids(mesh)
    corners = corner_uv(mesh)
    polygons, uv = _as_triangles_where_needed(mesh.polygons, corners)
    lip_index = _lip_vertices(mesh)
    return FaceFile(
        id=HEAD_ID,
        licence=LICENCE,
        pivot=_point(PIVOT),
        bones=tuple(Bone(name, parent, _point(head), _point(tail)) for name, parent, head, tail in bones()),
        region_names=REGIONS,
        material_names=MATERIALS,
        identity_names=identity_names,
        vertices=to_file_axes(mesh.vertices),
        polygons=polygons.astype(np.int32),
        uv=uv.astype(np.float32),
        material=material_ids(mesh, region).astype(np.uint8),
        region=region.astype(np.uint8),
        color=paint(vertex_samples(mesh)).albedo.astype(np.float32),
        shapes=to_file_axes(shapes),
        lip_index=lip_index.astype(np.int32),
        lip_basis=np.zeros((0, len(lip_index), 3), np.float32),
        bone_weights=bone_weights(mesh).astype(np.float32),
        identity=to_file_axes(identity),
        identity_limits=limits(identity_names).astype(np.float32),
        identity_correlation=correlation(identity_names).astype(np.float32),
        textures=textures(mesh, corners),
        masks={name: mask.astype(np.float32) for name, mask in masks(mesh, jaw).items()},
        rings={name: ids.astype(np.int32) for name, ids in rings(mesh).items()},
        landmarks=landmarks(mesh),
    )


def _point(p: tuple[float, float, float]) -> tuple[float, float, float]:
    x, y, z = p
    return (x * METRES, -z * METRES, y * METRES)


def _as_triangles_where_needed(polygons: Ints, uv: Floats) -> tuple[Ints, Floats]:
    """A quad that repeats a vertex becomes a triangle: its three corners, then -1."""
    polygons, uv = polygons.copy(), uv.copy()
    for row in np.flatnonzero((np.diff(np.sort(polygons, 1), axis=1) == 0).any(1)):
        _, first = np.unique(polygons[row], return_index=True)
        keep = np.sort(first)
        uv[row] = uv[row][[*keep, keep[0]]]
        polygons[row] = [*polygons[row][keep], -1]
    return polygons, uv


def _lip_vertices(mesh: HeadMesh) -> Ints:
    """Skin that lip offsets may move: round the mouth and the lips' inside, not the cavity."""
    x, y, z = mesh.vertices.T
    still = np.max(
        [
            smoothstep(y, -4.6, -2.4),
            smoothstep(-z, -6, -3),
            smoothstep(-y, 10.2, 12.5),
            smoothstep(np.abs(x), 3.6, 5.2),
        ],
        axis=0,
    )
    skin = np.arange(len(x)) < mesh.skin_count
    return np.flatnonzero(skin & (still < 1) & ~mesh.marked(mesh.rings["mouth"][13:]))

"""What a pixel shows of a face: normalised coordinate colours (NCC), normals and UV, beside the raster.

NCC is VividTalk's carrier of motion (arXiv 2312.01841): the rest mesh's coordinates, each axis scaled to 0-1,
as one colour per vertex that stays with the vertex as the face moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel

from .batch import Backend, Data, RasterBatch, interpolate_batch, normals_batch, rasterize_batch
from .raster import Raster, rasterize
from .triangles import Triangles


@dataclass(frozen=True)
class Surface:
    """A face's triangles and what stays with them.

    A vertex has one entry per UV, and on a hair ribbon per side: E entries in all.

    Attributes:
        triangles: [T, 3] i32 vertex ids; fronts: how many of them make normals (see `Triangles`).
        entries: [T, 3] i32 the corners' entries.
        vertex: [E] i32 each entry's vertex; side: [E] f32 1, or -1 on the back of a ribbon.
        ncc: [E, 3] f32; uv: [E, 2] f32.
    """

    triangles: Array
    fronts: int
    entries: Array
    vertex: Array
    side: Array
    ncc: Array
    uv: Array

    @staticmethod
    def of(face: FaceFile) -> Surface:
        """The surface of `face`, NCC from its own rest mesh."""
        drawn = Triangles.of(face)
        side = np.where(np.arange(len(drawn.ids)) < drawn.fronts, 1.0, -1.0).repeat(3)
        corners = np.column_stack([drawn.ids.reshape(-1), side, drawn.uv.reshape(-1, 2)])
        unique, entry = np.unique(corners, axis=0, return_inverse=True)
        vertex = unique[:, 0].astype(np.int32)
        return Surface(
            drawn.ids,
            drawn.fronts,
            entry.reshape(-1, 3).astype(np.int32),
            vertex,
            unique[:, 1].astype(np.float32),
            ncc(face)[vertex],
            unique[:, 2:].astype(np.float32),
        )


@dataclass(frozen=True)
class SurfaceMaps(Generic[Data]):
    """Per pixel, zero on the background.

    Attributes:
        raster: depth, triangle (of `Surface.triangles`) and weights.
        ncc: [B, H, W, 3]; normal: [B, H, W, 3] unit, world axes; uv: [B, H, W, 2].
    """

    raster: RasterBatch[Data]
    ncc: Data
    normal: Data
    uv: Data


def ncc(face: FaceFile) -> Array:
    """Normalised coordinate colours [V, 3] f32: the rest mesh from 0 to 1 along each axis."""
    low, high = face.vertices.min(0), face.vertices.max(0)
    colors: Array = ((face.vertices - low) / np.maximum(high - low, 1e-9)).astype(np.float32)
    return colors


def surface_maps(
    surface: Surface, vertices: Data, points: Data, size: tuple[int, int], *, backend: Backend = "auto"
) -> SurfaceMaps[Data]:
    """Draw deformed faces: `vertices` [B, V, 3] in the world and their screen `points` [B, V, 3].

    Two passes: the nearest triangles, then all eight channels together.
    """
    if not isinstance(points, np.ndarray):
        from .torch_surface import tensor_maps

        return tensor_maps(surface, vertices, points, size, backend)
    raster = rasterize_batch(points, surface.triangles, size, backend=backend)
    values = np.empty((len(points), len(surface.vertex), 8), np.float32)
    fronts = surface.triangles[: surface.fronts]
    for normals, target in zip(normals_batch(vertices, fronts), values, strict=True):
        _gather(surface.ncc, normals, surface.uv, surface.vertex, surface.side, target)
    maps = interpolate_batch(raster, surface.entries, values)
    _unit(maps.reshape(-1, 8), 3)
    return SurfaceMaps(raster, maps[..., :3], maps[..., 3:6], maps[..., 6:])


@kernel
def _gather(ncc: Array, normals: Array, uv: Array, vertex: Array, side: Array, out: Array) -> None:
    """NCC, normal and UV of each entry side by side, `out` [E, 8]."""
    for e in range(out.shape[0]):
        v = np.uint32(vertex[e])
        for axis in range(3):
            out[e, axis] = ncc[e, axis]
            out[e, 3 + axis] = side[e] * normals[v, axis]
        out[e, 6], out[e, 7] = uv[e, 0], uv[e, 1]


@kernel
def _unit(rows: Array, first: int) -> None:
    """Scale three columns of `rows` [N, C] from `first` on to length 1 where they are not zero."""
    for n in range(rows.shape[0]):
        x, y, z = rows[n, first], rows[n, first + 1], rows[n, first + 2]
        square = x * x + y * y + z * z
        if square > 0.0:
            scale = np.float32(1.0) / np.sqrt(square)
            rows[n, first], rows[n, first + 1], rows[n, first + 2] = x * scale, y * scale, z * scale


def texel_raster(uv: Array, size: tuple[int, int]) -> Raster:
    """Which triangle and where on it each texel of an image shows.

    Args:
        uv: [T, 3, 2] f32 per corner, 0-1; v = 1 is the image's upper edge. Mirrored triangles are drawn too.
        size: width and height in texels.

    Returns:
        Triangle -1 where no triangle covers the texel's centre, depth 1 elsewhere.
    """
    points = np.ones((*uv.shape[:2], 3), np.float32)
    points[..., 0], points[..., 1] = uv[..., 0] * size[0], (1.0 - uv[..., 1]) * size[1]
    a, b, c = (points[:, n, :2].astype(float) for n in range(3))
    mirrored = np.cross(b - a, c - a) > 0
    corners = np.arange(points.shape[0] * 3, dtype=np.int32).reshape(-1, 3)
    corners[mirrored] = corners[mirrored][:, [0, 2, 1]]
    raster = Raster.empty(*size)
    rasterize(points.reshape(-1, 3), corners, raster)
    swapped = (raster.triangle >= 0) & mirrored[raster.triangle]
    raster.bary[swapped, 1] = 1.0 - raster.bary[swapped].sum(-1)
    return raster

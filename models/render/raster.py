"""A z-buffer rasteriser: per pixel the nearest triangle, its depth and perspective-correct barycentrics.

Screen points are (x, y, depth): pixels with y down and pixel centres at +0.5, and the distance along the
view axis (> 0, any unit). Triangles that turn clockwise in the world (away from the camera) are not drawn,
nor are those with a corner nearer than `NEAR`, behind the camera, far outside or not finite.

A pixel belongs to a triangle when its centre lies in the half-open span between two edges of its row. Both
triangles of an edge compute the same crossing from the same numbers, so that a surface has no cracks and no
pixel of an edge is drawn twice. At equal depth the first triangle wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel

from .draw import LARGEST_SIDE, Screen, Target, draw, place, resolve


@dataclass(frozen=True)
class Raster:
    """Reusable pixel buffers of one resolution.

    Attributes:
        depth: [H, W] f32 distance along the view axis; infinity where nothing was drawn.
        triangle: [H, W] i32 triangle index, -1 where nothing was drawn.
        bary: [H, W, 2] f32 weights of the triangle's first and second corner; the third's is the rest.
    """

    depth: Array
    triangle: Array
    bary: Array

    @staticmethod
    def empty(width: int, height: int) -> Raster:
        """Buffers with nothing drawn."""
        if not (0 < width < LARGEST_SIDE and 0 < height < LARGEST_SIDE):
            raise InputError(
                f"cannot draw a picture of {width} x {height} pixels",
                f"Choose 1 to {LARGEST_SIDE - 1} pixels a side",
            )
        return Raster(
            np.full((height, width), np.inf, np.float32),
            np.full((height, width), -1, np.int32),
            np.zeros((height, width, 2), np.float32),
        )


def rasterize(points: Array, triangles: Array, out: Raster) -> None:
    """Draw `triangles` [T, 3] i32 of screen `points` [V, 3] f32 into `out`, which is cleared first."""
    height, width = out.depth.shape
    points = np.ascontiguousarray(points, np.float32)
    cells, inverse = np.empty(len(points), np.int32), np.empty(len(points), np.float32)
    place(points, width, height, cells, inverse)
    out.depth.fill(0.0)
    out.triangle.fill(-1)
    draw(Screen(points, cells, inverse, triangles), Target(out.depth, out.triangle, out.bary))
    resolve(out.depth.reshape(-1), out.bary.reshape(-1, 2))


def interpolate(raster: Raster, triangles: Array, values: Array, out: Array | None = None) -> Array:
    """Perspective-correct per-pixel `values` [V, C] -> [H, W, C] f32, zero where nothing was drawn.

    `triangles` [T, 3] i32 index `values`: values per corner come as [3 T, C] with their own indices.
    `out`, contiguous, is filled and returned if given: fresh memory costs as much as the work.
    """
    shape = (*raster.triangle.shape, values.shape[1])
    out = np.empty(shape, np.float32) if out is None else out
    values = np.ascontiguousarray(values, np.float32)
    flat = out.reshape(-1, values.shape[1])
    _interpolate(raster.triangle.reshape(-1), raster.bary.reshape(-1, 2), triangles, values, flat)
    return out


@kernel
def _interpolate(triangle: Array, bary: Array, triangles: Array, values: Array, out: Array) -> None:
    for n in range(triangle.shape[0]):
        t = triangle[n]
        if t < 0:
            for channel in range(values.shape[1]):
                out[n, channel] = 0.0
            continue
        i, j, k = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
        a, b = bary[n, 0], bary[n, 1]
        c = np.float32(1.0) - a - b
        for channel in range(values.shape[1]):
            out[n, channel] = a * values[i, channel] + b * values[j, channel] + c * values[k, channel]


@kernel
def vertex_normals(vertices: Array, triangles: Array) -> Array:
    """Area-weighted unit normals [V, 3] f32; zero for a vertex without area."""
    normals = np.zeros(vertices.shape, np.float32)
    for t in range(triangles.shape[0]):
        i, j, k = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
        ax, ay, az = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        ux, uy, uz = vertices[j, 0] - ax, vertices[j, 1] - ay, vertices[j, 2] - az
        vx, vy, vz = vertices[k, 0] - ax, vertices[k, 1] - ay, vertices[k, 2] - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (i, j, k):
            normals[corner, 0] += nx
            normals[corner, 1] += ny
            normals[corner, 2] += nz
    for v in range(vertices.shape[0]):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0.0:
            normals[v, 0], normals[v, 1], normals[v, 2] = x / length, y / length, z / length
    return normals

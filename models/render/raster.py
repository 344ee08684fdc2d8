"""A z-buffer rasteriser: per pixel the nearest triangle, its depth and perspective-correct barycentrics.

Screen points are (x, y, depth): pixels with y down and pixel centres at +0.5, and the distance along the
view axis (> 0, any unit). Triangles that turn clockwise in the world (away from the camera) are not drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel

NEAR = 1e-6  # a triangle with a corner nearer than this (or behind the camera) is not drawn


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
        return Raster(
            np.full((height, width), np.inf, np.float32),
            np.full((height, width), -1, np.int32),
            np.zeros((height, width, 2), np.float32),
        )


def rasterize(points: Array, triangles: Array, out: Raster) -> None:
    """Draw `triangles` [T, 3] i32 of screen `points` [V, 3] f32 into `out`, which is cleared first."""
    out.depth.fill(0.0)
    out.triangle.fill(-1)
    _draw(points.astype(np.float32, copy=False), triangles, out.depth, out.triangle, out.bary)


def interpolate(raster: Raster, triangles: Array, values: Array) -> Array:
    """Per-pixel `values` [V, C] f32 -> [H, W, C] f32; zero where nothing was drawn."""
    height, width = raster.triangle.shape
    out = np.zeros((height, width, values.shape[1]), np.float32)
    _interpolate(raster.triangle, raster.bary, triangles, values.astype(np.float32, copy=False), out)
    return out


@kernel
def _draw(points: Array, triangles: Array, depth: Array, triangle: Array, bary: Array) -> None:
    """Edge functions per pixel. 1 / depth is linear on the screen: the buffer holds it until the end."""
    height, width = depth.shape
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if points[i, 2] <= NEAR or points[j, 2] <= NEAR or points[k, 2] <= NEAR:
            continue
        ax, ay, wa = points[i, 0], points[i, 1], 1.0 / points[i, 2]
        bx, by, wb = points[j, 0], points[j, 1], 1.0 / points[j, 2]
        cx, cy, wc = points[k, 0], points[k, 1], 1.0 / points[k, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area >= 0.0:
            continue
        x0 = max(int(np.ceil(min(ax, bx, cx) - 0.5)), 0)
        x1 = min(int(np.floor(max(ax, bx, cx) - 0.5)), width - 1)
        y0 = max(int(np.ceil(min(ay, by, cy) - 0.5)), 0)
        y1 = min(int(np.floor(max(ay, by, cy) - 0.5)), height - 1)
        scale = 1.0 / area
        step_a, step_b = (by - cy) * scale, (cy - ay) * scale
        for y in range(y0, y1 + 1):
            px, py = x0 + 0.5, y + 0.5
            a = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * scale
            b = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * scale
            for x in range(x0, x1 + 1):
                c = 1.0 - a - b
                if a >= 0.0 and b >= 0.0 and c >= 0.0:
                    inverse = a * wa + b * wb + c * wc
                    if inverse > depth[y, x]:
                        depth[y, x] = inverse
                        triangle[y, x] = t
                        bary[y, x, 0] = a * wa / inverse
                        bary[y, x, 1] = b * wb / inverse
                a += step_a
                b += step_b
    for y in range(height):
        for x in range(width):
            depth[y, x] = 1.0 / depth[y, x] if triangle[y, x] >= 0 else np.inf


@kernel
def _interpolate(triangle: Array, bary: Array, triangles: Array, values: Array, out: Array) -> None:
    for y in range(triangle.shape[0]):
        for x in range(triangle.shape[1]):
            t = triangle[y, x]
            if t < 0:
                continue
            i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            a, b = bary[y, x, 0], bary[y, x, 1]
            for channel in range(values.shape[1]):
                out[y, x, channel] = (
                    a * values[i, channel] + b * values[j, channel] + (1.0 - a - b) * values[k, channel]
                )


@kernel
def vertex_normals(vertices: Array, triangles: Array) -> Array:
    """Area-weighted unit normals [V, 3] f32."""
    normals = np.zeros(vertices.shape, np.float32)
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = (
            vertices[j, 0] - vertices[i, 0],
            vertices[j, 1] - vertices[i, 1],
            vertices[j, 2] - vertices[i, 2],
        )
        vx, vy, vz = (
            vertices[k, 0] - vertices[i, 0],
            vertices[k, 1] - vertices[i, 1],
            vertices[k, 2] - vertices[i, 2],
        )
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

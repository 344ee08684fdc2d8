"""Which vertices the camera sees, from what was drawn."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import inlined, kernel

from .draw import NEAR

# How far behind the surface at a pixel, in parts of the depth, a vertex may lie and not be hidden by it, and
# how many of the four pixels round it must not hide it. Chosen by comparison with ray casting (tests).
SLACK, CLEAR = 0.0005, 2


@kernel
def visible_points(points: Array, triangles: Array, drawn: Array, out: Array) -> None:
    """Fill `out` [V] bool from screen `points` [V, 3] and the triangle `drawn` at each pixel [H, W]."""
    height, width = drawn.shape
    facing = _facing(points, triangles)
    for v in range(points.shape[0]):
        x, y = points[v, 0], points[v, 1]
        out[v] = False
        if not facing[v] or not (0 <= x < width and 0 <= y < height):
            continue
        clear = 0
        for n in range(4):
            column = min(max(int(np.floor(x - 0.5)) + n % 2, 0), width - 1)
            row = min(max(int(np.floor(y - 0.5)) + n // 2, 0), height - 1)
            clear += _clear(points, triangles, v, drawn[row, column])
        out[v] = clear >= CLEAR


@inlined
def _clear(points: Array, triangles: Array, v: int, t: int) -> int:
    """`CLEAR` when `t` touches the vertex, 1 when it is none or does not hide the vertex, else 0."""
    if t < 0:
        return 1
    if triangles[t, 0] == v or triangles[t, 1] == v or triangles[t, 2] == v:
        return CLEAR
    nearest = _inverse_depth(points, triangles[t], points[v, 0], points[v, 1])
    return 1 if 1.0 / points[v, 2] >= nearest * (1.0 - SLACK) else 0


@inlined
def _facing(points: Array, triangles: Array) -> Array:
    """[V] bool: a triangle of the vertex can be drawn."""
    facing = np.zeros(points.shape[0], np.bool_)
    for t in range(triangles.shape[0]):
        i, j, k = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
        ax, ay = np.float64(points[i, 0]), np.float64(points[i, 1])
        bx, by = np.float64(points[j, 0]), np.float64(points[j, 1])
        cx, cy = np.float64(points[k, 0]), np.float64(points[k, 1])
        nearest = min(points[i, 2], points[j, 2], points[k, 2])
        if (bx - ax) * (cy - ay) - (by - ay) * (cx - ax) < 0.0 and nearest > NEAR:
            facing[i] = facing[j] = facing[k] = True
    return facing


@inlined
def _inverse_depth(points: Array, triangle: Array, x: float, y: float) -> float:
    """1 / depth of the triangle's plane at (x, y), kept between its corners'."""
    i, j, k = triangle[0], triangle[1], triangle[2]
    cx, cy = points[k, 0], points[k, 1]
    ux, uy = np.float64(points[i, 0] - cx), np.float64(points[i, 1] - cy)
    vx, vy = np.float64(points[j, 0] - cx), np.float64(points[j, 1] - cy)
    wa, wb, wc = 1.0 / points[i, 2], 1.0 / points[j, 2], 1.0 / points[k, 2]
    area = ux * vy - uy * vx
    a, b = ((x - cx) * vy - (y - cy) * vx) / area, ((y - cy) * ux - (x - cx) * uy) / area
    plane = wc + a * (wa - wc) + b * (wb - wc)
    inverse: float = min(max(plane, min(wa, wb, wc)), max(wa, wb, wc))
    return inverse

"""The rasteriser's inner loops: triangles that can be seen -> spans of pixels -> fragments -> the nearest.

Integers that index are unsigned: Numba would test each signed one for counting from the end.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import exact_inlined, exact_kernel, kernel

Scalar = Any  # a number whose machine type Numba infers

NEAR = 1e-6  # a triangle with a corner nearer than this (or behind the camera) is not drawn
FARTHEST_PIXEL = 1e7  # nor one with a corner farther out than this or not finite
LARGEST_SIDE = 1 << 15  # pixels: a fragment's code has 15 bits each for x and y

# Triangles set up and fragments collected before they are drawn (measured: the scratch stays in the cache).
_TRIANGLES, _FRAGMENTS = 1024, 1 << 14
_STEEPEST = 2.0**30  # pixels per row; an edge that crosses two rows stays far below
_ONE = 4294967296.0  # crossings are integers of 2^-32 pixel: adding up rows is exact
_BELOW_HALF = np.int64(0x7FFFFFFF)  # (crossing + this) >> 32 is the first pixel centre at or beyond it
_LANES = np.uint64(4)  # fragments written at once; most spans are not longer
_Edge = tuple[Scalar, Scalar]  # crossing and step per row, in 1 / _ONE pixels
_SIDE_BITS, _SIDE_MASK = np.uint64(15), np.uint64(LARGEST_SIDE - 1)


class Screen(NamedTuple):
    """What is drawn.

    Attributes:
        points: [V, 3] f32 x, y, depth.
        cells: [V] i32 the first pixel column (low 16 bits) and row (high) at or beyond the point, kept on the
            screen; negative where the point cannot be drawn.
        inverse: [V] f32 1 / depth.
        triangles: [T, 3] i32.
    """

    points: Array
    cells: Array
    inverse: Array
    triangles: Array


class Target(NamedTuple):
    """Where it is drawn: depth [H, W] f32, triangle [H, W] i32, bary [H, W, 2] f32."""

    depth: Array
    triangle: Array
    bary: Array


@exact_kernel
def place(points: Array, width: int, height: int, cells: Array, inverse: Array) -> None:
    """Fill `cells` and `inverse` of a `Screen`."""
    right, bottom = np.float32(width), np.float32(height)
    zero, half, far = np.float32(0.0), np.float32(0.5), np.float32(FARTHEST_PIXEL)
    for v in range(points.shape[0]):
        x, y, depth = points[v, 0], points[v, 1], points[v, 2]
        inside = (depth > np.float32(NEAR)) & (depth < np.float32(np.inf)) & (abs(x) < far) & (abs(y) < far)
        column = np.int32(min(max(np.ceil(x - half), zero), right)) if inside else 0
        row = np.int32(min(max(np.ceil(y - half), zero), bottom)) if inside else -1
        cells[v] = (row << 16) | column
        inverse[v] = np.float32(1.0) / depth


@exact_kernel
def draw(screen: Screen, target: Target) -> None:
    """Leaves 1 / depth in `target.depth` and weights / depth in `bary`: both are linear on the screen."""
    triangles = screen.triangles.shape[0]
    alive = np.empty(_TRIANGLES + 1, np.int32)
    planes = np.empty((_TRIANGLES, 9), np.float64)
    fragments = np.empty(_FRAGMENTS + target.depth.shape[1] + np.int64(_LANES), np.uint64)
    for begin in range(0, triangles, _TRIANGLES):
        count = _survivors(screen, begin, min(begin + _TRIANGLES, triangles), alive)
        _draw_alive(screen, alive, count, planes, fragments, target)


@exact_kernel
def _survivors(screen: Screen, begin: int, end: int, alive: Array) -> Scalar:
    """List the triangles that face the camera and may hold a pixel centre, without a branch; their count."""
    cells = screen.cells
    count = np.uint64(0)
    for t in range(begin, end):
        i, j, k = _corners(screen.triangles, t)
        ci, cj, ck = cells[i], cells[j], cells[k]
        differs = (ci ^ cj) | (ci ^ ck)
        spans = ((differs & 0xFFFF) != 0) & ((differs >> 16) != 0) & ((ci | cj | ck) >= 0)
        seen = spans & (_area(screen.points, i, j, k) < 0)
        alive[count] = t
        count += np.uint64(seen)
    return np.int64(count)


@exact_kernel
def _draw_alive(
    screen: Screen, alive: Array, count: int, planes: Array, fragments: Array, target: Target
) -> None:
    """Per row the half-open span of pixel centres between the left and the right edge."""
    full = np.uint64(_FRAGMENTS)
    width = np.int64(target.depth.shape[1])
    used = np.uint64(0)
    for n in range(count):
        i, j, k = _corners(screen.triangles, alive[n])
        _set_plane(screen, i, j, k, planes[n])
        first, last, turn_left, turn_right, left, right, low = _edges(screen, i, j, k)
        for y in range(first, last):
            left = low if y == turn_left else left
            right = low if y == turn_right else right
            start = _column(left[0], width)
            stop = _column(right[0], width)
            left, right = (left[0] + left[1], left[1]), (right[0] + right[1], right[1])
            code = (np.uint64(n) << np.uint64(32)) | (np.uint64(y) << _SIDE_BITS) | np.uint64(start)
            for lane in range(_LANES):
                fragments[used + lane] = code + lane
            if stop - start > 4:
                for lane in range(_LANES, np.uint64(stop - start)):
                    fragments[used + lane] = code + lane
            used += np.uint64(max(stop - start, 0))
            if used > full:
                _keep_nearest(fragments, used, planes, alive, target)
                used = np.uint64(0)
    _keep_nearest(fragments, used, planes, alive, target)


@exact_kernel
def _keep_nearest(fragments: Array, count: Scalar, planes: Array, alive: Array, target: Target) -> None:
    depth, triangle, bary = target.depth, target.triangle, target.bary
    for f in range(count):
        code = fragments[f]
        n, y, x = code >> np.uint64(32), (code >> _SIDE_BITS) & _SIDE_MASK, code & _SIDE_MASK
        dx, dy = x - planes[n, 0], y - planes[n, 1]
        near = np.float32(planes[n, 8] + dx * planes[n, 6] + dy * planes[n, 7])
        if near > depth[y, x]:
            depth[y, x] = near
            triangle[y, x] = alive[n]
            bary[y, x, 0] = dx * planes[n, 2] + dy * planes[n, 3]
            bary[y, x, 1] = dx * planes[n, 4] + dy * planes[n, 5]


@kernel
def resolve(depth: Array, bary: Array) -> None:
    """1 / depth [N] -> depth and weights / depth [N, 2] -> weights."""
    for n in range(depth.shape[0]):
        if depth[n] > np.float32(0.0):
            distance = np.float32(1.0) / depth[n]
            depth[n] = distance
            bary[n, 0] *= distance
            bary[n, 1] *= distance
        else:
            depth[n] = np.inf
            bary[n, 0] = 0.0
            bary[n, 1] = 0.0


@exact_inlined
def _corners(triangles: Array, t: int) -> tuple[Scalar, Scalar, Scalar]:
    return np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])


@exact_inlined
def _point(points: Array, v: Scalar) -> tuple[Scalar, Scalar]:
    return np.float64(points[v, 0]), np.float64(points[v, 1])


@exact_inlined
def _area(points: Array, i: Scalar, j: Scalar, k: Scalar) -> Scalar:
    """Twice the signed area in pixels; negative for a triangle that faces the camera (y is down)."""
    ax, ay = _point(points, i)
    bx, by = _point(points, j)
    cx, cy = _point(points, k)
    area: Scalar = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    return area


@exact_inlined
def _set_plane(screen: Screen, i: Scalar, j: Scalar, k: Scalar, plane: Array) -> None:
    """Fill [9]: the third corner in pixels; the x and y slopes of the first and of the second corner's
    weight / depth and of 1 / depth; 1 / depth at the third corner."""
    ax, ay = _point(screen.points, i)
    bx, by = _point(screen.points, j)
    cx, cy = _point(screen.points, k)
    scale = 1.0 / _area(screen.points, i, j, k)
    first, second = np.float64(screen.inverse[i]) * scale, np.float64(screen.inverse[j]) * scale
    third = np.float64(screen.inverse[k])
    plane[0], plane[1] = cx - 0.5, cy - 0.5
    plane[2], plane[3] = (by - cy) * first, (cx - bx) * first
    plane[4], plane[5] = (cy - ay) * second, (ax - cx) * second
    plane[6] = plane[2] + plane[4] + (ay - by) * third * scale
    plane[7] = plane[3] + plane[5] + (bx - ax) * third * scale
    plane[8] = third


@exact_inlined
def _edge(points: Array, upper: Scalar, lower: Scalar, row: Scalar) -> _Edge:
    """Where an edge crosses the middle of `row`, and its step per row, in `1 / _ONE` pixels."""
    x0, y0 = _point(points, upper)
    x1, y1 = _point(points, lower)
    slope: Scalar = min(max((x1 - x0) / (y1 - y0), -_STEEPEST), _STEEPEST)
    crossing = x0 + ((row + 0.5) - y0) * slope
    return np.int64(crossing * _ONE) + _BELOW_HALF, np.int64(slope * _ONE)


@exact_inlined
def _column(crossing: Scalar, width: Scalar) -> Scalar:
    """The first pixel centre at or beyond `crossing`, kept on the screen."""
    column: Scalar = min(max(crossing >> 32, 0), width)
    return column


@exact_inlined
def _edges(
    screen: Screen, i: Scalar, j: Scalar, k: Scalar
) -> tuple[Scalar, Scalar, Scalar, Scalar, _Edge, _Edge, _Edge]:
    """First row, row after the last, rows where the left or right edge turns into the low one; the edges.

    From the uppermost corner the next corner lies on the left side, the one after it on the right.
    """
    points, cells = screen.points, screen.cells
    yi, yj, yk = points[i, 1], points[j, 1], points[k, 1]
    if yi <= yj and yi <= yk:
        top, one, two = i, j, k
    elif yj <= yk:
        top, one, two = j, k, i
    else:
        top, one, two = k, i, j
    first, row_one, row_two = cells[top] >> 16, cells[one] >> 16, cells[two] >> 16
    left, right = _edge(points, top, one, first), _edge(points, top, two, first)
    if row_one < row_two:
        return first, row_two, row_one, np.int32(-1), left, right, _edge(points, one, two, row_one)
    return first, row_one, np.int32(-1), row_two, left, right, _edge(points, two, one, row_two)

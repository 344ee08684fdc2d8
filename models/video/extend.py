"""Motion beyond the face: the head's rigid motion over hair and neck, and a smooth fill of what differs.

Fields live on a grid of nodes, `CELL` pixels apart; node i is the middle of its cell.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import inlined, kernel
from models.render.camera import Pinhole

CELL = 4  # pixels (our choice)
_PASSES = 4  # fixed-point steps from where points go to where pixels come from
# Weight of "moves with the head" against known pixels, by pyramid level from fine to coarse: how fast the
# face's own motion fades beyond the face (our choice).
_PULL = 0.004


class Sheet(NamedTuple):
    """A smooth surface through the head and beyond it, facing the camera.

    Attributes:
        points: [G, G, 3] f32 in the face's rest frame.
        neck, head: [G, G] f32 the bones' shares; none of either stays still.
        free: [G, G, 2] f32 how much of the motion across and down is left towards the ends of the picture.
    """

    points: Array
    neck: Array
    head: Array
    free: Array

    def motion(self, neck: Array, head: Array, camera: Pinhole) -> Array:
        """Backward flow [G, G, 2] f32 pixels under the bones' transforms [3, 4]."""
        forward = np.empty((*self.head.shape, 2), np.float32)
        view = np.column_stack([camera.rotation, camera.translation])
        lens = np.array([camera.focal, *camera.centre])
        _forward(self, np.stack([neck, head]).astype(np.float64), view, lens, forward)
        return _backward(forward * self.free)


@kernel
def _forward(sheet: Sheet, bones: Array, view: Array, lens: Array, out: Array) -> None:
    """Fill `out` [G, G, 2] with the displacement on the screen, pixels. `bones` [2, 3, 4]: neck, head."""
    moved, to_neck, to_head = np.empty(3), bones[0], bones[1]
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            p = sheet.points[y, x]
            for a in range(3):
                n = to_neck[a, 0] * p[0] + to_neck[a, 1] * p[1] + to_neck[a, 2] * p[2] + to_neck[a, 3] - p[a]
                h = to_head[a, 0] * p[0] + to_head[a, 1] * p[1] + to_head[a, 2] * p[2] + to_head[a, 3] - p[a]
                moved[a] = p[a] + sheet.neck[y, x] * n + sheet.head[y, x] * h
            u = view[0, 0] * moved[0] + view[0, 1] * moved[1] + view[0, 2] * moved[2] + view[0, 3]
            v = view[1, 0] * moved[0] + view[1, 1] * moved[1] + view[1, 2] * moved[2] + view[1, 3]
            w = view[2, 0] * moved[0] + view[2, 1] * moved[1] + view[2, 2] * moved[2] + view[2, 3]
            out[y, x, 0] = lens[1] + lens[0] * u / w - (x + 0.5) * CELL
            out[y, x, 1] = lens[2] + lens[0] * v / w - (y + 0.5) * CELL


@kernel
def _backward(forward: Array) -> Array:
    """Flow b with x + b(x) + forward(x + b(x)) = x, by fixed-point steps."""
    result = np.zeros(forward.shape, np.float32)
    value = np.empty(2, np.float32)
    for y in range(forward.shape[0]):
        for x in range(forward.shape[1]):
            bx, by = np.float32(0.0), np.float32(0.0)
            for _ in range(_PASSES):
                bilinear(forward, x + bx / CELL, y + by / CELL, value)
                bx, by = (
                    np.float32(0.35) * bx - np.float32(0.65) * value[0],
                    np.float32(0.35) * by - np.float32(0.65) * value[1],
                )
            bilinear(forward, x + bx / CELL, y + by / CELL, value)
            result[y, x, 0], result[y, x, 1] = -value[0], -value[1]
    return result


@inlined
def bilinear(grid: Array, x: Any, y: Any, out: Array) -> None:
    """`grid` [G, H, C] at column `x`, row `y`, kept inside -> `out` [C]."""
    x = min(max(x, 0.0), grid.shape[1] - 1.001)
    y = min(max(y, 0.0), grid.shape[0] - 1.001)
    j, i = int(x), int(y)
    fx, fy = np.float32(x - j), np.float32(y - i)
    for c in range(out.shape[0]):
        top = grid[i, j, c] + fx * (grid[i, j + 1, c] - grid[i, j, c])
        low = grid[i + 1, j, c] + fx * (grid[i + 1, j + 1, c] - grid[i + 1, j, c])
        out[c] = top + fy * (low - top)


def filled(values: Array, weight: Array, pull: float = _PULL) -> Array:
    """Smooth `values` [G, H, C] f32 that are known by `weight` [G, H] f32 0-1, pulled to zero far from those.

    A push-pull pyramid (after Gortler et al., "The Lumigraph", 1996), bilinear both ways.
    """
    levels = [np.concatenate([values * weight[..., None], weight[..., None]], 2).astype(np.float32)]
    while min(levels[-1].shape[:2]) > 2:
        levels.append(_halved(levels[-1]))
    result = np.zeros((1, 1, values.shape[2]), np.float32)
    for number in range(len(levels) - 1, -1, -1):
        result = _pulled(levels[number], result, np.float32(pull * 4**number))
    return result


@kernel
def _halved(level: Array) -> Array:
    """Weighted sums of 2 x 2 nodes, weights kept below 1. Last channel: weight."""
    height, width, channels = level.shape
    out = np.zeros(((height + 1) // 2, (width + 1) // 2, channels), np.float32)
    for y in range(height):
        for x in range(width):
            for c in range(channels):
                out[y // 2, x // 2, c] += level[y, x, c]
    return out


@kernel
def _pulled(level: Array, coarse: Array, pull: np.float32) -> Array:
    """This level's values where it knows them, the coarser level's (bilinear) elsewhere."""
    height, width, channels = level.shape[0], level.shape[1], level.shape[2] - 1
    out = np.empty((height, width, channels), np.float32)
    value = np.zeros(channels, np.float32)
    for y in range(height):
        for x in range(width):
            if coarse.shape[0] > 1:
                bilinear(coarse, (x + 0.5) / 2 - 0.5, (y + 0.5) / 2 - 0.5, value)
            elif coarse.shape[1] >= 1:
                for c in range(channels):
                    value[c] = coarse[0, 0, c]
            weight = level[y, x, channels]
            own = min(weight, np.float32(1.0))
            for c in range(channels):
                known = level[y, x, c] / max(weight, np.float32(1e-6))
                out[y, x, c] = value[c] * (np.float32(1.0) - own) / (np.float32(1.0) + pull) + known * own
    return out

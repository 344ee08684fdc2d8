"""Sampling the portrait along a flow, relit, over the background."""

from __future__ import annotations

from typing import Any

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import inlined, kernel

_NEAR = np.float32(
    0.25
)  # pixels of motion over which pixels as they are give way to sampled ones (our choice)
_SHARP = -0.6  # the cubic's slope at 1: between Catmull-Rom (-0.5) and OpenCV's -0.75 (our choice)


@inlined
def _cubic(t: float, out: Array) -> None:
    """Weights [4] of the samples at -1, 0, 1, 2 for a place `t` 0-1 (Keys, 1981)."""
    a = np.float32(_SHARP)
    one = np.float32(1.0)
    s = one - t
    out[0] = a * t * s * s
    out[1] = one - t * t * (np.float32(3.0) + a - (np.float32(2.0) + a) * t)
    out[2] = one - s * s * (np.float32(3.0) + a - (np.float32(2.0) + a) * s)
    out[3] = a * s * t * t


@kernel
def composed(layer: Array, still: Array, plate: Array, empty: Array, flow: Array, out: Array) -> None:
    """Fill `out` [H, W, 4] f32: the person moved along `flow` over the plate, and the person's coverage.

    Args:
        layer: [n H, n W, 4] f32 the person premultiplied by the matte, and the matte, n times as fine.
        still: [H, W, 4] f32 the same as it is where nothing moves.
        plate: [H, W, 3] f32 background.
        empty: [n H, n W] bool, true where nothing of the person is within reach of the sampling.
        flow: [H, W, 5] backward flow in its first two channels, light's gain in the last.
    """
    fine = np.float32(layer.shape[0] // out.shape[0])
    middle = np.float32(0.5) * (fine - np.float32(1.0))
    right, low = np.float32(layer.shape[1] - 1), np.float32(layer.shape[0] - 1)
    value, across, down = np.empty(4, np.float32), np.empty(4, np.float32), np.empty(4, np.float32)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            u, v, gain = flow[y, x, 0], flow[y, x, 1], flow[y, x, 4]
            sx = min(max(fine * (x + u) + middle, np.float32(0.0)), right)
            sy = min(max(fine * (y + v) + middle, np.float32(0.0)), low)
            if empty[int(sy), int(sx)]:
                for c in range(3):
                    out[y, x, c] = plate[y, x, c]
                out[y, x, 3] = 0.0
                continue
            _sampled(layer, sx, sy, across, down, value)
            left_u, left_v = max(_NEAR - abs(u), np.float32(0.0)), max(_NEAR - abs(v), np.float32(0.0))
            rest = left_u * left_v / (_NEAR * _NEAR)
            for c in range(4):
                value[c] += rest * (still[y, x, c] - value[c])
            covered = min(max(value[3], np.float32(0.0)), np.float32(1.0))
            for c in range(3):
                out[y, x, c] = gain * value[c] + (np.float32(1.0) - covered) * plate[y, x, c]
            out[y, x, 3] = covered


@inlined
def _sampled(layer: Array, x: Any, y: Any, across: Array, down: Array, out: Array) -> None:
    """`layer` at column `x`, row `y` by a cubic -> `out` [4]; `across`, `down` [4] are scratch."""
    height, width = layer.shape[0], layer.shape[1]
    j, i = min(int(x), width - 2), min(int(y), height - 2)
    _cubic(x - j, across)
    _cubic(y - i, down)
    r, g, b, a = np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0)
    for n in range(4):
        row = min(max(i + n - 1, 0), height - 1)
        for m in range(4):
            column = min(max(j + m - 1, 0), width - 1)
            w = down[n] * across[m]
            r += w * layer[row, column, 0]
            g += w * layer[row, column, 1]
            b += w * layer[row, column, 2]
            a += w * layer[row, column, 3]
    out[0], out[1], out[2], out[3] = r, g, b, a


@kernel
def painted(image: Array, left: int, top: int, color: Array, coverage: Array) -> None:
    """Paint premultiplied `color` [h, w, 3] over `image` [H, W, 4] at `left`, `top`."""
    for y in range(coverage.shape[0]):
        for x in range(coverage.shape[1]):
            if 0 <= y + top < image.shape[0] and 0 <= x + left < image.shape[1]:
                rest = np.float32(1.0) - coverage[y, x]
                for c in range(3):
                    image[y + top, x + left, c] = image[y + top, x + left, c] * rest + color[y, x, c]


def coded(image: Array) -> Array:
    """`image` [S, S, 4] f32 rounded to [S, S, 3] u8."""
    out = np.empty((*image.shape[:2], 3), np.uint8)
    _rounded(image.reshape(-1, 4), out.reshape(-1, 3))
    return out


@kernel
def _rounded(image: Array, out: Array) -> None:
    for n in range(out.shape[0]):
        for c in range(3):
            out[n, c] = np.uint8(min(max(image[n, c] + np.float32(0.5), np.float32(0.0)), np.float32(255.0)))

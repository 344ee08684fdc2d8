"""Where each pixel of a driven frame comes from in the portrait."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel

from .extend import CELL, bilinear
from .view import INSIDE


@kernel
def known_flow(
    triangle: Array, bary: Array, triangles: Array, kind: Array, source: Array, flow: Array
) -> None:
    """Backward flow, trust for exact use, trust for spreading and light [H, W, 5] of the mesh's pixels.

    `source` [V, 5]: place in the reference (pixels), the two trusts 0-1, light's gain.
    """
    for y in range(flow.shape[0]):
        for x in range(flow.shape[1]):
            t = triangle[y, x]
            if t < 0 or kind[t] == INSIDE:
                for c in range(4):
                    flow[y, x, c] = 0.0
                flow[y, x, 4] = 1.0
                continue
            i, j, k = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
            a, b = bary[y, x, 0], bary[y, x, 1]
            c = np.float32(1.0) - a - b
            for n in range(5):
                flow[y, x, n] = a * source[i, n] + b * source[j, n] + c * source[k, n]
            flow[y, x, 0] -= np.float32(x + 0.5)
            flow[y, x, 1] -= np.float32(y + 0.5)


@kernel
def cell_means(flow: Array, base: Array, values: Array, weight: Array) -> None:
    """Per node what the mesh's flow adds to `base` [G, G, 2], and how much of the cell knows it."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            total, u, v = np.float32(0.0), np.float32(0.0), np.float32(0.0)
            for y in range(CELL * i, CELL * i + CELL):
                for x in range(CELL * j, CELL * j + CELL):
                    w = flow[y, x, 3]
                    total += w
                    u += w * flow[y, x, 0]
                    v += w * flow[y, x, 1]
            scale = np.float32(1.0) / max(total, np.float32(1e-6))
            values[i, j, 0] = u * scale - base[i, j, 0] if total > 0 else 0.0
            values[i, j, 1] = v * scale - base[i, j, 1] if total > 0 else 0.0
            weight[i, j] = total / (CELL * CELL)


@kernel
def blended(flow: Array, spread: Array) -> None:
    """Mix into `flow`'s first two channels what is spread [G, G, 2], by the trust in the exact."""
    value = np.empty(2, np.float32)
    for y in range(flow.shape[0]):
        for x in range(flow.shape[1]):
            e = flow[y, x, 2]
            if e < 1.0:
                bilinear(spread, (x + 0.5) / CELL - 0.5, (y + 0.5) / CELL - 0.5, value)
                flow[y, x, 0] = value[0] + e * (flow[y, x, 0] - value[0])
                flow[y, x, 1] = value[1] + e * (flow[y, x, 1] - value[1])
            flow[y, x, 4] = 1.0 + e * (flow[y, x, 4] - 1.0)

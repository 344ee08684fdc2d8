"""Where each pixel of a driven frame comes from in the portrait."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import inlined, kernel

from .extend import CELL, bilinear
from .prepare import Trust
from .view import INSIDE

# Cosines to the camera between which skin is believed, in the portrait and in the frame: what comes round
# from the side would be stretched, what turns away is only narrowed (our choice).
_THEN, _NOW = (np.float32(0.12), np.float32(0.45)), (np.float32(0.04), np.float32(0.2))


@kernel
def placed(vertices: Array, view: Array, lens: Array, recede: Array, points: Array, behind: Array) -> None:
    """Screen points [V, 3] of `vertices` [V, 3], and the same with depths that `recede` [V].

    `view` [3, 4] to right, down, forward; `lens` [3] focal length and centre in pixels.
    """
    for v in range(vertices.shape[0]):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        depth = view[2, 0] * x + view[2, 1] * y + view[2, 2] * z + view[2, 3]
        scale = lens[0] / max(depth, np.float32(1e-9))
        points[v, 0] = lens[1] + scale * (view[0, 0] * x + view[0, 1] * y + view[0, 2] * z + view[0, 3])
        points[v, 1] = lens[2] + scale * (view[1, 0] * x + view[1, 1] * y + view[1, 2] * z + view[1, 3])
        points[v, 2] = depth
        behind[v, 0], behind[v, 1], behind[v, 2] = points[v, 0], points[v, 1], depth + recede[v]


@kernel
def trusted(normals: Array, axis: Array, trust: Trust, source: Array) -> None:
    """Fill the trusts of `source` [V, 5]: what faces the camera, then and now, is believed.

    `axis` [3] f32: toward the camera, turned back with the head.
    """
    for v in range(normals.shape[0]):
        now = normals[v, 0] * axis[0] + normals[v, 1] * axis[1] + normals[v, 2] * axis[2] + trust.lean[v]
        seen = _rise(trust.facing[v], _THEN[0], _THEN[1]) * _rise(now, _NOW[0], _NOW[1])
        seen = np.float32(1.0) if trust.always[v] else seen
        source[v, 2], source[v, 3] = trust.exact[v] * seen, trust.spread[v] * seen


@inlined
def _rise(value: np.float32, low: np.float32, high: np.float32) -> np.float32:
    t = min(max((value - low) / (high - low), np.float32(0.0)), np.float32(1.0))
    return t * t * (np.float32(3.0) - np.float32(2.0) * t)


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

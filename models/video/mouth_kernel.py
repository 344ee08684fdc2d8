"""The pixels of a mouth's inside."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel


@kernel
def shade_mouth(
    triangle: Array, bary: Array, triangles: Array, radiance: Array, dark: Array, samples: int, out: Array
) -> None:
    """Mean of the samples' light, `out` [h, w, 3] linear; `dark` [3] where nothing is, and added to all.

    Args:
        triangle: [h s, w s] i32; bary: [h s, w s, 2]; triangles: [T, 3]; radiance: [n, 3] linear.
    """
    share = np.float32(1.0 / (samples * samples))
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for c in range(3):
                out[y, x, c] = dark[c]
            for k in range(samples * samples):
                sy, sx = y * samples + k // samples, x * samples + k % samples
                t = triangle[sy, sx]
                if t < 0:
                    continue
                a, b = bary[sy, sx, 0], bary[sy, sx, 1]
                i, j, m = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                for c in range(3):
                    light = a * radiance[i, c] + b * radiance[j, c]
                    out[y, x, c] += share * (light + (np.float32(1.0) - a - b) * radiance[m, c])

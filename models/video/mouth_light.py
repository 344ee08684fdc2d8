"""Light that comes into a mouth between the lips."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel

# Metres, our choice by eye: what lies less deep than this behind the lip line is lit as in the open; over
# this depth saliva and cheeks take most of the light away; nothing is nearer than this.
OPEN, FADES, NEAR = 0.003, 0.060, 0.0012
CHEEK, _CLEAR = 3.0, 0.45  # light fades so much faster toward the cheeks, from there in half widths
OUTSIDE = 0.008  # metres further forward, where a tongue is out in the open
DARKEST = 0.02
_MIDDLE = 0.6  # of the mouth's width: the corners let in little


class Entrance:
    """The opening between one face's lips as a window: how much light through it reaches a point."""

    def __init__(self, face: FaceFile) -> None:
        self._upper, self._lower = face.rings["lip_upper"], face.rings["lip_lower"]
        names = [i for i, name in enumerate(face.region_names) if name in ("inner_mouth", "tongue")]
        self._inside = np.flatnonzero(np.isin(face.region, names))[::4]

    def light(self, vertices: Array, ids: Array) -> Array:
        """[n] f32 0-1 for the vertices `ids` [n] i32 of deformed `vertices` [V, 3].

        The part of the sky that a point sees through a rectangular window, cosine weighted: the product
        over both axes of half the sum of the sines of the angles to its edges.
        """
        upper, lower = vertices[self._upper].astype(np.float64), vertices[self._lower].astype(np.float64)
        quarter = len(upper) // 4
        top, bottom = (line[quarter:-quarter].mean(0) for line in (upper, lower))
        across = upper[-1] - upper[0]
        width = max(float(np.linalg.norm(across)), 1e-6)
        across = across / width
        middle = 0.5 * (top + bottom)
        deep = vertices[self._inside] if len(self._inside) else upper[[0, -1]]
        up = np.cross(middle - deep.mean(0), across)
        up /= max(float(np.linalg.norm(up)), 1e-9)
        axes = np.stack([across, up, np.cross(across, up)])
        half = np.array([0.5 * _MIDDLE * width, 0.5 * max(float((top - bottom) @ up), 0.0)])
        return _through(vertices, ids, axes, middle, half)


@kernel
def _through(vertices: Array, ids: Array, axes: Array, middle: Array, half: Array) -> Array:
    out = np.empty(ids.shape[0], np.float32)
    for n in range(ids.shape[0]):
        v = ids[n]
        x, y, z = vertices[v, 0] - middle[0], vertices[v, 1] - middle[1], vertices[v, 2] - middle[2]
        a = abs(axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z)
        b = axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z
        behind = -(axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z) - OPEN
        depth = max(behind, 0.0)
        near = depth + NEAR
        depth += CHEEK * max(a - _CLEAR * half[0] / _MIDDLE, 0.0)
        seen, before = 1.0, min(max(-behind / OUTSIDE, 0.0), 1.0)
        for low, high in ((-half[0] - a, half[0] - a), (-half[1] - b, half[1] - b)):
            one, other = high / np.sqrt(high * high + near * near), low / np.sqrt(low * low + near * near)
            seen *= 0.5 * (one - other)
        seen = DARKEST + (1.0 - DARKEST) * seen * np.exp(-depth / FADES)
        out[n] = seen + (1.0 - seen) * before
    return out

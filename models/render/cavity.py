"""How much light reaches the inside of the mouth: less the deeper a point and the narrower the lips' opening."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array

_REGIONS = ("inner_mouth", "upper_teeth", "lower_teeth", "gums", "tongue")
DARKEST = 0.03
MARGIN = 0.003  # metres behind the lip line that stay fully lit


class CavityLight:
    """Light factors for one face's vertices, from its lip rings; all 1 for a face without them."""

    def __init__(self, face: FaceFile) -> None:
        names = [i for i, name in enumerate(face.region_names) if name in _REGIONS]
        self._count = len(face.vertices)
        self._inside = np.flatnonzero(np.isin(face.region, names))
        self._upper = face.rings.get("lip_upper", np.zeros(0, np.int32))
        self._lower = face.rings.get("lip_lower", np.zeros(0, np.int32))

    def __call__(self, vertices: Array) -> Array:
        """[V] f32 in 0-1 for deformed `vertices` [V, 3]."""
        light = np.ones(self._count, np.float32)
        if len(self._upper) == 0 or len(self._inside) == 0:
            return light
        upper, lower = vertices[self._upper], vertices[self._lower]
        middle = slice(len(self._upper) // 4, -(len(self._upper) // 4))
        opening = float(np.linalg.norm(upper[middle] - lower[middle], axis=1).mean())
        width = float(np.linalg.norm(upper[-1] - upper[0]))
        across = (upper[-1] - upper[0]) / max(width, 1e-6)
        line = 0.5 * (upper + lower)[middle].mean(0)
        up = upper[middle].mean(0) - 0.5 * (upper[0] + upper[-1])
        forward = self._forward(vertices, across)
        del up
        depth = np.clip((line - vertices[self._inside]) @ forward - MARGIN, 0, None)
        reach = np.float32(0.004 + 0.75 * np.sqrt(max(opening, 0.0) * width))
        light[self._inside] = DARKEST + (1 - DARKEST) / (1 + (depth / reach) ** 2)
        return light

    def _forward(self, vertices: Array, across: Array) -> Array:
        """The direction out of the mouth [3]: level with the lips' corners, perpendicular to the lip line."""
        inside = vertices[self._inside].mean(0)
        corners = 0.5 * (vertices[self._upper[0]] + vertices[self._upper[-1]])
        out = corners - inside
        out = out - (out @ across) * across
        forward: Array = out / max(float(np.linalg.norm(out)), 1e-6)
        return forward

"""Light inside the mouth: less the deeper a point lies and the narrower the lips open."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array

_REGIONS = ("inner_mouth", "upper_teeth", "lower_teeth", "gums", "tongue")
DARKEST = 0.08
ASIDE = 0.24  # mouth widths from the middle beyond which the cheeks darken
CHEEK = 5.0  # how much faster light falls off toward the cheeks than into the depth
REACH = 1.0  # of the opening's size: how deep half of the light comes. With the above chosen by eye
NOSTRIL = 0.25
MARGIN = 0.003  # metres behind the lip line that stay fully lit


class CavityLight:
    """Light factors for one face's vertices; without lip rings only its nostrils are dark."""

    def __init__(self, face: FaceFile) -> None:
        names = [i for i, name in enumerate(face.region_names) if name in _REGIONS]
        self._inside = np.flatnonzero(np.isin(face.region, names))
        nostrils = [i for i, name in enumerate(face.region_names) if name == "nostrils"]
        self._rest = np.where(np.isin(face.region, nostrils), NOSTRIL, 1.0).astype(np.float32)
        self._upper = face.rings.get("lip_upper", np.zeros(0, np.int32))
        self._lower = face.rings.get("lip_lower", np.zeros(0, np.int32))

    def __call__(self, vertices: Array) -> Array:
        """[V] f32 in 0-1 for deformed `vertices` [V, 3]."""
        light: Array = self._rest.copy()
        if len(self._upper) == 0 or len(self._inside) == 0:
            return light
        upper, lower = vertices[self._upper], vertices[self._lower]
        middle = slice(len(self._upper) // 4, -(len(self._upper) // 4))
        opening = float(np.linalg.norm(upper[middle] - lower[middle], axis=1).mean())
        width = float(np.linalg.norm(upper[-1] - upper[0]))
        across = (upper[-1] - upper[0]) / max(width, 1e-6)
        line = 0.5 * (upper + lower)[middle].mean(0)
        forward = self._forward(vertices, across)
        arm = line - vertices[self._inside]
        aside = CHEEK * np.clip(np.abs(arm @ across) - ASIDE * width, 0, None)
        depth = np.clip(arm @ forward - MARGIN, 0, None) + aside
        reach = np.float32(0.003 + REACH * np.sqrt(max(opening, 0.0) * width))
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

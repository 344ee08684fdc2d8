"""How much brighter skin becomes as it turns in a portrait's light."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.portrait.light import harmonics

_LUMA = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709
# Our choice: nothing darkens or brightens beyond these factors of light, and no skin counts as darker than
# this share of the mean.
_LEAST, _MOST, _DARKEST = 0.7, 1.35, 0.35


class TurningLight:
    """The light on a head's vertices as it turns, compared with the portrait."""

    def __init__(self, light: Array, normals: Array) -> None:
        """`light` [9, 3] as in `PortraitFit`; `normals` [V, 3] in the portrait."""
        self._light, self._normals = (light @ _LUMA).astype(np.float32), normals
        lit = harmonics(normals) @ self._light
        self._floor = max(_DARKEST * float(np.mean(lit)), 1e-6)
        self._before = np.maximum(lit, self._floor)

    def gain(self, turn: Array) -> Array:
        """[V] f32 factors of sRGB code under the head's rotation `turn` [3, 3]."""
        lit = np.maximum(harmonics(self._normals @ turn.T.astype(np.float32)) @ self._light, self._floor)
        ratio = np.clip(lit / self._before, _LEAST, _MOST)
        gain: Array = (ratio ** (1 / 2.2)).astype(np.float32)
        return gain

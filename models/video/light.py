"""How much brighter skin becomes as it turns in a portrait's light."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel
from models.portrait.light import harmonics

_LUMA = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709
# Our choice: nothing darkens or brightens beyond these factors of light, and no skin counts as darker than
# this share of the mean.
_LEAST, _MOST, _DARKEST = 0.7, 1.35, 0.35


class TurningLight:
    """The light on a head's vertices as it turns, compared with the portrait."""

    def __init__(self, light: Array, normals: Array) -> None:
        """`light` [9, 3] as in `PortraitFit`; `normals` [V, 3] in the portrait."""
        brightness = light @ _LUMA
        lit = harmonics(normals) @ brightness
        self._normals, self._terms = np.ascontiguousarray(normals, np.float32), _polynomial(brightness)
        self._floor = max(_DARKEST * float(np.mean(lit)), 1e-6)
        self._before = np.maximum(lit, self._floor).astype(np.float32)

    def gain(self, turn: Array) -> Array:
        """[V] f32 factors of sRGB code under the head's rotation `turn` [3, 3]."""
        gain = np.empty(len(self._normals), np.float32)
        turned = np.ascontiguousarray(turn, np.float32)
        _gains(self._normals, turned, self._terms, self._before, np.float32(self._floor), gain)
        return gain


@kernel
def _gains(normals: Array, turn: Array, k: Array, before: Array, floor: np.float32, out: Array) -> None:
    """`k` [10]: the light as a polynomial 1, x, y, z, xy, yz, xz, xx, yy, zz of the normal."""
    for v in range(normals.shape[0]):
        n = normals[v]
        x = turn[0, 0] * n[0] + turn[0, 1] * n[1] + turn[0, 2] * n[2]
        y = turn[1, 0] * n[0] + turn[1, 1] * n[1] + turn[1, 2] * n[2]
        z = turn[2, 0] * n[0] + turn[2, 1] * n[1] + turn[2, 2] * n[2]
        lit = k[0] + k[1] * x + k[2] * y + k[3] * z + k[4] * x * y + k[5] * y * z + k[6] * x * z
        lit += k[7] * x * x + k[8] * y * y + k[9] * z * z
        ratio = min(max(max(lit, floor) / before[v], np.float32(_LEAST)), np.float32(_MOST))
        out[v] = ratio ** np.float32(1 / 2.2)


def _polynomial(light: Array) -> Array:
    """[10] f32 coefficients that `_gains` takes, of `light` [9] over the harmonics."""
    x, y, z = np.random.default_rng(0).normal(size=(3, 64))
    length = np.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    terms = np.stack([np.ones_like(x), x, y, z, x * y, y * z, x * z, x * x, y * y, z * z], 1)
    result: Array = np.linalg.lstsq(terms, harmonics(np.stack([x, y, z], 1)) @ light, rcond=None)[0]
    return result.astype(np.float32)

"""Colours of the head, linear light, and mixing. All were chosen by eye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.srgb import srgb_to_linear

from .mesh import Bools, Floats


def linear(code: str) -> Floats:
    """Linear-light RGB of an sRGB colour written as six hexadecimal digits."""
    srgb = np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255.0
    return srgb_to_linear(srgb)


SKIN, PALE, BLUSH, SHADE = linear("cb9d86"), linear("d6ad95"), linear("bd7566"), linear("9c7062")
OLIVE, FRECKLE, MOLE, STUBBLE = linear("c29c80"), linear("b07a58"), linear("6b4433"), linear("a48a80")
LIP, LIP_DEEP, LIP_PALE, LIP_SEAM = linear("b8675f"), linear("9c4f4a"), linear("dba58f"), linear("763833")
WET, CAVITY, NOSTRIL, WATERLINE = linear("a04e4c"), linear("6e2c2a"), linear("3a1712"), linear("c98478")
HAIR, BROW, SCALP, LASH_LINE = linear("1b130f"), linear("38271f"), linear("3a2b24"), linear("5a342a")
SCLERA, SCLERA_BACK, VEIN, CARUNCLE = linear("e4ddd6"), linear("cf9f92"), linear("b4594c"), linear("c77f74")
LIMBAL, IRIS_OUT, IRIS_IN, IRIS_RING = linear("1d1f20"), linear("54605c"), linear("8f8f74"), linear("7a5a34")
PUPIL_BLACK = linear("040404")
TOOTH, TOOTH_NECK, TOOTH_EDGE = linear("dfd3bb"), linear("c9ae82"), linear("c4c2bb")
GUM, TONGUE, TONGUE_COAT = linear("bf6f6a"), linear("b5605c"), linear("c98d82")


@dataclass(frozen=True)
class Look:
    """What a place looks like: albedo [n, 3] linear, roughness [n], height over the mesh [n] in mm."""

    albedo: Floats
    roughness: Floats
    height: Floats

    @staticmethod
    def blank(count: int) -> Look:
        """Plain, smooth places, to be painted in place."""
        return Look(np.tile(SKIN, (count, 1)), np.full(count, 0.5), np.zeros(count))

    def put(self, chosen: Bools, part: Look) -> None:
        """Take over `part` at the chosen places."""
        self.albedo[chosen], self.roughness[chosen] = part.albedo, part.roughness
        self.height[chosen] = part.height

    def blend(self, toward: Floats, amount: npt.ArrayLike) -> None:
        """Mix the albedo toward one colour by `amount` [n]."""
        self.albedo[:] += (toward - self.albedo) * np.clip(np.asarray(amount, float), 0, 1)[:, None]

    def gloss(self, roughness: float, amount: npt.ArrayLike) -> None:
        """Mix the roughness toward a value by `amount` [n]."""
        self.roughness[:] += (roughness - self.roughness) * np.clip(np.asarray(amount, float), 0, 1)

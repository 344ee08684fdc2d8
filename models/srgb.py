"""The sRGB transfer function (IEC 61966-2-1), and its inverse."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array


def srgb_to_linear(code: Array) -> Array:
    """Linear light 0-1 of sRGB values 0-1, any shape."""
    light: Array = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return light


def linear_to_srgb(light: Array) -> Array:
    """sRGB values 0-1 of linear light 0-1, any shape."""
    code: Array = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return code

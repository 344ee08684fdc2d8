"""Which of a picture's colours are the person's skin, and which the hair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array

_FEWEST = 30  # vertices for a measurement
_ROUNDS = 4
_KEPT = 2.5  # deviations within which a sample counts in the next round
_SKIN_FLOOR, _HAIR_FLOOR = (0.22, 0.10, 0.10), (0.45, 0.15, 0.15)  # least deviations (our choice)
_GAMMA, _STRAY = 2.2, (0.10, 0.22)  # display codes 0-1 away from a mixture within which it may be one
_ALIKE = (2.0, 4.5)  # deviations between which likeness ends (our choice)


@dataclass(frozen=True)
class Tone:
    """A colour and how far it varies, in logarithms: brightness, red to green, green to blue.

    Attributes:
        middle, spread: [3].
    """

    middle: Array
    spread: Array

    def likeness(self, colors: Array) -> Array:
        """[N] 1 for logarithmic colours [N, 3] that may be of this tone, 0 for others."""
        away = np.linalg.norm((_axes(colors) - self.middle) / self.spread, axis=1)
        t = np.clip((_ALIKE[1] - away) / (_ALIKE[1] - _ALIKE[0]), 0, 1)
        result: Array = t * t * (3 - 2 * t)
        return result

    @property
    def color(self) -> Array:
        """[3] logarithmic colour."""
        level, red, blue = self.middle
        green = level - (red - blue) / 3
        return np.array([green + red, green, green - blue])


def skin_tone(colors: Array) -> Tone | None:
    """The most common tone of logarithmic colours [N, 3] from a face's skin; None for too few."""
    return _tone(colors, _SKIN_FLOOR)


def hair_tone(colors: Array) -> Tone | None:
    """The most common tone of logarithmic colours [N, 3] from a scalp; None for too few."""
    return _tone(colors, _HAIR_FLOOR)


def alike(colors: Array, one: Array, other: Array) -> Array:
    """[N] 1 for logarithmic colours [N, 3] that are a mixture of two [3] to the eye, 0 for others."""
    code, low, high = (np.exp(each / _GAMMA) for each in (colors, one, other))
    line = high - low
    share = np.clip((code - low) @ line / max(float(line @ line), 1e-9), 0, 1)
    away = np.linalg.norm(code - low - share[:, None] * line, axis=1)
    t = np.clip((_STRAY[1] - away) / (_STRAY[1] - _STRAY[0]), 0, 1)
    result: Array = t * t * (3 - 2 * t)
    return result


def _tone(colors: Array, floor: tuple[float, float, float]) -> Tone | None:
    if len(colors) < _FEWEST:
        return None
    axes = _axes(colors)
    kept = np.ones(len(axes), bool)
    for _ in range(_ROUNDS):
        middle = np.median(axes[kept], 0)
        spread = np.maximum(1.48 * np.median(np.abs(axes[kept] - middle), 0), floor)
        kept = np.linalg.norm((axes - middle) / spread, axis=1) < _KEPT
    return Tone(middle, spread)


def _axes(colors: Array) -> Array:
    red, green, blue = colors.T
    return np.stack([colors.mean(1), red - green, green - blue], 1)

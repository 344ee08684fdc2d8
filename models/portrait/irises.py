"""The colour of a portrait's irises."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.tensorfile import Array

from .fit import PortraitFit

_FIRST = {"Right": 468, "Left": 473}  # of five landmarks: the centre, then four on the edge
# Our choices: smallest radius, pixels; the ring that is neither pupil nor limbus, in radii; how shut an eye
# may be; brightest samples left out (highlights), percent; how much lids darken an eye.
_SMALLEST, _RING, _SHUT, _BRIGHTEST, _SHADED = 2.5, (0.45, 0.85), 0.6, 60, 0.8


def iris_color(fit: PortraitFit, radiance: Array) -> Array | None:
    """[3] linear albedo of the irises in `radiance` [H, W, 3] linear; None where they cannot be seen."""
    samples = [
        ring
        for side, first in _FIRST.items()
        if fit.weights[ARKIT_INDEX[f"eyeBlink{side}"]] < _SHUT
        and len(ring := _ring(fit.landmarks[first : first + 5, :2], radiance))
    ]
    if not samples:
        return None
    shown = np.concatenate(samples)
    level = shown.mean(1)
    color: Array = np.median(shown[level <= np.percentile(level, _BRIGHTEST)], 0) / _SHADED
    return color


def _ring(marks: Array, radiance: Array) -> Array:
    """[N, 3] samples of the lower part of an iris, which the upper lid does not shade."""
    centre, radius = marks[0], float(np.linalg.norm(marks[1:] - marks[0], axis=1).mean())
    if not np.isfinite(radius) or radius < _SMALLEST:
        return np.zeros((0, 3))
    height, width = radiance.shape[:2]
    low = np.clip(np.floor(centre - radius).astype(int), 0, (width, height))
    high = np.clip(np.ceil(centre + radius).astype(int), 0, (width, height))
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    away = np.hypot(x + 0.5 - centre[0], y + 0.5 - centre[1]) / radius
    ring = (away > _RING[0]) & (away < _RING[1]) & (y + 0.5 > centre[1] - 0.2 * radius)
    samples: Array = radiance[y[ring], x[ring]]
    return samples

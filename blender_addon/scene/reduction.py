"""Few Bézier keys instead of one per frame, within a stated error.

A segment of an F-curve whose handles end at a third and two thirds of its time is a cubic Hermite curve: its
ends' values and slopes say all. Slopes are the motion's own central differences, so that segments join
smoothly.
"""

from __future__ import annotations

import numpy as np

from ..protocol.tensorfile import Array

MAX_ERROR = 0.005  # of a shape's full range; our choice: below what can be seen on the head


def slopes(values: Array) -> Array:
    """[n] slope per frame of `values` [n]: central differences, one-sided at the ends."""
    return np.asarray(np.gradient(values)) if len(values) > 1 else np.zeros(len(values))


def hermite(values: Array, slope: Array, a: int, b: int) -> Array:
    """[b - a - 1] the segment from frame a to b, at the frames between."""
    length = b - a
    t = np.arange(1, length) / length
    rest = 1.0 - t
    segment: Array = (
        rest * rest * (1.0 + 2.0 * t) * values[a]
        + t * t * (1.0 + 2.0 * rest) * values[b]
        + length * t * rest * (rest * slope[a] - t * slope[b])
    )
    return segment


def key_frames(values: Array, slope: Array, error: float) -> list[int]:
    """Frames to key, first and last among them, so that no frame of `values` [n] is off by more than `error`.

    A segment that is too far off is split where it is worst.
    """
    keys = {0}
    open_segments = [(0, len(values) - 1)]
    while open_segments:
        a, b = open_segments.pop()
        if b - a > 1:
            off = np.abs(hermite(values, slope, a, b) - values[a + 1 : b])
            worst = int(off.argmax())
            if off[worst] > error:
                open_segments += [(a, a + 1 + worst), (a + 1 + worst, b)]
                continue
        keys.add(b)
    return sorted(keys)

"""From 25 frames per second to any frame rate, smoothly: cubics through the frames around."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from blender_addon.protocol.tensorfile import Array

from .network import POSE_RATE

SAMPLING_LOOK_AHEAD = 2  # frames at 25 per second


class SmoothSampler:
    """Rows at 25 per second in, rows at `fps` out; output row i is at i / fps seconds.

    Between two rows runs the cubic with the slopes of their neighbours (Catmull and Rom 1974): no corners,
    and it passes through every row.
    """

    def __init__(self, fps: float, columns: int) -> None:
        self._step = POSE_RATE / fps  # input rows per output row
        self._rows = np.zeros((0, columns))
        self._first = 0  # absolute index of the first row kept
        self.emitted = 0

    def push(self, rows: Array) -> Array:
        """[n, columns] -> [m, columns] f32 the certain output rows."""
        self._rows = np.concatenate([self._rows, rows])
        newest = self._first + len(self._rows) - 1
        certain = int(np.floor((newest - SAMPLING_LOOK_AHEAD) / self._step + 1e-9)) + 1
        index = np.arange(self.emitted, max(certain, self.emitted))
        sampled = self._at(index * self._step)
        self.emitted += len(index)
        passed = int(self.emitted * self._step) - 1 - self._first
        if passed > 0:
            self._rows, self._first = self._rows[passed:], self._first + passed
        return sampled.astype(np.float32)

    def _at(self, place: Array) -> Array:
        """[m] places in input rows -> [m, columns]; before the first row it is as the first."""
        base = np.floor(place + 1e-9).astype(np.int64)
        taps = catmull_rom(place - base)  # [m, 4]
        total = np.zeros((len(place), self._rows.shape[1]))
        for tap in range(4):
            row = np.maximum(base + tap - 1, 0) - self._first
            total += taps[:, tap, None] * self._rows[row]
        return total


def catmull_rom(x: Array) -> Array:
    """[m] 0-1 between two rows -> [m, 4] weights of the rows before, at, after and beyond."""
    square, cube = x * x, x * x * x
    after = -3 * cube + 4 * square + x
    taps = np.stack([-cube + 2 * square - x, 3 * cube - 5 * square + 2, after, cube - square], axis=1)
    return np.asarray(0.5 * taps)


def resampled(rows: Array, fps: float, rate: float) -> Array:
    """[n, columns] at `fps` -> [m, columns] f32 at `rate`, both from time 0, nothing past the last row.

    Through the same cubics; when `rate` is lower, what is too fast for it is averaged away before.
    """
    reach = fps / rate
    if reach > 1.0:
        rows = gaussian_filter1d(rows, 0.4 * reach, axis=0, mode="nearest")
    place = np.arange(int((len(rows) - 1) / reach + 1e-9) + 1) * reach
    base = np.floor(place + 1e-9).astype(np.int64)
    taps = catmull_rom(place - base)
    index = np.clip(base[:, None] + np.arange(-1, 3), 0, len(rows) - 1)
    return np.asarray(np.einsum("mt,mtc->mc", taps, rows[index]), np.float32)

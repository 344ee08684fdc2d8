"""Taking a detector's jitter out of a motion without delaying or flattening it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import convolve1d

from blender_addon.protocol.tensorfile import Array

_STILL = 10.0  # per cent of the frames that are taken to move least: they show the jitter; our choice
_FEWEST = 0.5  # of the standard deviation of white noise, what is found so where there is nothing else
_THIRD_DIFFERENCE = np.array([1.0, -3.0, 3.0, -1.0]) / np.sqrt(20.0)  # of unit variance for white noise
_SHORTEST = 8  # frames; shorter pieces stay as they are
_SURPLUS = 2.0  # energy in jitters from which a frame counts as moving: more than noise reaches; our choice


def jitter(values: Array) -> Array:
    """Standard deviation [C] of what changes from frame to frame while `values` [F, C] hardly move.

    From third differences, which slow motion does not reach, where they are smallest over a few frames.
    """
    if len(values) < _SHORTEST:
        return np.zeros(values.shape[1])
    rough = convolve1d(values, _THIRD_DIFFERENCE, axis=0, mode="nearest") ** 2
    local = convolve1d(rough, np.full(5, 0.2), axis=0, mode="nearest")
    return np.asarray(np.sqrt(np.percentile(local, _STILL, axis=0)) / _FEWEST)


def smoothed(values: Array, noise: Array, reach: int) -> Array:
    """`values` [F, C] without jitter: a local Wiener filter (Lee, 1980), zero-phase.

    A frame goes to the mean of its neighbours as far as what happens round it could be noise. All channels
    go together, so that what several of them say in common, such as the gap between the lips, keeps its form;
    a closure or a blink of two frames is far above the noise and stays.

    Args:
        noise: [C] standard deviations, as `jitter` gives them; a channel with 0 has no say.
        reach: frames to either side.
    """
    if len(values) < _SHORTEST or not noise.any():
        return values
    window = np.hanning(2 * reach + 3)[1:-1]
    window = window / window.sum()

    def mean(array: Array) -> Array:
        return np.asarray(convolve1d(array, window, axis=0, mode="nearest"))

    heard = noise > 0
    local = mean(values)
    spread = mean((values - local)[:, heard] ** 2 / noise[heard] ** 2)  # [F, C'] in variances of the noise
    energy = spread.max(1)
    kept = np.clip(1.0 - _SURPLUS / np.maximum(energy, 1e-12), 0.0, 1.0)
    return np.asarray(local + kept[:, None] * (values - local))

"""Frechet distance between sets of head motions: are windows of the two alike as a whole?

A window of 2.56 s becomes 42 numbers, seven for each axis: its level and its three slowest cosine
coefficients (to 0.6 Hz), and the logarithm of its energy at 0.8-1.8, 2-3.7 and 3.9-8 Hz. Each is divided by
its spread in the reference. The floor is the distance between two halves of the reference's takes; others are
compared half against half too, so that all distances come from the same number of windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import dct
from scipy.linalg import sqrtm

from blender_addon.protocol.tensorfile import Array

_WINDOW = 64  # frames
_SLOW = 4  # coefficients kept as they are; coefficient k is at 0.195 k Hz
_BANDS = ((4, 10), (10, 20), (20, 42))
_FAINT = 1e-9  # rad^2 and m^2: energy that counts as none, 0.03 mrad or mm
_SPLITS = 12


@dataclass(frozen=True)
class Distance:
    """`value`: mean over splits in half; `low`, `high`: the least and the greatest of them."""

    value: float
    low: float
    high: float


def features(motion: Array) -> Array:
    """[T, 6] -> [T // 64, 42] of windows that do not overlap."""
    count = len(motion) // _WINDOW
    windows = np.asarray(motion[: count * _WINDOW], np.float64).reshape(count, _WINDOW, motion.shape[1])
    cosine = dct(windows, axis=1, norm="ortho")
    energy = [np.log((cosine[:, low:high] ** 2).sum(1) + _FAINT) for low, high in _BANDS]
    return np.concatenate([cosine[:, :_SLOW].reshape(count, -1), *energy], axis=1)


def frechet(one: Array, other: Array) -> float:
    """Squared Frechet distance of the Gaussians with the means and covariances of [n, d] and [m, d]."""
    gap = one.mean(0) - other.mean(0)
    a, b = np.atleast_2d(np.cov(one.T)), np.atleast_2d(np.cov(other.T))
    root = np.real(sqrtm(a @ b))
    return float(gap @ gap + np.trace(a) + np.trace(b) - 2.0 * np.trace(root))


class FrechetJudge:
    """Distances to one reference: motions [T, 6], as many as every set that is judged has."""

    def __init__(self, reference: Sequence[Array]) -> None:
        found = [features(motion) for motion in reference]
        every = np.concatenate(found)
        self._spread = every.std(0) + 1e-9
        self._reference = [part / self._spread for part in found]
        rng = np.random.default_rng(0)
        self._orders = [rng.permutation(len(reference)) for _ in range(_SPLITS)]

    def floor(self) -> Distance:
        """One half of the reference against the other."""
        return self._over_splits(self._reference)

    def distance(self, motions: Sequence[Array]) -> Distance:
        """One half of the reference against the other half's places in `motions`."""
        return self._over_splits([features(motion) / self._spread for motion in motions])

    def _over_splits(self, other: Sequence[Array]) -> Distance:
        half = len(self._reference) // 2
        values = [
            frechet(
                np.concatenate([self._reference[i] for i in order[:half]]),
                np.concatenate([other[i] for i in order[half : 2 * half]]),
            )
            for order in self._orders
        ]
        return Distance(float(np.mean(values)), min(values), max(values))

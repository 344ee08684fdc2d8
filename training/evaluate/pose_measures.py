"""Measures of head motion: how much it moves, how it differs between takes, how long runs behave.

A motion is [T, 6] at `RATE`, a clip's pose relative to rest in the face file's axes: rotation vector in
radians, then translation in metres; see `AXES`. Takes are [S, T, 6]: one sound, S seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.signal import welch

from blender_addon.protocol.tensorfile import Array

RATE = 25.0  # frames per second, of the pose model
# Positive: chin down, head tilted and turned to the subject's left; moved left, back, up.
AXES = ("pitch", "roll", "yaw", "side", "depth", "lift")
ROTATION, SHIFT = slice(0, 3), slice(3, 6)
FAST = 8.0  # hertz: no energy is expected above (issue: long runs)
_BLOCK = 30.0  # seconds over which a run's mean is taken
_WELCH = 128  # frames, 5.1 s: bins are 0.2 Hz apart
_BAND = 0.5  # hertz, of the bands in which spectra are compared; our choice
SPECTRUM_TOP = 6.0  # hertz: up to here reconstructions are compared
_NOTHING = 1e-14  # power density (rad^2/Hz, m^2/Hz) that counts as none
_EDGE = 99.9  # percentile of the reference's second differences
_TINY = 1e-12


def variance_over_time(takes: Array) -> Array:
    """[..., T, 6] -> [6]: each take's variance about its own mean, averaged over the takes."""
    return np.asarray(takes.reshape(-1, *takes.shape[-2:]).var(1).mean(0))


def variance_across_seeds(takes: Array) -> Array:
    """[S, T, 6] -> [6]: unbiased variance across seeds at one moment, averaged over the moments."""
    return np.asarray(takes.var(0, ddof=1).mean(0))


def angle_std(variance: Array) -> float:
    """[6] variances -> degrees: root mean of the three rotations' variances."""
    return float(np.degrees(np.sqrt(variance[ROTATION].mean())))


def shift_std(variance: Array) -> float:
    """[6] variances -> millimetres: root mean of the three translations' variances."""
    return float(1000.0 * np.sqrt(variance[SHIFT].mean()))


@dataclass(frozen=True)
class Spectrum:
    """hertz: [n]; power: [n, 6] density, rad^2/Hz and m^2/Hz."""

    hertz: Array
    power: Array

    def bands(self, top: float = SPECTRUM_TOP) -> Array:
        """[bands, 6] mean density in bands of half a hertz up to `top`."""
        edges = np.arange(0.0, top + 1e-9, _BAND)
        inside = [(self.hertz > low) & (self.hertz <= high) for low, high in pairwise(edges)]
        return np.stack([self.power[rows].mean(0) for rows in inside])

    def above(self, hertz: float) -> Array:
        """[6] power above `hertz`."""
        return np.asarray(self.power[self.hertz > hertz].sum(0) * (self.hertz[1] - self.hertz[0]))


def spectrum_of(motions: Sequence[Array]) -> Spectrum:
    """Welch's estimate over all motions [T, 6], each at least 5.1 s long."""
    found = [welch(motion, RATE, nperseg=_WELCH, axis=0) for motion in motions]
    weights = [float(len(motion)) for motion in motions]
    return Spectrum(found[0][0], np.average([power for _, power in found], axis=0, weights=weights))


def decibels(spectrum: Spectrum, reference: Spectrum, top: float = SPECTRUM_TOP) -> Array:
    """[bands, 6] level of each band relative to the reference's."""
    ratio = (spectrum.bands(top) + _NOTHING) / (reference.bands(top) + _NOTHING)
    return np.asarray(10.0 * np.log10(ratio))


@dataclass(frozen=True)
class Limits:
    """What reference takes do.

    Attributes:
        std: [6] over time. bend: [6] 99.9th percentile of the second differences' size, per frame^2.
        fast: [6] root mean square of what is faster than 8 Hz.
    """

    std: Array
    bend: Array
    fast: Array


@dataclass(frozen=True)
class LongRun:
    """How takes of one long sound behave beside the reference.

    Attributes:
        mean: [6] largest |mean| of any block of 30 s of any take, relative to rest.
        std_ratio: [6] largest standard deviation of a take by the reference's.
        bend_ratio: [6] largest second difference of all by the reference's 99.9th percentile.
        bend_share: [6] share of frames beyond that percentile; the reference has 0.001.
        fast: [6] root mean square of what is faster than 8 Hz.
    """

    mean: Array
    std_ratio: Array
    bend_ratio: Array
    bend_share: Array
    fast: Array


def limits_of(reference: Array) -> Limits:
    """The limits of reference takes [S, T, 6]."""
    bend = np.abs(np.diff(reference, 2, axis=1)).reshape(-1, 6)
    return Limits(
        std=np.sqrt(variance_over_time(reference)),
        bend=np.percentile(bend, _EDGE, axis=0),
        fast=np.sqrt(spectrum_of(list(reference)).above(FAST)),
    )


def long_run(takes: Array, limits: Limits) -> LongRun:
    """Judge takes [S, T, 6] of one long sound."""
    bend = np.abs(np.diff(takes, 2, axis=1))
    edge = np.maximum(limits.bend, _TINY)
    return LongRun(
        mean=np.abs(block_means(takes)).max((0, 1)),
        std_ratio=takes.std(1).max(0) / np.maximum(limits.std, _TINY),
        bend_ratio=bend.max((0, 1)) / edge,
        bend_share=(bend > edge).mean((0, 1)),
        fast=np.sqrt(spectrum_of(list(takes)).above(FAST)),
    )


def block_means(takes: Array) -> Array:
    """[S, T, 6] -> [S, blocks, 6] means of whole blocks of 30 s; of all there is where it is shorter."""
    size = min(int(_BLOCK * RATE), takes.shape[1])
    count = takes.shape[1] // size
    return np.asarray(takes[:, : count * size].reshape(len(takes), count, size, 6).mean(2))


def in_units(values: Array) -> Array:
    """[..., 6] radians and metres -> degrees and millimetres."""
    return np.concatenate([np.degrees(values[..., ROTATION]), 1000.0 * values[..., SHIFT]], axis=-1)

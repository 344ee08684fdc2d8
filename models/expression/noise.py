"""Smooth random curves of a seed and of time only, so that any cut of a sound gives the same ones.

Random knots stand at fixed times and a cubic B-spline runs through their neighbourhoods; several spacings are
added. Knots come from a counter-based generator: the mixing function of SplitMix64 (Steele, Lea and Flood
2014, "Fast splittable pseudorandom number generators") on seed, octave, channel and knot.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from blender_addon.protocol.tensorfile import Array

NOISE_CHANNELS = 8  # what the network's other branch follows; `training.other` says what each of them does
# Frames at 50 per second between knots, and each octave's share of the variance. A cubic B-spline forgets
# within about one spacing: 0.3 to 1.1 s, as long as a gesture of the face up to a short phrase. Our choice.
_OCTAVES: tuple[tuple[float, float], ...] = ((56.0, 0.6), (28.0, 0.25), (14.0, 0.15))
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_WORDS = np.array([0, 16, 32, 48], np.uint64)
_MASK = (1 << 64) - 1
Words = np.ndarray[Any, np.dtype[np.uint64]]


def noise_track(seed: int, first: int, count: int, channels: int) -> Array:
    """[count, channels] f32 noise of frames `first`, `first + 1`, ... at 50 per second.

    Every channel has mean 0 and variance 1 at every frame and is independent of the others and of those of
    other seeds.
    """
    return noise_at(seed, np.arange(first, first + count, dtype=np.float64), channels)


def noise_at(seed: int, frames: Array, channels: int) -> Array:
    """[n, channels] f32: `noise_track` at any times, given in frames at 50 per second [n]."""
    total = np.zeros((len(frames), channels))
    for octave, (spacing, share) in enumerate(_OCTAVES):
        place = frames / spacing
        first = np.floor(place)
        taps = _spline(place - first)  # [n, 4]
        taps *= np.sqrt(share / np.square(taps).sum(1, keepdims=True))
        knot = first.astype(np.int64)[:, None] + np.arange(-1, 3)  # [n, 4]
        low = int(knot.min()) if len(frames) else 0
        values = _knots(seed, octave, np.arange(low, int(knot.max(initial=low)) + 1), channels)
        for tap in range(4):
            total += taps[:, tap, None] * values[knot[:, tap] - low]
    return total.astype(np.float32)


def derived_seed(seed: int, purpose: int) -> int:
    """A seed for another use of the same take, so that two uses do not move alike."""
    return int(_keyed(seed, purpose)[0])


def _spline(x: Array) -> Array:
    """[n] 0-1 between two knots -> [n, 4] weights of the knots before, at, after and beyond."""
    return np.stack(
        [(1 - x) ** 3, 3 * x**3 - 6 * x**2 + 4, -3 * x**3 + 3 * x**2 + 3 * x + 1, x**3],
        axis=1,
    )


def _knots(seed: int, octave: int, knots: Array, channels: int) -> Array:
    """[n] knot numbers -> [n, channels] nearly normal values: four 16-bit words of a hash, summed."""
    state = _mixed(_keyed(seed, octave) + _GOLDEN * np.arange(1, channels + 1, dtype=np.uint64))  # [channels]
    hashed = _mixed(state + _GOLDEN * knots.astype(np.int64).view(np.uint64)[:, None])
    words = ((hashed[..., None] >> _WORDS) & np.uint64(0xFFFF)).sum(-1).astype(np.float64)
    centred: Array = ((words + 2.0) / 65536.0 - 2.0) * 3.0**0.5  # the sum of four uniforms varies by 1/3
    return centred


def _keyed(seed: int, number: int) -> Words:
    """[1] a stream of its own for every number."""
    return _mixed(np.array([seed & _MASK], np.uint64) + _GOLDEN * np.array([number + 1], np.uint64))


def _mixed(words: Words) -> Words:
    """The finaliser of SplitMix64."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))

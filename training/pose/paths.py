"""Movements as people make them: minimum-jerk strokes between stops, and noise of a band."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import oaconvolve

from blender_addon.protocol.tensorfile import Array

FINE_RATE = 100  # per second, at which movements are drawn before they are sampled down
Generator = np.random.Generator


def stroked(stops: Array, values: Array, frames: int) -> Array:
    """A path [frames, d] at `FINE_RATE` that rests for a moment at every stop.

    Between stops it goes with the least jerk, as reaching movements do (Flash and Hogan 1985, "The
    coordination of arm movements"); before the first and after the last stop it stays.

    Args:
        stops: [n] seconds, ascending. values: [n, d] where the path is then.
    """
    times = np.arange(frames) / FINE_RATE
    index = np.clip(np.searchsorted(stops, times, side="right") - 1, 0, len(stops) - 2)
    width = np.maximum(stops[index + 1] - stops[index], 1e-6)
    x = np.clip((times - stops[index]) / width, 0.0, 1.0)
    share = (x**3 * (10.0 - 15.0 * x + 6.0 * x**2))[:, None]
    return np.asarray(values[index] + (values[index + 1] - values[index]) * share)


def add_stroke(path: Array, stops: Array, values: Array) -> None:
    """Add a gesture that begins and ends at 0 to `path` [F]: `stroked` where it moves, in place."""
    first = max(0, int(np.floor(stops[0] * FINE_RATE)))
    last = min(len(path), int(np.ceil(stops[-1] * FINE_RATE)) + 1)
    if last > first:
        path[first:last] += stroked(stops - first / FINE_RATE, values[:, None], last - first)[:, 0]


def band_noise(shape: tuple[int, int], fast: float, slow: float, rng: Generator) -> Array:
    """[F, d] normal noise of variance 1 at `FINE_RATE`, little above 0.2 / fast and below 0.1 / slow hertz.

    `fast` and `slow` are the deviations in seconds of two Gaussian windows; the noise is the difference of
    its means under them.
    """
    margin = int(4 * slow * FINE_RATE)
    white = rng.normal(size=(shape[0] + 2 * margin, shape[1]))
    impulse = np.zeros(2 * margin + 1)
    impulse[margin] = 1.0
    window = gaussian_filter1d(impulse, fast * FINE_RATE) - gaussian_filter1d(impulse, slow * FINE_RATE)
    window /= np.sqrt(np.square(window).sum())
    return np.asarray(oaconvolve(white, window[:, None], mode="valid", axes=0))


def smoothed(path: Array, deviation: float) -> Array:
    """[F, d] -> its means under a Gaussian window of `deviation` seconds, mirrored at the ends."""
    margin = int(4.0 * deviation * FINE_RATE)
    window = np.exp(-0.5 * np.square(np.arange(-margin, margin + 1) / (deviation * FINE_RATE)))
    padded = np.pad(path, ((margin, margin), (0, 0)), mode="symmetric")
    return np.asarray(oaconvolve(padded, (window / window.sum())[:, None], mode="valid", axes=0))

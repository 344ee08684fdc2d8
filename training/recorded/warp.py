"""The first aligner: dynamic time warping of a recording to a synthesised reading with known phone times.

It knows no language and no trained model; it compares cepstra (Sakoe and Chiba, 1978: symmetric steps with a
slope between 1/2 and 2, here without a band because the recordings are short).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numba import njit
from scipy.fft import dct
from scipy.spatial.distance import cdist

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import HOP, SAMPLE_RATE, WINDOW, log_mel, power_spectrum

from ..symbols import Segment

FRAMES = SAMPLE_RATE // HOP  # per second
_CEPSTRA = 13
_SPEECH_RANGE = 7.0  # nepers of power (30 dB) below the loudest frame that count as speech
_FLOOR_RANGE = 11.5  # nepers of power (50 dB): what is quieter is made equal
_SLOPE_REACH = 2  # frames for the slopes (deltas)
_SKIP_COST = 1.5  # of a step that takes two frames of one sound to one of the other, our choice


def cepstra(samples: Array) -> Array:
    """[n] samples at 16 kHz -> [n // HOP + 1, 26] cepstra and their slopes, of zero mean and unit variance
    over the speech frames, so that voice and microphone matter little."""
    padded = np.pad(samples.astype(np.float32), WINDOW // 2)
    bands = log_mel(power_spectrum(torch.from_numpy(padded))).numpy().astype(np.float64)
    loudness = bands.max(1)
    bands = np.maximum(bands, loudness.max() - _FLOOR_RANGE)
    static = dct(bands, norm="ortho")[:, :_CEPSTRA]
    reach = np.pad(static, ((_SLOPE_REACH, _SLOPE_REACH), (0, 0)), mode="edge")
    slope = reach[2 * _SLOPE_REACH :] - reach[: -2 * _SLOPE_REACH]
    features = np.concatenate([static, slope], 1)
    speech = features[loudness > loudness.max() - _SPEECH_RANGE]
    return np.asarray((features - speech.mean(0)) / (speech.std(0) + 1e-6))


def warped(times: Array, reading: Array, recording: Array) -> tuple[Array, float]:
    """Carry times in the reading, seconds, over to the recording; both are samples at 16 kHz.

    Returns them and the mean distance of the matched frames. The ends are matched to the ends.
    """
    one, two = cepstra(reading), cepstra(recording)
    path, cost = best_path(cdist(one, two))
    # Where the path stands still in one sound, a time maps to the middle of what it is matched to.
    frames = np.unique(path[:, 0])
    matched = np.array([path[path[:, 0] == frame, 1].mean() for frame in frames])
    return np.interp(times * FRAMES, frames, matched) / FRAMES, cost


def best_path(distance: Array) -> tuple[Array, float]:
    """[n, m] distances -> [k, 2] the cheapest path from corner to corner, and its mean cost per step.

    A path moves by (1, 1), (1, 2) or (2, 1); where lengths differ by more than a factor of two, the end of
    the longer one is left out.
    """
    total, came = _accumulate(np.ascontiguousarray(distance, np.float64))
    i, j = _end(total)
    path = [(i, j)]
    while (i, j) != (0, 0):
        move = came[i, j]
        i, j = (i - 1 - (move == 2), j - 1 - (move == 1))
        path.append((i, j))
    steps = np.array(path[::-1])
    return steps, float(total[steps[-1][0], steps[-1][1]] / len(steps))


def _end(total: Array) -> tuple[int, int]:
    rows, columns = total.shape
    last_row, last_column = total[-1], total[:, -1]
    if np.isfinite(total[-1, -1]):
        return rows - 1, columns - 1
    if np.isfinite(last_row).any():
        return rows - 1, int(np.flatnonzero(np.isfinite(last_row))[-1])
    return int(np.flatnonzero(np.isfinite(last_column))[-1]), columns - 1


@njit(cache=True)  # type: ignore[untyped-decorator]
def _accumulate(distance: Array) -> tuple[Array, Array]:
    rows, columns = distance.shape
    total = np.full((rows, columns), np.inf)
    came = np.zeros((rows, columns), np.int8)
    total[0, 0] = distance[0, 0]
    for i in range(1, rows):
        for j in range(1, columns):
            best, move = total[i - 1, j - 1] + distance[i, j], 0
            if j > 1:
                cost = total[i - 1, j - 2] + _SKIP_COST * distance[i, j]
                if cost < best:
                    best, move = cost, 1
            if i > 1:
                cost = total[i - 2, j - 1] + _SKIP_COST * distance[i, j]
                if cost < best:
                    best, move = cost, 2
            total[i, j], came[i, j] = best, move
    return total, came


def median_alignment(alignments: Sequence[Sequence[Segment]]) -> list[Segment]:
    """Several alignments of the same phones -> one whose times are the medians."""
    times = np.median([[row[:2] for row in rows] for rows in alignments], 0)
    return [(float(a), float(b), row[2]) for (a, b), row in zip(times, alignments[0], strict=True)]

"""Do head and voice beat together? Beats of the sound, beats of the head, and how they meet.

A motion beat is a local minimum of the head's speed: the end of a stroke. Audio beats are onsets: peaks of
the spectral flux. Of both the strongest are taken, the same number, so that nobody wins by moving more
often: onsets by their height, ends of strokes by how fast the head is both before and after. Chance is what
the same beats give when the sound's are moved by seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import binary_erosion, gaussian_filter1d
from scipy.signal import find_peaks

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import HOP, SAMPLE_RATE, WINDOW, log_mel, power_spectrum

from .pose_measures import RATE, ROTATION

SIGMA = 0.12  # seconds (the spec's definition)
BEATS_PER_SECOND = 1.0  # how many of each are compared; our choice: about the rate of stressed words
_FRAMES = SAMPLE_RATE / HOP  # of the flux, per second
_ONSET = 0.03  # seconds: smoothing of the flux; our choice
_STROKE = 0.04  # seconds: smoothing of the head's speed; our choice
_NEAR = 0.24  # seconds before and after the end of a stroke in which its speed is sought; our choice
_RANGE = 6.0  # natural-log units below the loudest that the flux listens to, 26 dB; our choice
_APART = 0.15  # seconds between two onsets: syllables come at most about so fast
_LOUD, _PAUSE_RANGE, _INSIDE = 97.0, 35.0, 0.5  # percentile, decibels below it, seconds: a pause; our choice
_SHIFTS = np.arange(2.0, 8.0, 0.5)  # seconds, for chance


@dataclass(frozen=True)
class Beats:
    """times: [n] seconds, in order. strength: [n], only their order means something."""

    times: Array
    strength: Array

    def strongest(self, count: int) -> Array:
        """[<= count] times of the strongest, in order."""
        return np.sort(self.times[np.argsort(-self.strength, kind="stable")[:count]])

    def until(self, seconds: float) -> Beats:
        """Those before `seconds`."""
        kept = self.times < seconds
        return Beats(self.times[kept], self.strength[kept])


@dataclass(frozen=True)
class Alignment:
    """Attributes:
    f1: of `precision` (motion beats near an audio beat) and `recall` (audio beats near a motion beat).
    chance: mean f1 with the sound moved by 2 to 8 seconds.
    count: beats compared of each kind.
    """

    f1: float
    precision: float
    recall: float
    chance: float
    count: int


def audio_beats(samples: Array) -> Beats:
    """Onsets of [n] samples at 16 kHz."""
    padded = torch.from_numpy(np.pad(np.asarray(samples, np.float32), WINDOW // 2))
    mel = log_mel(power_spectrum(padded)).numpy()
    heard = np.maximum(mel, mel.max() - _RANGE) if len(mel) else mel
    rise = np.maximum(np.diff(heard, axis=0, prepend=heard[:1]), 0.0).mean(1)
    flux = gaussian_filter1d(rise, _ONSET * _FRAMES)
    peaks, found = find_peaks(flux, prominence=0.0, distance=max(1, round(_APART * _FRAMES)))
    return Beats(peaks / _FRAMES, found["prominences"])


def pauses(samples: Array, frames: int) -> Array:
    """[frames] bool at `RATE`: in a pause of a second or more, half a second from its ends."""
    step = round(SAMPLE_RATE / RATE)
    whole = np.zeros(frames * step)
    whole[: len(samples)] = samples[: len(whole)]
    level = 10.0 * np.log10(np.square(whole.reshape(frames, step)).mean(1) + 1e-10)
    quiet = level < np.percentile(level, _LOUD) - _PAUSE_RANGE
    return np.asarray(binary_erosion(quiet, np.ones(2 * round(_INSIDE * RATE) + 1), border_value=1))


def motion_beats(motion: Array) -> Beats:
    """Local minima of the rotation's speed in a motion [T, 6]."""
    if len(motion) < 3:
        return Beats(np.zeros(0), np.zeros(0))
    speed = np.linalg.norm(np.diff(motion[:, ROTATION], axis=0), axis=1)
    smooth = gaussian_filter1d(speed, _STROKE * RATE)
    ends, _ = find_peaks(-smooth)
    reach = round(_NEAR * RATE)
    ahead = sliding_window_view(np.pad(smooth, reach, mode="edge"), reach + 1).max(1)
    before, after = ahead[ends], ahead[ends + reach]
    return Beats((ends + 0.5) / RATE, np.minimum(before, after) - smooth[ends])


def alignment(sound: Beats, motion: Beats, seconds: float) -> Alignment:
    """How the strongest beats of both meet; NaN where one has none."""
    count = min(round(BEATS_PER_SECOND * seconds), len(sound.times), len(motion.times))
    if count == 0:
        return Alignment(*(float("nan"),) * 4, 0)
    a, m = sound.strongest(count), motion.strongest(count)
    precision, recall = _near(m, a), _near(a, m)
    moved = [np.sort((a + shift) % seconds) for shift in _SHIFTS]
    chance = float(np.mean([_f1(_near(m, other), _near(other, m)) for other in moved]))
    return Alignment(_f1(precision, recall), precision, recall, chance, count)


def _near(beats: Array, others: Array) -> float:
    """Mean over `beats` of a Gaussian of the distance to the nearest of `others`; both in order."""
    bounded = np.concatenate([[-np.inf], others, [np.inf]])
    after = np.searchsorted(bounded, beats)
    nearest = np.minimum(beats - bounded[after - 1], bounded[after] - beats)
    return float(np.exp(-0.5 * (nearest / SIGMA) ** 2).mean())


def _f1(precision: float, recall: float) -> float:
    return 2.0 * precision * recall / (precision + recall + 1e-12)

"""Features of a sound that arrives in pieces of any size."""

from __future__ import annotations

import numpy as np
import torch

from blender_addon.protocol.tensorfile import Array

from .level import LOOK_AHEAD, causal_level, initial_level, normalise
from .mel import HOP, MELS, SAMPLE_RATE, WINDOW, log_mel, power_spectrum

_MARGIN = WINDOW // 2
FEATURE_LOOK_AHEAD = (_MARGIN + LOOK_AHEAD * HOP) / SAMPLE_RATE  # seconds
_LONGEST_BLOCK = 3000  # frames; bounds memory when a whole film is pushed at once


def frames_to_cover(samples: int) -> int:
    """Frames at 50 per second that features of so many samples are computed for: one past the end."""
    return samples // (2 * HOP) + 2


class FeatureStream:
    """Samples in, normalised log-mel features at 100 frames per second out; frame j is at j / 100 s.

    The level of frame j is known `LOOK_AHEAD` frames later, so features come that much after their sound.
    """

    def __init__(self) -> None:
        self._samples = np.zeros(_MARGIN, np.float32)  # what the next frame starts with
        self._bands = np.zeros((0, MELS), np.float32)  # frames whose level is not known yet
        self._level = initial_level()
        self._last_level = np.zeros(0)
        self._heard = 0
        self._made = 0

    def push(self, samples: Array) -> Array:
        """[n] f32 samples at 16 kHz -> [m, MELS] the features that became certain, m >= 0."""
        self._heard += len(samples)
        block = _LONGEST_BLOCK * HOP
        parts = [self._advance(samples[i : i + block]) for i in range(0, len(samples), block)]
        return np.concatenate([np.zeros((0, MELS), np.float32), *parts])

    def finish(self) -> Array:
        """The remaining features: frames up to and past the sound's end, an even number in all."""
        total = 2 * frames_to_cover(self._heard)
        missing = WINDOW + (total - self._made - len(self._bands) - 1) * HOP - len(self._samples)
        certain = self._advance(np.zeros(missing, np.float32))
        rest = normalise(self._bands, np.repeat(self._last_level, len(self._bands)))
        self._bands = self._bands[:0]
        return np.concatenate([certain, rest])

    def _advance(self, samples: Array) -> Array:
        self._samples = np.concatenate([self._samples, np.asarray(samples, np.float32)])
        count = max(0, (len(self._samples) - WINDOW) // HOP + 1)
        if count == 0:
            return np.zeros((0, MELS), np.float32)
        span = torch.from_numpy(self._samples[: WINDOW + (count - 1) * HOP])
        bands = log_mel(power_spectrum(span)).numpy()
        self._samples = self._samples[count * HOP :]
        level = causal_level(bands.mean(-1).astype(np.float64), self._level)
        self._last_level = level[-1:]
        waiting = np.concatenate([self._bands, bands])
        ready = max(0, len(waiting) - LOOK_AHEAD)
        self._bands = waiting[ready:]
        self._made += ready
        return normalise(waiting[:ready], level[len(level) - ready :])

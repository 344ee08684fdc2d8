"""The corpus builder's one resampler."""

from __future__ import annotations

from math import gcd

import numpy as np
from scipy.signal import resample_poly

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE


def to_corpus_rate(samples: Array, rate: int) -> Array:
    """[n] samples at `rate` Hz -> [m] f32 at 16 kHz."""
    if rate == SAMPLE_RATE:
        return np.asarray(samples, np.float32)
    common = gcd(SAMPLE_RATE, rate)
    return np.asarray(resample_poly(samples, SAMPLE_RATE // common, rate // common), np.float32)

"""Reading the plain 16-bit mono .wav files that speech engines write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import wavfile

from blender_addon.protocol.tensorfile import Array

from .resample import to_corpus_rate


def read_wave(path: Path) -> Array:
    """[n] f32 at 16 kHz. Raises OSError or ValueError when the engine left no usable file."""
    rate, samples = wavfile.read(path)
    if samples.dtype != np.int16 or samples.ndim != 1 or len(samples) == 0:
        raise ValueError(f"{path}: expected 16-bit mono, got {samples.dtype} {samples.shape}")
    return to_corpus_rate(samples.astype(np.float32) / 32768.0, int(rate))

"""The sound of a movie, at its own quality."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np

from backend.media.audio import AudioSpan, SoundForm, convert_samples, decode_audio, probe_audio
from backend.media.video import Sound
from blender_addon.protocol.tensorfile import Array

_RATE = 48_000  # what video editors expect


def sound_of_file(path: Path, span: AudioSpan) -> Sound:
    """A part of the sound of a file, mono or stereo.

    Raises:
        InputError, MediaError: it cannot be read.
    """
    form = SoundForm(_RATE, min(2, probe_audio(path).channels))
    return Sound(decode_audio(path, span, form), form)


def delayed(sound: Sound, seconds: float) -> Sound:
    """`sound` after so many seconds of silence."""
    samples = round(seconds * sound.form.rate)
    shape = (samples,) if sound.form.channels == 1 else (samples, sound.form.channels)
    return Sound(chain([np.zeros(shape, np.float32)], sound.blocks), sound.form)


def sound_of_samples(samples: Array, sample_rate: int, span: AudioSpan) -> Sound:
    """A part of a sound in memory, [n] or [n, channels].

    Raises:
        MediaError: it is no sound.
    """
    form = SoundForm(_RATE, 1 if samples.ndim == 1 else min(2, samples.shape[1]))
    return Sound(convert_samples(samples, sample_rate, span, form), form)

"""Reading the recordings: any container, g722 telephone sound included, to 16 kHz mono."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from blender_addon.protocol.errors import FileFormatError
from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

_HEADERLESS = {".g722": "g722", ".gsm": "gsm"}
_SPEECH_RANGE = 35.0  # decibels below the loudest frame that count as speech; our choice
_FRAME = SAMPLE_RATE // 100


def read_recording(path: Path) -> Array:
    """[n] f32 samples at 16 kHz, scaled down where they exceed 1. Raises `FileFormatError`."""
    resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE)
    try:
        with av.open(str(path), format=_HEADERLESS.get(path.suffix)) as container:
            frames = [
                out for frame in container.decode(audio=0) for out in resampler.resample(frame)
            ] + resampler.resample(None)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise FileFormatError(f"cannot read the recording {path}: {error}") from error
    samples = np.concatenate([np.zeros(0, np.float32), *(frame.to_ndarray()[0] for frame in frames)])
    return np.asarray(samples / max(1.0, float(np.abs(samples).max(initial=0.0))))


def speech_bounds(samples: Array) -> tuple[int, int]:
    """The first sample and the one after the last within 35 dB of the loudest 10 ms; (0, 0) in silence."""
    count = max(1, len(samples) // _FRAME)
    power = np.square(samples[: count * _FRAME].astype(np.float64)).reshape(count, -1).mean(1)
    loud = np.flatnonzero(power > power.max() * 10 ** (-_SPEECH_RANGE / 10))
    return (int(loud[0]) * _FRAME, int(loud[-1] + 1) * _FRAME) if len(loud) else (0, 0)

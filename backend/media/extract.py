"""Taking the sound out of a video without losing any of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from backend.media.audio import leading_silence
from blender_addon.protocol.errors import MediaError
from blender_addon.protocol.tensorfile import Array, atomic_path


def has_pictures(path: Path) -> bool:
    """True for a video file. Raises `MediaError` when it cannot be read."""
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            return bool(container.streams.video)
    except av.error.FFmpegError as error:
        raise MediaError(f"cannot read {path} ({error.strerror})", "Give a sound or video file") from error


def extract_sound(video: Path, out: Path, seconds: float | None = None) -> None:
    """Write the first sound track of `video` to `out`, a .flac, at its own rate and channels.

    A track that starts later than the pictures begins with silence.

    Args:
        seconds: cut the sound there, or fill it up with silence; its own length by default.

    Raises:
        MediaError: the track cannot be decoded.
        OutputError: `out` cannot be written.
    """
    with atomic_path(out) as temporary:
        try:
            with (
                av.open(str(video), metadata_errors="ignore") as source,
                av.open(str(temporary), "w") as target,
            ):
                _copy_sound(source, target, seconds)
        except (av.error.FFmpegError, ValueError) as error:
            what = f"cannot take the sound out of {video} ({error})"
            raise MediaError(what, "Export the sound again") from error


def _copy_sound(source: Any, target: Any, seconds: float | None) -> None:
    track = source.streams.audio[0]
    stream = target.add_stream("flac", rate=track.rate, layout=track.layout.name)
    position = 0
    for block in _planned(source, track, None if seconds is None else round(seconds * track.rate)):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "s16p", track.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = track.rate, position, Fraction(1, track.rate)
        target.mux(stream.encode(frame))
        position += block.shape[1]
    target.mux(stream.encode(None))


def _planned(source: Any, track: Any, total: int | None) -> Iterator[Array]:
    """Blocks [channels, n] i16 from the file's start on, `total` samples if given."""
    channels = track.channels
    late = round(leading_silence(source, track) * track.rate)
    left = math.inf if total is None else total
    for block in _with_silence(_samples(source, track), late, channels, track.rate):
        part = block[:, : int(min(left, block.shape[1]))]
        left -= part.shape[1]
        if part.shape[1]:
            yield part
        if left <= 0:
            return
    while total is not None and left > 0:
        yield np.zeros((channels, int(min(left, track.rate))), np.int16)
        left -= min(left, track.rate)


def _with_silence(blocks: Iterator[Array], late: int, channels: int, most: int) -> Iterator[Array]:
    for begin in range(0, late, most):
        yield np.zeros((channels, min(most, late - begin)), np.int16)
    yield from blocks


def _samples(source: Any, track: Any) -> Iterator[Array]:
    resampler = av.AudioResampler("s16p", track.layout.name, track.rate)
    for frame in source.decode(track):
        for part in resampler.resample(frame):
            yield part.to_ndarray()
    for part in resampler.resample(None):
        yield part.to_ndarray()

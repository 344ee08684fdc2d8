"""Taking the sound out of a video without losing any of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import av.error

from blender_addon.protocol.errors import MediaError
from blender_addon.protocol.tensorfile import atomic_path


def has_pictures(path: Path) -> bool:
    """True for a video file. Raises `MediaError` when it cannot be read."""
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            return bool(container.streams.video)
    except av.error.FFmpegError as error:
        raise MediaError(f"cannot read {path} ({error.strerror})", "Give a sound or video file") from error


def extract_sound(video: Path, out: Path) -> None:
    """Write the first sound track of `video` to `out`, a .flac, at its own rate and channels.

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
                _copy_sound(source, target)
        except (av.error.FFmpegError, ValueError) as error:
            what = f"cannot take the sound out of {video} ({error})"
            raise MediaError(what, "Export the sound again") from error


def _copy_sound(source: Any, target: Any) -> None:
    track = source.streams.audio[0]
    stream = target.add_stream("flac", rate=track.rate, layout=track.layout.name)
    resampler = av.AudioResampler("s16", track.layout.name, track.rate)
    for frame in source.decode(track):
        for part in resampler.resample(frame):
            target.mux(stream.encode(part))
    target.mux(stream.encode(None))

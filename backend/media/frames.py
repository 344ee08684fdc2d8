"""Reading a video's pictures, upright and each with its time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from blender_addon.protocol.errors import InputError, MediaError
from blender_addon.protocol.tensorfile import Array, input_error

_HINT = "Give MP4, MOV, MKV, WebM or similar"


@dataclass(frozen=True)
class VideoInfo:
    """What a file says of its pictures.

    Attributes:
        fps: mean rate, frames per second.
        frames: how many there are, as far as the header tells; None when it does not.
        size: width and height as shown (upright, square pixels).
        sound: whether there is a sound track.
    """

    fps: float
    frames: int | None
    size: tuple[int, int]
    sound: bool


@dataclass(frozen=True)
class VideoFrame:
    """A picture [H, W, 3] u8 sRGB, upright, shown from `time` on: seconds since the file's start."""

    time: float
    picture: Array


def probe_video(path: Path) -> VideoInfo:
    """Read a video's header and first picture.

    Raises:
        InputError: there is no such file.
        MediaError: it is not a video, or its first picture cannot be read.
    """
    with _opened(path) as (container, stream):
        first = next(_decoded(path, container, stream), None)
        if first is None:
            raise MediaError(f"{path} holds no pictures", "Export the video again")
        fps = float(stream.average_rate or stream.guessed_rate or 0.0)
        if fps <= 0:
            raise MediaError(f"{path} does not say its frame rate", "Export the video again")
        seconds = stream.duration * stream.time_base if stream.duration else None
        if seconds is None and container.duration:
            seconds = container.duration / av.time_base
        frames = stream.frames or (None if seconds is None else round(float(seconds) * fps))
        height, width = _upright(first, stream.sample_aspect_ratio).shape[:2]
        return VideoInfo(fps, frames or None, (width, height), bool(container.streams.audio))


def read_frames(path: Path, after: float = -1.0) -> Iterator[VideoFrame]:
    """Every picture of a video that is shown later than `after` seconds. One picture is in memory at a time.

    Time 0 is the file's start, as for its sound. Pictures are turned as the file's rotation says, and
    stretched where its pixels are not square.

    Raises:
        InputError: there is no such file.
        MediaError: it is not a video, or damaged.
    """
    with _opened(path) as (container, stream):
        begin = (container.start_time or 0) / av.time_base
        if after > 0:
            container.seek(int((begin + after) * av.time_base))
        for frame in _decoded(path, container, stream):
            time = frame.pts * float(frame.time_base) - begin
            if time > after + 1e-6:
                yield VideoFrame(time, _upright(frame, stream.sample_aspect_ratio))


def _decoded(path: Path, container: Any, stream: Any) -> Iterator[Any]:
    try:
        for frame in container.decode(stream):
            if frame.pts is not None:
                yield frame
    except av.error.FFmpegError as error:
        raise MediaError(f"{path} is damaged ({error.strerror})", "Export the video again") from error


def _upright(frame: Any, aspect: Any) -> Array:
    """[H, W, 3] u8 RGB of a frame whose pixels are `aspect` times as wide as high; None or 0 is unknown."""
    width = round(frame.width * float(aspect or 1))
    picture = frame.to_ndarray(format="rgb24", width=width, height=frame.height)
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and the pictures' stream of a file."""
    if Path(path).is_dir():
        raise InputError(f"{path} is a folder", "Give a video file")
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.video:
                raise MediaError(f"{path} has no pictures", "Give a video of a face")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except (FileNotFoundError, PermissionError) as error:
        raise input_error(path, error) from error
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError(f"{path} is not a video file ({error})", _HINT) from error

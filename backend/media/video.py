"""Writing H.264 video with sound through PyAV, each frame at its exact time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from blender_addon.protocol.errors import OutputError
from blender_addon.protocol.tensorfile import Array, atomic_path

CRF = "18"  # visually lossless for a shaded mesh (our choice)


def exact_rate(fps: float) -> Fraction:
    """The rational frame rate behind a float: 29.97 and 29.97003 are both 30000/1001."""
    ntsc = Fraction(round(fps * 1.001) * 1000, 1001)
    if abs(float(ntsc) - fps) < 5e-3 and abs(round(fps) - fps) > 1e-6:
        return ntsc
    return Fraction(fps).limit_denominator(10_000)


def write_video(
    out: Path,
    images: Iterator[Array],
    fps: float,
    sound: Iterator[Array] | None,
    sample_rate: int,
    on_frame: Callable[[], None] = lambda: None,
) -> None:
    """Write an .mp4: frame i is shown from i / fps on, the sound starts at 0.

    Args:
        out: where to write, atomically.
        images: [H, W, 3] uint8 sRGB frames with even sides.
        sound: mono f32 blocks at `sample_rate`, or None for a silent video.
        on_frame: called after each frame.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_path(out) as temporary:
        try:
            with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container:
                _write_streams(container, images, exact_rate(fps), sound, sample_rate, on_frame)
        except av.error.FFmpegError as error:
            raise OutputError(f"cannot write {out} ({error.strerror})", "Check the free space") from error


def _write_streams(
    container: Any,
    images: Iterator[Array],
    rate: Fraction,
    sound: Iterator[Array] | None,
    sample_rate: int,
    on_frame: Callable[[], None],
) -> None:
    first = next(images)
    video = container.add_stream("libx264", rate=rate, options={"crf": CRF, "preset": "veryfast"})
    video.height, video.width = first.shape[:2]
    video.pix_fmt = "yuv420p"
    video.codec_context.time_base = 1 / rate
    audio = container.add_stream("aac", rate=sample_rate, layout="mono") if sound is not None else None
    blocks = _timed_blocks(sound, sample_rate)
    heard = 0.0
    for index, image in enumerate(_chain(first, images)):
        while audio is not None and heard <= index / rate and (block := next(blocks, None)) is not None:
            heard = _mux_sound(container, audio, block)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = index, 1 / rate
        container.mux(video.encode(frame))
        on_frame()
    for block in blocks:
        _mux_sound(container, audio, block)
    container.mux(video.encode(None))
    if audio is not None:
        container.mux(audio.encode(None))


def _chain(first: Array, rest: Iterator[Array]) -> Iterator[Array]:
    yield first
    yield from rest


def _timed_blocks(sound: Iterator[Array] | None, sample_rate: int) -> Iterator[Any]:
    position = 0
    for block in sound or ():
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block, np.float32)[None], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, position, Fraction(1, sample_rate)
        position += len(block)
        yield frame


def _mux_sound(container: Any, stream: Any, frame: Any) -> float:
    container.mux(stream.encode(frame))
    return float((frame.pts + frame.samples) * frame.time_base)

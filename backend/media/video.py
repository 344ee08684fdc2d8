"""Writing H.264 video with sound through PyAV, each frame at its exact time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from blender_addon.protocol.errors import OutputError
from blender_addon.protocol.tensorfile import Array, atomic_path

from .audio import SPEECH, SoundForm

CRF = "18"  # visually lossless for a shaded mesh and a photo (our choice)
PRESET = "veryfast"
AAC_BITS = 96_000  # per second and channel: above the 64,000 at which a voice is clear (our choice)
_BT709 = 1  # in H.264's tables of primaries, transfer and matrix: what players and Blender take for HD
_REORDERED = 2  # frames by which x264 decodes ahead of what is shown: B-frames that refer to a B-frame
_LAYOUTS = {1: "mono", 2: "stereo"}


@dataclass(frozen=True)
class Sound:
    """A sound for a movie: f32 blocks [n], or [n, 2], in order, and what their samples are."""

    blocks: Iterator[Array]
    form: SoundForm = SPEECH


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
    sound: Sound | None,
    on_frame: Callable[[], None] = lambda: None,
) -> None:
    """Write an .mp4: frame i is shown from i / fps on, the sound starts at 0.

    Args:
        out: where to write, atomically.
        images: [H, W, 3] uint8 sRGB frames of one size; odd sides grow by a repeated row or column.
        sound: None for a silent video.
        on_frame: called after each frame.

    Raises:
        OutputError: the file cannot be written.
    """
    with _new_movie(out) as container:
        rate = exact_rate(fps)
        first = even(next(images))
        video = _video_stream(container, first, rate)
        track = _SoundTrack(container, sound)
        for index, image in enumerate(chain((first,), images)):
            track.advance(float(index / rate))
            frame = _video_frame(even(image))
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(video.encode(frame))
            on_frame()
        track.finish()
        container.mux(video.encode(None))


def join_videos(out: Path, parts: Sequence[Path], fps: float, sound: Sound | None) -> None:
    """Write an .mp4 of silent movies that `write_video` made at `fps`, one after another, unchanged.

    Raises:
        OutputError: the file cannot be written, or a part cannot be read.
    """
    with _new_movie(out) as container:
        rate = exact_rate(fps)
        with av.open(str(parts[0])) as first:
            video = container.add_stream_from_template(first.streams.video[0])
        track = _SoundTrack(container, sound)
        shown = 0
        for part in parts:
            track.advance(float(shown / rate))
            shown += _copy_packets(part, container, video, shown, rate)
        track.finish()


def even(image: Array) -> Array:
    """`image` [H, W, 3] with even sides, as H.264 wants them: the last row or column is repeated."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return image


@contextmanager
def _new_movie(out: Path) -> Iterator[Any]:
    """An open container that becomes `out` when all went well."""
    with atomic_path(out) as temporary:
        try:
            with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container:
                yield container
        except av.error.FFmpegError as error:
            raise OutputError(f"cannot write {out} ({error.strerror})", "Check the free space") from error


def _video_stream(container: Any, image: Array, rate: Fraction) -> Any:
    video = container.add_stream("libx264", rate=rate, options={"crf": CRF, "preset": PRESET})
    video.height, video.width = image.shape[:2]
    video.pix_fmt = "yuv420p"
    codec = video.codec_context
    codec.time_base = 1 / rate
    codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
    codec.color_range = ColorRange.MPEG
    return video


def _video_frame(image: Array) -> Any:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)


def _copy_packets(part: Path, container: Any, video: Any, shown: int, rate: Fraction) -> int:
    """Append the frames of `part` after `shown` frames; how many there are."""
    frames = 0
    with av.open(str(part)) as source:
        for packet in source.demux(video=0):
            if packet.dts is None:
                continue
            packet.pts = shown + round(packet.pts * packet.time_base * rate)
            packet.dts = shown + frames - _REORDERED
            packet.duration, packet.time_base, packet.stream = 1, 1 / rate, video
            container.mux(packet)
            frames += 1
    return frames


class _SoundTrack:
    """A movie's sound, written as far as the pictures are."""

    def __init__(self, container: Any, sound: Sound | None) -> None:
        self._container = container
        self._heard = 0.0
        self._frames: Iterator[Any] = iter(())
        self._stream: Any = None
        if sound is not None:
            layout = _LAYOUTS[sound.form.channels]
            self._stream = container.add_stream("aac", rate=sound.form.rate, layout=layout)
            self._stream.bit_rate = AAC_BITS * sound.form.channels
            self._frames = _sound_frames(sound, layout)

    def advance(self, seconds: float) -> None:
        """Write the sound up to `seconds`."""
        while self._heard <= seconds and (frame := next(self._frames, None)) is not None:
            self._mux(frame)

    def finish(self) -> None:
        """Write the rest."""
        for frame in self._frames:
            self._mux(frame)
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))

    def _mux(self, frame: Any) -> None:
        self._container.mux(self._stream.encode(frame))
        self._heard = float((frame.pts + frame.samples) * frame.time_base)


def _sound_frames(sound: Sound, layout: str) -> Iterator[Any]:
    position, rate = 0, sound.form.rate
    for block in sound.blocks:
        planes = np.ascontiguousarray(np.atleast_2d(block.T), np.float32)  # [channels, n]
        frame = av.AudioFrame.from_ndarray(planes, "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, position, Fraction(1, rate)
        position += len(block)
        yield frame

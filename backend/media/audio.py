"""Decoding any sound, or a video's sound track, to 16 kHz mono in blocks, so that memory does not grow."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from blender_addon.protocol.errors import InputError, MediaError
from blender_addon.protocol.tensorfile import Array, input_error

SAMPLE_RATE = 16_000
MIN_SOURCE_RATE = 4_000  # our choice: below it no consonant is left to hear
FULL_SCALE_LIMIT = 8.0  # our choice: float sounds may exceed full scale a little; beyond it is damage
TRUNCATION_TOLERANCE = 0.25  # seconds; containers round their declared duration
EXACT_LENGTH_FORMATS = {"flac", "mov", "mp4", "aiff", "w64"}
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


@dataclass(frozen=True)
class SoundForm:
    """What a sound is converted to: samples per second, 1 or 2 channels."""

    rate: int = SAMPLE_RATE
    channels: int = 1


SPEECH = SoundForm()


@dataclass(frozen=True)
class AudioSpan:
    """The part of a sound to use, seconds in the sound's own time, and how fast it is played."""

    start: float = 0.0
    duration: float | None = None
    speed: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and self.start >= 0):
            raise InputError(f"the start {self.start} s is not a time", "Give 0 or more seconds")
        if self.duration is not None and not (math.isfinite(self.duration) and self.duration > 0):
            raise InputError(f"the duration {self.duration} s is not a length", "Give more than 0 seconds")
        if not 0.05 <= self.speed <= 20:
            raise InputError(f"the speed {self.speed} is out of range", "Give 0.05 to 20")


@dataclass(frozen=True)
class AudioInfo:
    """What a file says about its first sound track. `duration` is in seconds, None when unknown."""

    duration: float | None
    sample_rate: int
    channels: int
    codec: str


def probe_audio(path: Path) -> AudioInfo:
    """Read a file's sound properties. Raises `InputError` or `MediaError`."""
    with _open(path) as container:
        stream = _sound_stream(path, container)
        return AudioInfo(
            _declared_duration(container, stream), stream.rate, stream.channels, stream.codec_context.name
        )


def decode_audio(path: Path, span: AudioSpan | None = None, form: SoundForm = SPEECH) -> Iterator[Array]:
    """Decode to blocks, 16 kHz mono by default.

    Args:
        path: a sound file, or a video file with sound. Time 0 is the container's start, so a track that
            starts late begins with silence.
        span: the part to decode; the whole sound by default.
        form: the blocks' rate and channels.

    Yields:
        [n] f32 blocks (stereo: [n, 2]) of about 0.1 to 1 s, full scale at 1.

    Raises:
        InputError: the file is missing, or the span lies outside of it.
        MediaError: the file is empty, not a sound, damaged, truncated, or has samples that are not numbers.
    """
    span = span or AudioSpan()
    _check_wav_length(Path(path))
    yield from _cut(str(path), _decoded_blocks(Path(path), span.speed, form), span, form.rate)


def convert_samples(
    samples: Array, sample_rate: int, span: AudioSpan | None = None, form: SoundForm = SPEECH
) -> Iterator[Array]:
    """Convert samples in memory to blocks as `decode_audio` does.

    Args:
        samples: [n] or [n, channels]; floats with full scale at 1, or signed integers with their own.
        sample_rate: hertz.
        span: the part to convert; all by default.
        form: the blocks' rate and channels.

    Raises:
        MediaError: there are no samples, they are not numbers, or the rate is too low.
    """
    span = span or AudioSpan()
    _check_rate("the sent sound", sample_rate)
    if samples.dtype.kind not in "if":
        raise MediaError(
            f"the sent sound has samples of type {samples.dtype}", "Send floats or signed integers"
        )
    full_scale = np.iinfo(samples.dtype).max + 1.0 if samples.dtype.kind == "i" else 1.0
    planar = np.atleast_2d(np.asarray(samples / full_scale, np.float32).T)
    if planar.ndim != 2 or not 1 <= len(planar) <= 8:
        raise MediaError(f"the sent sound has shape {samples.shape}", "Send [n] or [n, 1 to 8 channels]")
    if not np.isfinite(planar).all():
        raise MediaError("the sent sound has samples that are not numbers", "Export the sound again")
    blocks = _converted_blocks(planar, sample_rate, span.speed, form)
    yield from _cut("the sent sound", blocks, span, form.rate)


def _cut(name: str, blocks: Iterator[Array], span: AudioSpan, rate: int) -> Iterator[Array]:
    skip = round(span.start / span.speed * rate)
    # Never a sample more than asked for: half of one would make one more frame.
    left = math.inf if span.duration is None else math.floor(span.duration / span.speed * rate + 1e-6)
    found = False
    for block in blocks:
        part = block[skip:]
        skip -= len(block) - len(part)
        part = part[: int(min(left, len(part)))]
        left -= len(part)
        if len(part):
            found = True
            yield part
        if left <= 0:
            return
    if not found:
        where = f" after {span.start:g} s" if span.start else ""
        raise MediaError(f"{name} holds no sound{where}", "Choose another sound or an earlier start")


def read_audio(path: Path, span: AudioSpan | None = None) -> Array:
    """Decode a whole span at once: [n] f32 at 16 kHz. For short sounds; see `decode_audio`."""
    return np.concatenate(list(decode_audio(path, span)))


def hash_file(path: Path, on_block: Callable[[], None] = lambda: None) -> str:
    """SHA-256 of a file's bytes, hexadecimal; `on_block` is called after each megabyte and may raise.

    Raises:
        InputError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                on_block()
    except OSError as error:
        raise input_error(path, error) from error
    return digest.hexdigest()


def _open(path: Path) -> Any:
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder", "Give a sound or video file")
    try:
        if path.stat().st_size == 0:
            raise MediaError(f"{path} is empty (0 bytes)", "Export the sound again")
        return av.open(str(path), metadata_errors="ignore")
    except (FileNotFoundError, PermissionError) as error:
        raise input_error(path, error) from error
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError(
            f"{path} is not a sound or video file ({_reason(error)})", "Give WAV, FLAC, MP3, MP4 or similar"
        ) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def _sound_stream(path: Path, container: Any) -> Any:
    if not container.streams.audio:
        raise MediaError(f"{path} has no sound track", "Give a file with sound")
    stream = container.streams.audio[0]
    if not stream.rate or not stream.channels:
        raise MediaError(f"{path} does not say its sample rate or channels", "Export the sound again")
    _check_rate(str(path), stream.rate)
    return stream


def _check_rate(name: str, rate: int) -> None:
    if rate < MIN_SOURCE_RATE:
        raise MediaError(
            f"{name} has a sample rate of {rate} Hz, too low for speech",
            f"Give at least {MIN_SOURCE_RATE} Hz",
        )


def _declared_duration(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _is_cut_short(container: Any, stream: Any, decoded: float) -> bool:
    """Only where the track's own length is written down; elsewhere it is an estimate from the bit rate."""
    if stream.duration is None or not EXACT_LENGTH_FORMATS & set(container.format.name.split(",")):
        return False
    return decoded < 0.98 * float(stream.duration * stream.time_base) - TRUNCATION_TOLERANCE


def leading_silence(container: Any, stream: Any) -> float:
    """Seconds by which the sound track starts after its container."""
    if stream.start_time is None or container.start_time is None:
        return 0.0
    late = float(stream.start_time * stream.time_base) - float(container.start_time / av.time_base)
    return max(0.0, late)


def _resampler(speed: float, form: SoundForm) -> Any:
    """To a rate that makes `speed` times faster playback when read as `form.rate`."""
    return av.AudioResampler("flt", _LAYOUTS[form.channels], round(form.rate / speed))


def _converted_blocks(planar: Array, sample_rate: int, speed: float, form: SoundForm) -> Iterator[Array]:
    resampler = _resampler(speed, form)
    for start in range(0, planar.shape[1], sample_rate):
        interleaved = np.ascontiguousarray(planar[:, start : start + sample_rate].T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, "flt", _LAYOUTS[len(planar)])
        frame.sample_rate = sample_rate
        yield from _blocks(resampler.resample(frame), form)
    yield from _blocks(resampler.resample(None), form)


def _decoded_blocks(path: Path, speed: float, form: SoundForm) -> Iterator[Array]:
    with _open(path) as container:
        stream = _sound_stream(path, container)
        stream.thread_type = "AUTO"
        silence = leading_silence(container, stream)
        resampler = _resampler(speed, form)
        kind: tuple[str, str, int] | None = None
        if silence > 0:
            samples = round(silence / speed * form.rate)
            yield np.zeros(samples if form.channels == 1 else (samples, form.channels), np.float32)
        decoded = Fraction(0)
        for frame in _frames(path, container, stream):
            _check_finite(path, frame, float(decoded))
            decoded += Fraction(frame.samples, frame.sample_rate)
            previous, kind = kind, (frame.format.name, frame.layout.name, frame.sample_rate)
            if previous not in (None, kind):  # broadcasts change between stereo and 5.1
                yield from _blocks(resampler.resample(None), form)
                resampler = _resampler(speed, form)
            yield from _blocks(resampler.resample(frame), form)
        if not decoded:
            raise MediaError(f"{path} holds no sound", "Export the sound again")
        yield from _blocks(resampler.resample(None), form)
        if _is_cut_short(container, stream, float(decoded)):
            raise _cut_short(path, float(stream.duration * stream.time_base), float(decoded))


def _frames(path: Path, container: Any, stream: Any) -> Iterator[Any]:
    try:
        yield from container.decode(stream)
    except av.error.FFmpegError as error:
        raise MediaError(f"{path} is damaged ({_reason(error)})", "Export the sound again") from error


def _blocks(frames: list[Any], form: SoundForm) -> Iterator[Array]:
    for frame in frames:
        samples = np.clip(frame.to_ndarray()[0], -FULL_SCALE_LIMIT, FULL_SCALE_LIMIT)
        yield samples if form.channels == 1 else samples.reshape(-1, form.channels)


def _check_finite(path: Path, frame: Any, time: float) -> None:
    if frame.format.name.startswith(("flt", "dbl")) and not np.isfinite(frame.to_ndarray()).all():
        raise MediaError(
            f"{path} has samples that are not numbers (NaN or infinite) at about {time:.2f} s",
            "Export the sound again",
        )


def _cut_short(path: Path, declared: float, found: float) -> MediaError:
    return MediaError(
        f"{path} is cut short: its header promises {declared:.2f} s, it holds {found:.2f} s",
        "Export or copy the sound again",
    )


def _check_wav_length(path: Path) -> None:
    """Refuse a RIFF/WAVE file whose data chunk is longer than the file, which decoders accept silently.

    Sizes 0 and 0xFFFFFFFF mean that the writer did not know the length (a pipe), so they are not checked.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            riff, _, kind = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
            if riff != b"RIFF" or kind != b"WAVE":
                return
            byte_rate = 0
            while len(head := file.read(8)) == 8:
                name, length = struct.unpack("<4sI", head)
                if name == b"fmt ":
                    body = file.read(length)
                    byte_rate = struct.unpack_from("<I", body, 8)[0] if len(body) >= 12 else 0
                    continue
                if name == b"data":
                    missing = file.tell() + length - size
                    if length not in (0, 0xFFFFFFFF) and missing > 1 and byte_rate:
                        raise _cut_short(path, length / byte_rate, (length - missing) / byte_rate)
                    return
                file.seek(length + length % 2, 1)
    except OSError:
        return

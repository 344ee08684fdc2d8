"""Frames of a video: times, rotation, pixel shape, resuming."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from backend.media.extract import extract_sound
from backend.media.frames import probe_video, read_frames
from blender_addon.protocol.errors import InputError, MediaError
from blender_addon.protocol.tensorfile import Array

_WIDTH, _HEIGHT = 96, 64


def picture(level: int) -> Array:
    """Bright in the top left corner, `level` elsewhere."""
    image = np.full((_HEIGHT, _WIDTH, 3), level, np.uint8)
    image[:32, :32] = 255
    return image


def write_film(path: Path, times: list[float], aspect: Fraction | None = None) -> None:
    """Frame i, of brightness 4 i, at `times[i]` seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = 5
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(4 * index), format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def turned(path: Path, matrix: tuple[int, ...]) -> None:
    """Put a transformation (ISO 14496-12: a b u, c d v, x y w) into the track's header."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    data[start : start + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(bytes(data))


def test_every_frame_has_its_own_time(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.07, 0.2, 0.21, 0.3, 0.5, 0.54, 0.9, 1.0]
    write_film(tmp_path / "film.mp4", times)
    found = list(read_frames(tmp_path / "film.mp4"))
    np.testing.assert_allclose([one.time for one in found], times, atol=1.5e-3)
    levels = [float(one.picture[40:, 40:].mean()) for one in found]
    np.testing.assert_allclose(levels, 4.0 * np.arange(10), atol=3)
    info = probe_video(tmp_path / "film.mp4")
    assert info.frames == 10
    assert info.size == (_WIDTH, _HEIGHT)
    assert not info.sound


@pytest.mark.parametrize("first", range(0, 20, 3))
def test_reading_goes_on_after_a_time(tmp_path: Path, first: int) -> None:
    write_film(tmp_path / "film.mp4", [0.04 * i for i in range(20)])
    whole = list(read_frames(tmp_path / "film.mp4"))
    rest = list(read_frames(tmp_path / "film.mp4", after=whole[first].time))
    assert [one.time for one in rest] == [one.time for one in whole[first + 1 :]]
    for one, other in zip(rest, whole[first + 1 :], strict=True):
        np.testing.assert_array_equal(one.picture, other.picture)


@pytest.mark.parametrize(
    ("matrix", "corner", "size"),
    [
        ((0, 1, 0, -1, 0, 0, 0, 0, 1), "top right", (_HEIGHT, _WIDTH)),  # 90 degrees clockwise
        ((-1, 0, 0, 0, -1, 0, 0, 0, 1), "bottom right", (_WIDTH, _HEIGHT)),
        ((0, -1, 0, 1, 0, 0, 0, 0, 1), "bottom left", (_HEIGHT, _WIDTH)),
    ],
)
def test_a_phone_held_upright(
    tmp_path: Path, matrix: tuple[int, ...], corner: str, size: tuple[int, int]
) -> None:
    path = tmp_path / "film.mp4"
    write_film(path, [0.0, 0.04])
    turned(path, tuple(value << (30 if place == 8 else 16) for place, value in enumerate(matrix)))
    shown = next(read_frames(path)).picture
    assert probe_video(path).size == size == (shown.shape[1], shown.shape[0])
    vertical, horizontal = corner.split()
    rows = slice(4, 28) if vertical == "top" else slice(-28, -4)
    columns = slice(4, 28) if horizontal == "left" else slice(-28, -4)
    assert shown[rows, columns].min() > 200
    assert (shown > 200).mean() < 0.25


def test_pixels_become_square(tmp_path: Path) -> None:
    write_film(tmp_path / "film.mp4", [0.0, 0.04], Fraction(4, 3))
    assert probe_video(tmp_path / "film.mp4").size == (128, _HEIGHT)
    assert next(read_frames(tmp_path / "film.mp4")).picture[4:28, 4:40].min() > 200


def test_bad_files_say_so(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(MediaError, match="not a video"):
        probe_video(tmp_path / "text.mp4")
    with pytest.raises(InputError, match=r"missing\.mp4"):
        probe_video(tmp_path / "missing.mp4")
    with pytest.raises(InputError, match="folder"):
        next(read_frames(tmp_path))


def test_extracted_sound_keeps_its_place_and_gets_the_asked_length(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    tone = (8000 * np.sin(np.arange(24_000) * 0.3)).astype(np.int16)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width = video.height = 32
        audio = container.add_stream("pcm_s16le", rate=48_000, layout="stereo")
        for _ in range(25):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))))
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None], "s16", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, 12_000, Fraction(1, 48_000)
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
        container.mux(video.encode(None))
    extract_sound(path, tmp_path / "whole.flac")
    extract_sound(path, tmp_path / "long.flac", 1.25)
    extract_sound(path, tmp_path / "short.flac", 0.3)
    expected = np.concatenate([np.zeros(12_000, np.int16), tone, np.zeros(24_000, np.int16)])
    for name, count in (("whole", 36_000), ("long", 60_000), ("short", 14_400)):
        samples, rate = soundfile.read(tmp_path / f"{name}.flac", dtype="int16")
        assert rate == 48_000
        assert samples.shape == (count, 2)
        np.testing.assert_array_equal(samples[:, 1], expected[:count])

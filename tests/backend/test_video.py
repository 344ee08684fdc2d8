"""Videos: every frame at its exact time, the sound in step with it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.signal import correlate

from backend.media.audio import SAMPLE_RATE, SoundForm, read_audio
from backend.media.video import Sound, exact_rate, join_videos, write_video
from blender_addon.protocol.errors import OutputError


def gray_steps(count: int) -> Iterator[np.ndarray]:
    for index in range(count):
        yield np.full((32, 48, 3), 40 + index % 2 * 160, np.uint8)


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (25.0, Fraction(25)),
        (29.97, Fraction(30_000, 1001)),
        (23.976, Fraction(24_000, 1001)),
        (30 / 1.001, Fraction(30_000, 1001)),
        (59.94, Fraction(60_000, 1001)),
        (12.5, Fraction(25, 2)),
        (60.0, Fraction(60)),
    ],
)
def test_rates_are_exact(fps: float, rate: Fraction) -> None:
    assert exact_rate(fps) == rate


@pytest.mark.parametrize("fps", [25.0, 29.97, 24.0])
def test_frames_and_sound_are_in_step(tmp_path: Path, fps: float) -> None:
    rng = np.random.default_rng(1)
    sound = (rng.normal(0, 0.1, SAMPLE_RATE * 2) * np.linspace(0, 1, SAMPLE_RATE * 2)).astype(np.float32)
    count = int(2 * fps)
    blocks = iter(np.split(sound, 20))
    shown = []
    write_video(tmp_path / "x.mp4", gray_steps(count), fps, Sound(blocks), on_frame=lambda: shown.append(1))
    assert len(shown) == count
    with av.open(str(tmp_path / "x.mp4")) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == count
    for index, frame in enumerate(frames):
        assert frame.time == pytest.approx(index / float(exact_rate(fps)), abs=1e-6)
        assert (frame.to_ndarray(format="gray").mean() > 120) == (index % 2 == 1)
    heard = read_audio(tmp_path / "x.mp4")
    length = min(len(heard), len(sound))
    lag = correlate(heard[:length], sound[:length], method="fft").argmax() - (length - 1)
    assert abs(lag) <= 1


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield from gray_steps(3)
        raise RuntimeError("renderer")

    with pytest.raises(RuntimeError):
        write_video(tmp_path / "x.mp4", broken(), 25, None)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError):
        write_video(tmp_path / "no" / "x.mp4", gray_steps(2), 25, None)


@pytest.mark.parametrize("fps", [25.0, 23.976, 59.94])
def test_joined_parts_are_the_whole(tmp_path: Path, fps: float) -> None:
    """Every frame of the joined movie is shown at its time, and its picture is the one that was encoded."""
    levels = np.random.default_rng(3).integers(30, 220, 70)
    lengths = (25, 1, 2, 42)
    parts, start = [], 0
    for number, length in enumerate(lengths):
        parts.append(tmp_path / f"{number}.mp4")
        images = (np.full((47, 33, 3), level, np.uint8) for level in levels[start : start + length])
        write_video(parts[-1], images, fps, None)
        start += length
    tone = 0.5 * np.sin(np.arange(2 * 48_000 * 3) / 20.0).reshape(-1, 2).astype(np.float32)
    sound = Sound(iter(np.array_split(tone, 9)), SoundForm(48_000, 2))
    join_videos(tmp_path / "all.mp4", parts, fps, sound)
    with av.open(str(tmp_path / "all.mp4")) as container:
        video = container.streams.video[0]
        assert (video.width, video.height) == (34, 48)
        assert float(video.duration * video.time_base) == pytest.approx(70 / float(exact_rate(fps)), abs=1e-4)
        assert float(video.average_rate) == pytest.approx(float(exact_rate(fps)))
        frames = list(container.decode(video=0))
    assert [round(frame.time * float(exact_rate(fps)), 3) for frame in frames] == list(range(70))
    shown = [frame.to_ndarray(format="rgb24").mean() for frame in frames]
    np.testing.assert_allclose(shown, levels, atol=3.0)
    with av.open(str(tmp_path / "all.mp4")) as container:
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    for channel, original in zip(heard[:, 4000:100_000], tone.T[:, 4000:100_000], strict=True):
        assert np.corrcoef(channel, original)[0, 1] > 0.995


def test_colours_survive(tmp_path: Path) -> None:
    """Saturated colours come back as a decoder that heeds the movie's tags shows them."""
    colours = np.array([[200, 60, 50], [40, 160, 70], [60, 70, 190], [225, 180, 150]], np.uint8)
    image = np.repeat(np.repeat(colours[None], 64, 0), 32, 1)
    write_video(tmp_path / "x.mp4", iter([image]), 25, None)
    with av.open(str(tmp_path / "x.mp4")) as container:
        frame = next(container.decode(video=0))
    assert frame.colorspace == 1
    back = frame.to_ndarray(format="rgb24")[32, 16::32].astype(int)
    np.testing.assert_allclose(back, colours, atol=4)

"""Videos: every frame at its exact time, the sound in step with it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.signal import correlate

from backend.media.audio import SAMPLE_RATE, read_audio
from backend.media.video import exact_rate, write_video
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
    write_video(
        tmp_path / "x.mp4", gray_steps(count), fps, blocks, SAMPLE_RATE, on_frame=lambda: shown.append(1)
    )
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
        write_video(tmp_path / "x.mp4", broken(), 25, None, SAMPLE_RATE)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError):
        write_video(tmp_path / "no" / "x.mp4", gray_steps(2), 25, None, SAMPLE_RATE)

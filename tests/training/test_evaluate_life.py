"""Statistics of life on motions whose blinks, saccades and breaths are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from blender_addon.protocol.arkit import ARKIT_INDEX, sided_indices
from blender_addon.protocol.clip import ClipInfo, expression_clip, write_clip
from blender_addon.protocol.tensorfile import Array
from training.evaluate.life import (
    blink_statistics,
    breaths_per_minute,
    conversation,
    gaze_statistics,
    main,
)

FPS = 100.0


def _blinking(starts: Array, sizes: Array, seconds: float) -> Array:
    """Weights [F, 52]: straight closing in 0.1 s, opening in 0.2 s."""
    times = np.arange(int(seconds * FPS)) / FPS
    lids = np.zeros(len(times))
    for start, size in zip(starts, sizes, strict=True):
        lids = np.maximum(lids, size * np.interp(times - start, [0, 0.1, 0.3], [0, 1, 0], left=0, right=0))
    weights = np.zeros((len(times), 52), np.float32)
    weights[:, sided_indices("eyeBlink")] = lids[:, None]
    return weights


def test_blinks_are_counted_and_measured() -> None:
    random = np.random.default_rng(0)
    starts = np.cumsum(random.uniform(1.0, 4.0, 100))
    sizes = np.where(np.arange(100) % 4 == 0, 0.6, 1.0)
    figures = blink_statistics(_blinking(starts, sizes, starts[-1] + 1), FPS)
    assert figures.per_minute == pytest.approx(6000 / (starts[-1] + 1), rel=0.01)
    intervals = np.diff(starts)
    assert figures.interval == pytest.approx(np.median(intervals), abs=0.02)
    assert figures.variation == pytest.approx(intervals.std() / intervals.mean(), abs=0.02)
    assert figures.closing == pytest.approx(80.0, abs=6)
    assert figures.opening == pytest.approx(160.0, abs=6)
    assert figures.duration == pytest.approx(150.0, abs=6)
    assert figures.partial == pytest.approx(0.25)
    assert np.isnan(figures.after_stops)


def test_blinks_where_speech_stops_are_told_from_chance() -> None:
    activity = conversation(300.0, FPS, 1)
    stops = (np.flatnonzero(np.diff(activity) < 0) + 1) / FPS
    stops = stops[stops < 298]
    weights = _blinking(stops[::2] + 0.2, np.ones(len(stops[::2])), 300.0)
    figures = blink_statistics(weights, FPS, activity)
    assert figures.after_stops > 0.95
    assert figures.by_chance < 0.4


def test_saccades_and_slip_are_measured() -> None:
    """Eyes that counter a swaying head and jump by 6 degrees every second."""
    times = np.arange(0, 60, 1 / FPS)
    yaw = np.radians(10 * np.sin(2 * times))
    target = np.radians(6.0) * (np.floor(times) % 2)
    pose = np.zeros((len(times), 6))
    pose[:, 2] = yaw
    gaze = np.zeros((len(times), 4))
    gaze[:, [1, 3]] = (target - yaw)[:, None]
    figures = gaze_statistics(gaze, pose, FPS)
    assert figures.saccades == pytest.approx(59, abs=1)
    assert figures.amplitude == pytest.approx(6.0, abs=0.1)
    assert figures.fixation == pytest.approx(1.0, abs=0.02)
    assert figures.small == 1.0
    assert figures.slip < 0.01
    assert figures.head == pytest.approx(np.median(np.abs(20 * np.cos(2 * times))), abs=0.3)
    still = gaze_statistics(np.zeros_like(gaze), pose, FPS)
    assert still.slip == pytest.approx(still.head, rel=1e-3)


def test_breaths_are_counted() -> None:
    pose = np.zeros((6000, 6))
    pose[:, 5] = 1e-3 * np.square(np.sin(np.pi * np.arange(6000) / FPS / 4.0))
    assert breaths_per_minute(pose, FPS) == pytest.approx(15.0)


def test_the_command_prints_figures_of_a_clip(tmp_path: Path) -> None:
    weights = _blinking(np.array([1.0, 3.0]), np.ones(2), 6.0)
    weights[:, ARKIT_INDEX["jawOpen"]] = 0.2
    path = tmp_path / "clip.vtclip"
    write_clip(path, expression_clip(ClipInfo(fps=FPS), weights, np.zeros((len(weights), 2))))
    result = CliRunner().invoke(main, [str(path)])
    assert result.exit_code == 0, result.output
    assert "blinks    20.0 a minute" in result.output
    missing = CliRunner().invoke(main, [str(tmp_path / "none.vtclip")])
    assert missing.exit_code == 1
    assert "none.vtclip" in missing.output


def test_the_command_prints_figures_of_the_model() -> None:
    result = CliRunner().invoke(main, ["--minutes", "1", "--fps", "50"])
    assert result.exit_code == 0, result.output
    assert result.output.count("saccades a minute") == 3

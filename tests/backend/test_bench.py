"""The benchmark prints what scripts rely on."""

from __future__ import annotations

import json
import time
from importlib.util import find_spec

import numpy as np
import pytest

from backend.bench import write_speech
from backend.cli import main
from backend.media.audio import SAMPLE_RATE, read_audio

PROMISED = {
    "animate_x_realtime",
    "pose_x_realtime",
    "first_keys_s",
    "cold_start_s",
    "key_7500x52_s",
    "raster_device",
    "raster_ms_256",
    "raster_ms_512",
    "peak_mb_1min",
    "peak_mb_60min",
    "warp_fps_256",
    "warp_fps_512",
    "neural_fps_256",
    "device",
}


def test_the_speech_is_the_line_repeated(tmp_path) -> None:
    sound = read_audio(write_speech(tmp_path / "x.wav", 20))
    assert len(sound) == 20 * SAMPLE_RATE
    line = round(7.1 * SAMPLE_RATE)
    np.testing.assert_array_equal(sound[:line], sound[line : 2 * line])


def test_quick_json(capfd: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    assert main(["bench", "--json", "--quick"]) == 0
    assert time.monotonic() - started < 120  # 50 s on an idle machine of 2 cores
    results = json.loads(capfd.readouterr().out)
    assert set(results) >= PROMISED
    measured = {name for name, value in results.items() if value is not None}
    assert {"animate_x_realtime", "first_keys_s", "cold_start_s"} <= measured
    assert results["animate_x_realtime"] > 1
    assert results["pose_x_realtime"] > 1
    assert results["raster_ms_256"] > 0
    assert results["raster_ms_512"] > 0
    if find_spec("mediapipe") is not None:
        assert results["warp_fps_256"] > 1
        assert results["warp_fps_512"] > 1
    assert results["neural_fps_256"] is None

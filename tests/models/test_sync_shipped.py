"""The shipped sync expert on the demo's real voice and what the shipped model draws for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.expression import ExpressionModel
from models.sync import DEFAULT_WEIGHTS, MEASURES, SyncModel

VOICE = Path(__file__).parents[2] / "models" / "assets" / "demo_voice.flac"


@pytest.fixture(scope="module")
def expert():
    return SyncModel.load()


@pytest.fixture(scope="module")
def samples():
    return soundfile.read(VOICE, dtype="float32")[0]


def drawn(samples, expert, fps):
    stream = ExpressionModel.load().stream(fps)
    return expert.measure(np.concatenate([stream.push(samples).weights, stream.finish().weights]))


def test_weights_are_small():
    assert DEFAULT_WEIGHTS.stat().st_size < 2e6


@pytest.mark.parametrize(("fps", "known"), [(30.0, MEASURES), (24.0, ("gap", "width"))])
def test_offsets_of_a_shifted_motion_are_found(expert, samples, fps, known):
    motion = drawn(samples, expert, fps)
    motion[:, [name not in known for name in MEASURES]] = np.nan
    cut = 5
    early = expert.score(samples, motion[cut:], fps)
    late = expert.score(samples, np.concatenate([motion[:1].repeat(cut, 0), motion[:-cut]]), fps)
    assert early.offset_seconds == pytest.approx(-cut / fps, abs=0.04)
    assert late.offset_seconds == pytest.approx(cut / fps, abs=0.04)
    assert min(early.confidence, late.confidence) > 0.5


def test_another_motion_is_told_from_the_voice_s_own(expert, samples):
    motion = drawn(samples, expert, 25.0)
    own, backwards = expert.score(samples, motion, 25.0), expert.score(samples, motion[::-1].copy(), 25.0)
    assert own.confidence > 0.8
    assert abs(own.offset_seconds) < 0.04
    assert backwards.confidence < 0.5
    assert own.margin > 2.0 * backwards.margin
    assert np.mean(own.curve) > np.mean(backwards.curve) + 0.3

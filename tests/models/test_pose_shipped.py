"""The shipped weights: motion of the prior comes back, a voice moves the head, silence lets it rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from blender_addon.protocol.controls import PoseStyle
from models.pose import PoseModel
from models.pose.model import DEFAULT_CODEBOOK, DEFAULT_MAPPER
from models.pose.network import POSE_RATE
from training.pose.data import PoseBank, Scene
from training.pose.prior import sample_motion, sample_style, unheard_events
from training.pose.reconstruction import measure

VOICE = Path(__file__).parents[2] / "models" / "assets" / "demo_voice.flac"


@pytest.fixture(scope="module")
def model():
    return PoseModel.load()


@pytest.fixture(scope="module")
def motions():
    """New motion of the prior, of speakers and styles that no training has drawn."""
    rng = np.random.default_rng(20260)
    drawn = [sample_motion(unheard_events(60.0, rng), sample_style(rng), rng) for _ in range(8)]
    return PoseBank([Scene(np.zeros((1500, 8), np.float32), one[None], np.zeros((1, 4))) for one in drawn])


def moved(model: PoseModel, sound: np.ndarray, **choice: object) -> np.ndarray:
    """[T, 6] at 25 per second."""
    stream = model.stream(POSE_RATE, **choice)
    return np.concatenate([stream.push(sound).pose, stream.finish().pose])


def test_motion_of_the_prior_comes_back(model, motions):
    found = measure(model.codec, motions)
    assert found.r2.min() > 0.93
    assert found.r2.mean() > 0.945
    assert found.nods == pytest.approx(1.0, abs=0.1)
    assert found.spectrum.mean() < 2.0
    assert found.used.min() >= 0.6


def test_a_voice_moves_the_head_and_silence_lets_it_rest(model):
    voice = np.tile(soundfile.read(VOICE, dtype="float32")[0], 3)
    quiet = np.zeros(len(voice), np.float32)
    speed = [
        np.linalg.norm(np.diff(moved(model, one, seed=s)[:, :3], axis=0), axis=1)
        for one in (voice, quiet)
        for s in range(3)
    ]
    spoken, silent = np.mean(speed[:3]), np.mean(speed[3:])
    assert silent < 0.5 * spoken
    assert min(one.std() for one in speed[3:]) > 0.0
    assert silent > 1e-4, "not frozen"


def test_a_lively_speaker_moves_more(model):
    voice = np.tile(soundfile.read(VOICE, dtype="float32")[0], 4)
    sizes = [
        np.mean([moved(model, voice, seed=s, style=PoseStyle(energy=energy))[:, :3].std() for s in range(6)])
        for energy in (-1.0, 1.0)
    ]
    assert sizes[1] > 1.3 * sizes[0]  # a factor of two is asked for


def test_the_head_stays_about_rest(model):
    voice = np.tile(soundfile.read(VOICE, dtype="float32")[0], 10)
    poses = moved(model, voice, seed=3)
    assert np.degrees(np.abs(poses[:, :3].mean(0))).max() < 4.0
    assert np.abs(poses[:, 3:].mean(0)).max() < 0.01


def test_weights_are_small_and_free():
    assert sum(path.stat().st_size for path in (DEFAULT_CODEBOOK, DEFAULT_MAPPER)) < 8e6
    for path in (DEFAULT_CODEBOOK, DEFAULT_MAPPER):
        card = path.with_suffix(".md").read_text()
        assert "CC0-1.0" in card
        assert "synthetic" in card.lower()


def test_all_weights_are_finite(model):
    assert all(torch.isfinite(value).all() for value in model.codec.state_dict().values())

"""Pitch and loudness against sounds whose pitch and loudness are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from blender_addon.protocol.tensorfile import Array
from models.expression.prosody import prosody_of

RATE = 16000


def voice(hertz: Array) -> Array:
    """[n] f32: twelve harmonics of a fundamental [n] in Hz."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    return np.asarray(0.1 * sum(np.cos(k * phase) / k for k in range(1, 13)), np.float32)


@pytest.mark.parametrize("middle", [85.0, 130.0, 220.0])
def test_pitch_is_that_of_a_gliding_voice(middle: float) -> None:
    time = np.arange(6 * RATE) / RATE
    semitones = 5 * np.sin(2 * np.pi * 0.5 * time)
    found = prosody_of(voice(middle * 2 ** (semitones / 12)))
    wanted = semitones[::320]
    wanted = gaussian_filter1d(wanted, 3) - gaussian_filter1d(wanted, 40)
    assert np.abs(found.pitch - wanted)[10:-10].max() < 0.7
    assert found.voiced.min() == 1


def test_loudness_is_in_decibels_of_the_speech_nearby() -> None:
    time = np.arange(6 * RATE) / RATE
    decibel = 4 * np.sin(2 * np.pi * 0.5 * time)
    sound = voice(np.full(len(time), 150.0)) * 10 ** (decibel / 20)
    found = prosody_of(sound.astype(np.float32)).loudness
    wanted = gaussian_filter1d(decibel[::320], 3) - gaussian_filter1d(decibel[::320], 40)
    assert np.abs(found - wanted)[10:-10].max() < 0.5


def test_gain_changes_nothing() -> None:
    sound = voice(120 + 30 * np.sin(np.arange(3 * RATE) / 4000.0))
    loud, soft = prosody_of(sound), prosody_of(sound * np.float32(0.1))
    assert np.allclose(loud.pitch, soft.pitch, atol=0.05)
    assert np.allclose(loud.loudness, soft.loudness, atol=0.1)


def test_noise_has_no_pitch_and_silence_has_nothing() -> None:
    hiss = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE)
    assert prosody_of(hiss.astype(np.float32)).voiced.mean() < 0.02
    still = prosody_of(np.zeros(RATE, np.float32))
    for values in (still.pitch, still.loudness, still.voiced, still.speech):
        assert not values.any()


def test_who_does_not_speak_has_no_prosody() -> None:
    sound = voice(120 + 30 * np.sin(np.arange(3 * RATE) / 4000.0))
    found = prosody_of(sound, np.zeros(150))
    assert not found.speech.any()
    assert not found.pitch.any()


@pytest.mark.parametrize("samples", [0, 319, 320, 3200])
def test_short_sounds(samples: int) -> None:
    found = prosody_of(voice(np.full(samples, 200.0)))
    assert found.pitch.shape == found.loudness.shape == found.speech.shape == (samples // 320,)
    assert np.isfinite(found.pitch).all()

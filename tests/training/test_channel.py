"""Rooms, codecs, losses and company against closed forms."""

import numpy as np
import pytest
import torch

from training.augment import augment, mask_bands
from training.channel import (
    clipped,
    companded,
    dropped,
    in_room,
    loud_level,
    mixed,
    transform_coded,
    transmit,
)
from training.expression import training_pool
from training.music import PIECES, music
from training.scenes import SceneMix, make_scene

RATE = 16000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def sine(hertz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def decibels(signal: np.ndarray, error: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(signal**2) / np.mean(error**2)))


def test_rooms_are_causal_and_keep_the_direct_sound():
    click = np.zeros(RATE, np.float32)
    click[4000] = 1.0
    for seed in range(5):
        heard = in_room(click, np.random.default_rng(seed))
        np.testing.assert_allclose(heard[:3999], 0.0, atol=1e-5)
        assert heard[4000] == pytest.approx(1.0, abs=1e-4)
        early, late = heard[4300:6000], heard[8000:9700]
        assert np.sum(early**2) > np.sum(late**2)


def test_eight_bit_companding_is_as_good_as_g711():
    tone = sine(700)
    middle = slice(1000, -1000)
    assert decibels(tone[middle], (companded(tone, 8) - tone)[middle]) == pytest.approx(38, abs=4)
    coarse = decibels(tone[middle], (companded(tone, 5) - tone)[middle])
    assert 15 < coarse < 25


@pytest.mark.parametrize("quality", [6.0, 12.0])
def test_transform_codecs_are_as_noisy_as_asked(quality):
    sound = noise(2.0)
    coded = transform_coded(sound, quality, 8000.0)
    assert coded.shape == sound.shape
    assert decibels(sound, coded - sound) == pytest.approx(quality, abs=1.5)


def test_transform_codecs_cut_the_top():
    spectrum = np.abs(np.fft.rfft(transform_coded(noise(1.0), 30.0, 4000.0))) ** 2
    assert spectrum[4500:].sum() < 1e-3 * spectrum[:3500].sum()
    sound = noise(1.0)
    np.testing.assert_allclose(transform_coded(sound, 90.0, 8000.0), sound, atol=1e-4)


def test_only_lost_packets_are_missing():
    sound = noise(20.0)
    for seed in range(4):
        changed = (dropped(sound, np.random.default_rng(seed)) != sound).reshape(-1, 320)
        assert set(changed.mean(1).round(2)) <= {0.0, 1.0}
        assert 0.0 < changed.mean() < 0.06


def test_clipping_bounds_only_the_loud():
    sound = sine(200) * np.linspace(0, 1, RATE, dtype=np.float32)
    for seed in range(6):
        heard = clipped(sound, np.random.default_rng(seed))
        assert np.abs(heard).max() <= np.abs(sound).max() + 1e-6
        np.testing.assert_allclose(heard[:800], sound[:800], atol=2e-3)


def test_mixing_keeps_the_distance_in_decibels():
    main, other = sine(300), noise(1.0)
    sum_ = mixed(main, other, 15.0)
    assert decibels(main, sum_ - main) == pytest.approx(15.0, abs=0.5)
    pauses = np.concatenate([np.zeros(RATE, np.float32), main])
    assert loud_level(pauses) == pytest.approx(loud_level(main), rel=1e-3)
    np.testing.assert_array_equal(mixed(main, np.zeros_like(main), 15.0), main)
    np.testing.assert_array_equal(mixed(np.zeros_like(main), main, 15.0), np.zeros_like(main))


def test_transmission_keeps_length_and_repeats():
    sound = noise(1.0)
    for seed in range(20):
        first, second = (transmit(sound, np.random.default_rng(seed)) for _ in range(2))
        assert first.shape == sound.shape
        assert first.dtype == np.float32
        assert np.isfinite(first).all()
        np.testing.assert_array_equal(first, second)


def test_music_is_of_many_kinds_and_has_pitch():
    rng = np.random.default_rng(0)
    pieces = [music(2 * RATE, rng) for _ in range(12)]
    assert len({float(np.abs(p).mean()) for p in pieces}) > 6
    peaks = []
    for piece in pieces:
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece))))
        peaks.append(spectrum.max() / np.median(spectrum))
        assert 0.1 < np.abs(piece).max() <= 0.5 + 1e-6
    assert min(peaks) > 30
    assert PIECES >= 24


def test_company_does_not_change_what_is_said(corpus):
    pool = training_pool(corpus)
    alone = SceneMix(babble_share=0.0, music_share=0.0, transmission_share=0.0, scene_gain=(0.0, 0.0))
    babble = SceneMix(babble_share=1.0, music_share=0.0, transmission_share=0.0, scene_gain=(0.0, 0.0))
    for seed in range(6):
        quiet = make_scene(pool, 5.12, alone, np.random.default_rng(seed))
        loud = make_scene(pool, 5.12, babble, np.random.default_rng(seed))
        np.testing.assert_array_equal(quiet.phones.start, loud.phones.start)
        np.testing.assert_array_equal(quiet.phones.kind, loud.phones.kind)
        difference = loud.samples - quiet.samples
        assert np.abs(difference).max() > 0.0
        assert -36.0 < -20 * np.log10(loud_level(quiet.samples) / loud_level(difference)) < -12.0


def test_augmentation_depends_on_its_generator_only():
    power = torch.rand(120, 257)
    for seed in range(8):
        results = []
        for other in (0, 1):
            torch.manual_seed(other)
            rng = np.random.default_rng(seed)
            results.append((augment(power.clone(), rng), mask_bands(torch.ones(120, 80), rng)))
        torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)

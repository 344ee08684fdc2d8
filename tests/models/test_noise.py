"""Noise tracks: the same for every chunking, unit variance, smooth, independent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from models.expression.noise import derived_seed, noise_at, noise_track

LONG = noise_track(seed=11, first=-50_000, count=200_000, channels=4)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(-(2**63), 2**64),
    first=st.integers(-(10**6), 10**9),
    sizes=st.lists(st.integers(0, 300), min_size=1, max_size=5),
)
def test_any_chunking_gives_the_same_bits(seed: int, first: int, sizes: list[int]) -> None:
    whole = noise_track(seed, first, sum(sizes), 3)
    starts = first + np.concatenate([[0], np.cumsum(sizes)[:-1]])
    parts = [noise_track(seed, int(a), n, 3) for a, n in zip(starts, sizes, strict=True)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_channels_do_not_depend_on_how_many_are_asked_for() -> None:
    assert np.array_equal(noise_track(1, 5, 90, 2), noise_track(1, 5, 90, 7)[:, :2])


def test_times_between_frames_lie_on_the_same_curve() -> None:
    fine = noise_at(4, np.arange(0, 200, 0.25), 2)
    assert np.array_equal(fine[::4], noise_track(4, 0, 200, 2))
    assert np.abs(np.diff(fine, axis=0)).max() < 0.1


def test_moments_of_a_long_track() -> None:
    """About 200000 / 50 independent values, so the mean's error is 1 / sqrt(4000) and four times that."""
    assert np.abs(LONG.mean(0)).max() < 0.07
    assert np.abs(LONG.var(0) - 1).max() < 0.1


def test_the_variance_is_one_at_every_phase_between_knots() -> None:
    """Over seeds, at each of two spacings' worth of frames."""
    across = np.stack([noise_track(seed, 0, 112, 1)[:, 0] for seed in range(1500)])
    assert np.abs(across.var(0) - 1).max() < 0.2
    assert np.abs(across.mean(0)).max() < 0.13


def test_the_spectrum_is_that_of_a_slow_curve() -> None:
    """By Welch's estimate: next to no power above 4 Hz; forgotten within three seconds."""
    hertz, power = signal.welch(LONG, fs=50, nperseg=2048, axis=0)
    share = power / power.sum(0)
    assert (share[hertz > 1.5].sum(0) < 0.03).all()
    assert (share[hertz > 4].sum(0) < 1e-4).all()
    for lag, low, high in ((15, 0.7, 1.0), (50, 0.2, 0.6), (150, -0.1, 0.1)):
        correlation = (LONG[:-lag] * LONG[lag:]).mean(0)
        assert ((low < correlation) & (correlation < high)).all(), lag


@pytest.mark.parametrize("other", [12, 10, -11, 11 + 2**32])
def test_seeds_and_channels_are_independent(other: int) -> None:
    both = np.concatenate([LONG, noise_track(other, -50_000, 200_000, 4)], axis=1)
    off_diagonal = np.corrcoef(both.T) - np.eye(8)
    assert np.abs(off_diagonal).max() < 0.09


def test_derived_seeds_differ_and_stay_the_same() -> None:
    seeds = [derived_seed(seed, purpose) for seed in range(50) for purpose in range(4)]
    assert len(set(seeds)) == len(seeds)
    assert derived_seed(7, 1) == derived_seed(7, 1)

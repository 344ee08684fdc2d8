"""Measures of head motion against closed forms, other formulas and made-up cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import multivariate_normal, ortho_group

from training.evaluate.pose_beats import SIGMA, Beats, alignment, audio_beats, motion_beats, pauses
from training.evaluate.pose_frechet import FrechetJudge, features, frechet
from training.evaluate.pose_measures import (
    RATE,
    Limits,
    angle_std,
    block_means,
    decibels,
    in_units,
    limits_of,
    long_run,
    shift_std,
    spectrum_of,
    variance_across_seeds,
    variance_over_time,
)

SECONDS = 60
TIMES = np.arange(int(SECONDS * RATE)) / RATE


def sines(hertz, amplitude):
    """[T, 6] one sine of one size on every axis, each with its own phase."""
    return amplitude * np.sin(2 * np.pi * hertz * TIMES[:, None] + np.arange(6))


def noise(seed, takes, seconds=SECONDS):
    """[takes, T, 6] smooth enough to be motion."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal((takes, int(seconds * RATE) + 12, 6))
    return 0.05 * np.apply_along_axis(lambda x: np.convolve(x, np.hanning(13), "valid"), 1, white)


def test_variance_of_sines_is_half_their_squared_size():
    takes = np.stack([sines(0.5, 0.1) + 3.0, sines(1.0, 0.2) - 1.0])  # whole periods; the mean is left out
    assert variance_over_time(takes) == pytest.approx(np.full(6, (0.005 + 0.02) / 2))
    assert angle_std(np.full(6, 0.01)) == pytest.approx(np.degrees(0.1))
    assert shift_std(np.full(6, 1e-6)) == pytest.approx(1.0)


def test_diversity_of_independent_gaussians_is_their_variance():
    rng = np.random.default_rng(0)
    spread = np.array([1, 2, 3, 4, 5, 6.0])
    takes = rng.standard_normal((8, 1500, 6)) * spread
    assert variance_across_seeds(takes) == pytest.approx(spread**2, rel=0.1)
    assert variance_across_seeds(np.repeat(takes[:1], 8, 0)) == pytest.approx(np.zeros(6))


@pytest.mark.parametrize("hertz", [0.4, 1.8, 5.2])
def test_a_sine_has_its_power_in_its_band(hertz):
    found = spectrum_of([sines(hertz, 0.1)])
    step = found.hertz[1]
    assert found.power.sum(0) * step == pytest.approx(np.full(6, 0.005), rel=0.02)
    assert (found.bands().argmax(0) == int(hertz / 0.5)).all()
    assert found.above(8.0) == pytest.approx(np.zeros(6), abs=1e-6)


def test_twice_the_size_is_six_decibels_everywhere():
    motions = list(noise(0, 2))
    level = decibels(spectrum_of([2.0 * motion for motion in motions]), spectrum_of(motions))
    assert level == pytest.approx(np.full((12, 6), 20 * np.log10(2)), abs=1e-3)


def test_a_long_run_is_judged_by_what_was_put_into_it():
    reference = noise(3, 4)
    limits = limits_of(reference)
    same = long_run(reference, limits)
    assert same.bend_share == pytest.approx(np.full(6, 0.001), abs=2e-4)
    assert same.fast == pytest.approx(limits.fast)
    assert (same.std_ratio >= 1.0).all()
    bad = reference.copy()
    bad[1, : int(30 * RATE)] += np.radians([5, 0, 0, 0, 0, 0])  # half a minute off
    bad[2, 700, 4] += 1.0  # a jump: second differences of 1, 2 and 1
    found = long_run(bad, limits)
    assert in_units(found.mean)[0] == pytest.approx(5.0, abs=0.5)
    assert in_units(found.mean)[1:] == pytest.approx(in_units(same.mean)[1:])
    assert found.bend_ratio[4] == pytest.approx(2.0 / limits.bend[4], rel=0.1)
    assert found.bend_ratio[3] == same.bend_ratio[3]
    assert found.fast[4] > 3.0 * limits.fast[4]
    assert found.fast[3] == pytest.approx(limits.fast[3])


def test_blocks_are_half_minutes():
    ramp = np.tile(TIMES[None, :, None], (2, 1, 6))
    middles = np.tile(np.array([15.0, 45.0])[None, :, None], (2, 1, 6))
    assert block_means(ramp) == pytest.approx(middles, abs=0.1)
    assert block_means(ramp[:, :100]).shape == (2, 1, 6)


def test_a_still_head_is_within_all_limits():
    found = long_run(np.zeros((2, 800, 6)), Limits(np.zeros(6), np.zeros(6), np.zeros(6)))
    assert (found.mean == 0.0).all()
    assert (found.bend_share == 0.0).all()


def beats(times):
    return Beats(np.sort(np.asarray(times, float)), np.ones(len(times)))


@given(st.floats(-0.5, 0.5))
def test_a_shifted_beat_train_scores_the_gaussian_of_its_shift(shift):
    sound = np.arange(2.0, 58.0, 2.0)
    found = alignment(beats(sound), beats(sound + shift), 60.0)
    expected = np.exp(-0.5 * (shift / SIGMA) ** 2)
    assert found.precision == pytest.approx(expected)
    assert found.recall == pytest.approx(expected)
    assert found.f1 == pytest.approx(expected, abs=1e-9)


@given(
    arrays(float, st.integers(1, 6), elements=st.floats(0, 10)),
    arrays(float, st.integers(1, 6), elements=st.floats(0, 10)),
)
def test_alignment_is_what_all_pairs_say(sound, motion):
    count = min(len(sound), len(motion))
    sound, motion = sound[:count], motion[:count]
    near = np.exp(-0.5 * ((np.sort(sound)[:, None] - np.sort(motion)) / SIGMA) ** 2)
    found = alignment(beats(sound), beats(motion), 10.0)
    assert found.recall == pytest.approx(near.max(1).mean())
    assert found.precision == pytest.approx(near.max(0).mean())
    assert found.count == count


def test_only_as_many_beats_as_both_have_and_the_strongest():
    sound = Beats(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    assert list(sound.strongest(2)) == [2.0, 3.0]
    assert alignment(sound, beats([2.0]), 60.0).f1 == pytest.approx(1.0)
    assert np.isnan(alignment(sound, beats([]), 60.0).f1)


def test_head_beats_are_where_a_nod_turns():
    nods = np.zeros((len(TIMES), 6))
    nods[:, 0] = 0.1 * np.cos(2 * np.pi * 0.8 * TIMES)  # at rest at every half period
    found = motion_beats(nods).times
    turns = np.arange(1, 96) * 0.625
    assert len(found) == len(turns)
    assert np.abs(found - turns).max() <= 1.0 / RATE


def test_a_nod_that_turns_back_is_a_stronger_beat_than_one_that_stays():
    motion = np.zeros((250, 6))
    motion[:, 0] = 0.1 * np.exp(-0.5 * ((np.arange(250) / 25 - 3.0) / 0.1) ** 2)  # down and back
    motion[:, 0] += 0.1 / (1 + np.exp(-(np.arange(250) / 25 - 7.0) / 0.05))  # down and on
    found = motion_beats(motion)
    assert found.strongest(1) == pytest.approx(3.0, abs=0.04)


def test_onsets_of_bursts_are_heard_at_any_level():
    rng = np.random.default_rng(5)
    starts = np.array([0.5, 1.1, 1.9, 2.6, 3.5])
    samples = 1e-5 * rng.standard_normal(4 * 16000)
    for start in starts:
        first = int(start * 16000)
        samples[first : first + 3200] += rng.standard_normal(3200) * np.exp(-np.arange(3200) / 1000)
    for gain in (0.02, 0.3):
        found = audio_beats((gain * samples).astype(np.float32)).strongest(5)
        assert np.abs(found - starts).max() < 0.03


def test_frechet_of_known_gaussians():
    rng = np.random.default_rng(6)
    turn = ortho_group.rvs(3, random_state=1)  # the same axes: the distance has a closed form
    sizes, others, gap = np.array([1, 2, 3.0]), np.array([2, 2, 1.0]), np.array([1.0, 0, -1])
    one = multivariate_normal(np.zeros(3), turn @ np.diag(sizes**2) @ turn.T).rvs(200_000, rng)
    other = multivariate_normal(gap, turn @ np.diag(others**2) @ turn.T).rvs(200_000, rng)
    assert frechet(one, other) == pytest.approx(gap @ gap + ((sizes - others) ** 2).sum(), rel=0.03)
    assert frechet(one, one) == pytest.approx(0.0, abs=1e-6)


def test_the_floor_is_met_by_the_same_kind_and_missed_by_another():
    judge = FrechetJudge(list(noise(7, 10)))
    floor = judge.floor()
    assert judge.distance(list(noise(8, 10))).value == pytest.approx(floor.value, rel=0.35)
    assert judge.distance(list(0.6 * noise(8, 10))).value > 2.0 * floor.high
    slower = [np.repeat(motion[::2], 2, 0) for motion in noise(8, 10)]
    assert judge.distance(slower).low > floor.high


@settings(max_examples=20)
@given(st.integers(64, 400))
def test_windows_do_not_overlap(frames):
    assert features(np.zeros((frames, 6))).shape == (frames // 64, 42)


def test_pauses_are_long_silences_without_their_ends():
    samples = np.zeros(16000 * 10, np.float32)
    tone = 0.3 * np.sin(np.arange(16000 * 10) * 0.3)
    for start, end in ((0.0, 3.0), (3.7, 5.0), (8.0, 10.0)):
        span = slice(int(start * 16000), int(end * 16000))
        samples[span] = tone[span]
    times = np.arange(250) / 25
    expected = (times >= 5.5) & (times < 7.5)  # the gap of 0.7 s is none
    assert (pauses(samples, 250) != expected).sum() <= 2

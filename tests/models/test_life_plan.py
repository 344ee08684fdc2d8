"""What the plans of life decide over half hours, against what the literature measured."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from blender_addon.protocol.tensorfile import Array
from models.life.draws import Draws, log_normal
from models.life.speech import SpeechTicks

from .life_talk import FPS, Planned, conversation, planned

HALF_HOUR = 1800.0
SEEDS = (0, 1)


@pytest.fixture(scope="module")
def monologues() -> list[Planned]:
    """Half hours of unbroken speech."""
    return [planned(np.ones(int(HALF_HOUR * FPS)), seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def silences() -> list[Planned]:
    return [planned(np.zeros(int(HALF_HOUR * FPS)), seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def talks() -> list[Planned]:
    return [planned(conversation(HALF_HOUR, seed), seed) for seed in SEEDS]


def _starts(plan: Planned) -> Array:
    return np.array([blink.start for blink in plan.blinks])


def _per_minute(plans: list[Planned]) -> float:
    return sum(len(plan.blinks) for plan in plans) / (len(plans) * HALF_HOUR / 60.0)


def test_blink_rates_in_speech_and_at_rest(
    monologues: list[Planned], silences: list[Planned], talks: list[Planned]
) -> None:
    """Bentivoglio et al. 1997; in talk with pauses within Doughty's (2001) range. Errors of a mean: 2%."""
    assert _per_minute(monologues) == pytest.approx(26.0, rel=0.07)
    assert _per_minute(silences) == pytest.approx(17.0, rel=0.07)
    assert 20.0 < _per_minute(talks) < 26.5


@pytest.mark.parametrize("rate", [0.5, 2.0])
def test_the_blink_rate_scales(rate: float) -> None:
    plans = [planned(np.ones(int(HALF_HOUR * FPS)), 3, rate)]
    assert _per_minute(plans) == pytest.approx(26.0 * rate, rel=0.15)


def test_intervals_are_skewed_as_a_log_normal_is(monologues: list[Planned]) -> None:
    intervals = np.concatenate([np.diff(_starts(plan)) for plan in monologues])
    assert stats.skew(intervals) > 1.0
    assert abs(stats.skew(np.log(intervals))) < 0.3
    assert 0.7 < intervals.std() / intervals.mean() < 1.05


def test_blinks_close_fast_and_open_slowly(talks: list[Planned]) -> None:
    """Closing about 100 ms, opening 100 to 250 ms and slower, the whole 150 to 400 ms: nearly all."""
    blinks = [blink for plan in talks for blink in plan.blinks]
    closing = np.array([blink.closing for blink in blinks])
    opening = np.array([blink.opening for blink in blinks])
    whole = np.array([blink.end - blink.start for blink in blinks])
    assert np.median(closing) == pytest.approx(0.1, abs=0.015)
    assert (opening > 1.3 * closing).mean() > 0.97
    assert ((opening > 0.1) & (opening < 0.3)).mean() > 0.97
    assert ((whole > 0.15) & (whole < 0.42)).mean() > 0.95
    partial = np.array([max(blink.amplitude) < 1.0 for blink in blinks])
    assert 0.10 < partial.mean() < 0.22
    apart = np.diff([blink.start for blink in talks[0].blinks])
    assert (apart > [blink.closing + blink.hold for blink in talks[0].blinks[:-1]]).all()


def test_blinks_gather_where_speech_stops(talks: list[Planned]) -> None:
    """At least twice as many start within half a second after a phrase as with blinks shuffled in time."""
    random = np.random.default_rng(0)
    for plan in talks:
        starts = _starts(plan)
        measured = _after_stops(starts, plan.stops)
        shuffled = np.mean(
            [
                _after_stops((starts + shift) % plan.seconds, plan.stops)
                for shift in random.uniform(0, HALF_HOUR, 20)
            ]
        )
        assert measured > 2.0 * shuffled


def _after_stops(starts: Array, stops: Array) -> float:
    since = starts[:, None] - stops[None, :]
    return float(((since > -0.05) & (since < 0.5)).any(1).mean())


def test_large_gaze_shifts_bring_blinks(monologues: list[Planned]) -> None:
    """Nearly no small shift does, most above 25 degrees do where a blink is not just over."""

    def share(least: float, most: float) -> float:
        hits = [
            (np.abs(_starts(plan) - saccade.start) < 0.03).any()
            for plan in monologues
            for saccade in plan.saccades
            if least <= saccade.amplitude < most
        ]
        assert len(hits) > 20
        return float(np.mean(hits))

    assert share(0.0, 8.0) < 0.06
    assert share(22.0, 40.0) > 0.4
    assert share(12.0, 18.0) < share(22.0, 40.0)


def test_saccades_keep_to_the_main_sequence(monologues: list[Planned]) -> None:
    """20 to 25 ms and 2.2 to 2.4 ms per degree (Carpenter 1988)."""
    amplitude = np.array([saccade.amplitude for saccade in monologues[0].saccades])
    duration = np.array([saccade.duration for saccade in monologues[0].saccades])
    line = stats.linregress(amplitude, 1e3 * duration)
    assert 2.19 < line.slope < 2.41
    assert 20.0 < line.intercept < 25.0


def test_amplitudes_fall_off_as_measured(monologues: list[Planned], silences: list[Planned]) -> None:
    """Lee, Badler and Badler 2002: exp(-A / 6.9), up to 27.5 and 22.7 degrees; most under 15."""
    for plans, most in ((monologues, 27.5), (silences, 22.7)):
        size = np.array([math.hypot(*saccade.target) for plan in plans for saccade in plan.saccades])
        away = size[size > 6.5]
        assert away.max() <= most
        assert _fall_off(away - 6.5, most - 6.5) == pytest.approx(6.9, rel=0.2)
        amplitude = np.array([saccade.amplitude for plan in plans for saccade in plan.saccades])
        assert (amplitude < 15.0).mean() > 0.85


def _fall_off(size: Array, most: float) -> float:
    """The scale of an exponential cut off at `most` that is likeliest to give `size`."""
    scales = np.linspace(3.0, 14.0, 221)
    likelihood = [
        np.mean(-size / scale) - math.log(scale) - math.log1p(-math.exp(-most / scale)) for scale in scales
    ]
    return float(scales[int(np.argmax(likelihood))])


def test_directions_are_mostly_cardinal(monologues: list[Planned]) -> None:
    """Lee, Badler and Badler 2002, their table, by a chi-square test."""
    share = np.array([15.54, 6.46, 17.69, 7.44, 16.80, 7.89, 20.38, 7.79]) / 100
    angles = [
        math.degrees(math.atan2(saccade.target[1], -saccade.target[0]))
        for plan in monologues
        for saccade in plan.saccades
        if math.hypot(*saccade.target) > 6.5
    ]
    sectors = np.bincount(np.round(np.array(angles) / 45.0).astype(int) % 8, minlength=8)
    assert stats.chisquare(sectors, share / share.sum() * sectors.sum()).pvalue > 1e-3


def test_looks_at_the_viewer_and_away_last_as_measured(
    monologues: list[Planned], silences: list[Planned]
) -> None:
    """Lee, Badler and Badler 2002: away 0.93 s and back 3.13 s in speech, 0.43 and 7.92 s in listening.

    Looking away by little more than the viewer's face cannot be told from it, which merges some stretches.
    """
    for plans, away, mutual in ((monologues, 0.93, 3.13), (silences, 0.43, 7.92)):
        lengths: dict[bool, list[float]] = {True: [], False: []}
        for plan in plans:
            states = [math.hypot(*saccade.target) > 5.6 for saccade in plan.saccades]
            changes = [
                (saccade.start, state)
                for i, (saccade, state) in enumerate(zip(plan.saccades, states, strict=True))
                if i == 0 or states[i - 1] != state
            ]
            for (start, state), (end, _) in pairwise(changes):
                lengths[state].append(end - start)
        assert np.mean(lengths[True]) == pytest.approx(away, rel=0.15)
        assert mutual * 0.9 < np.mean(lengths[False]) < mutual * 1.5


def test_eyes_come_back_where_speech_stops(talks: list[Planned]) -> None:
    """Kendon 1967: speakers look at their partner as they end."""
    at_stop, anywhere = [], []
    for plan in talks:
        starts = np.array([saccade.start for saccade in plan.saccades])
        away = np.array([math.hypot(*saccade.target) > 5.6 for saccade in plan.saccades])
        at_stop += list(away[np.searchsorted(starts, plan.stops[1:] + 0.3) - 1])
        anywhere += list(away[np.searchsorted(starts, np.arange(10.0, HALF_HOUR, 0.5)) - 1])
    assert np.mean(at_stop) < 0.6 * np.mean(anywhere)


def test_breaths_at_rest_and_in_talk(silences: list[Planned], talks: list[Planned]) -> None:
    """12 to 20 a minute at rest; in talk each fits into the pause before a phrase, or into silence."""
    for plan in silences:
        assert 13.0 < len(plan.breaths) / HALF_HOUR * 60.0 < 17.0
    for plan in talks:
        assert 8.0 < len(plan.breaths) / HALF_HOUR * 60.0 < 20.0
        quick = [breath for breath in plan.breaths if breath.mouth]
        assert len(quick) > 100
        for breath in quick:
            voice = plan.starts[np.searchsorted(plan.starts, breath.start)]
            assert 0.06 < voice - breath.start - breath.inhaled < 0.14
            before = plan.stops[plan.stops < voice]
            assert not len(before) or breath.start > before[-1]
        served = np.searchsorted(plan.starts, [breath.start for breath in quick])
        assert len(set(served)) == len(served)


def test_pauses_that_are_too_short_do_not_count() -> None:
    voice = np.zeros(250)
    voice[50:150] = 1.0
    voice[70:77] = 0.0  # 0.28 s: a stop consonant, a hesitation
    voice[100:110] = 0.0  # 0.4 s
    plan = planned(voice, 0)
    assert plan.starts == pytest.approx([2.0, 4.4], abs=0.045)
    assert plan.stops == pytest.approx([4.0, 6.0], abs=0.045)


def test_ticks_see_edges_ahead() -> None:
    activity = np.zeros(100)
    activity[50:] = 1.0
    ticks = SpeechTicks(FPS).push(activity)
    ahead = [tick.time + tick.until_start for tick in ticks if tick.until_start < math.inf]
    assert len(ahead) > 20
    assert np.ptp(ahead) < 1e-9
    assert ahead[0] == pytest.approx(2.0, abs=0.03)
    assert all(tick.speaking == (tick.time > ahead[0] - 1e-9) for tick in ticks)


def test_draws_are_even_and_normal() -> None:
    draws = Draws(7, 1)
    even = [draws.uniform(event, 3) for event in range(2000)]
    assert stats.kstest(even, "uniform").pvalue > 1e-3
    normal = [draws.normal(event, 4) for event in range(2000)]
    assert stats.kstest(normal, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(even, normal)[0, 1]) < 0.08
    assert draws.uniform(5, 3) != Draws(8, 1).uniform(5, 3)


def test_log_normals_have_the_mean_and_deviation_asked_for() -> None:
    values = [log_normal(3.13, 3.16, z) for z in stats.norm.ppf((np.arange(20000) + 0.5) / 20000)]
    assert np.mean(values) == pytest.approx(3.13, rel=0.01)
    assert np.std(values) == pytest.approx(3.16, rel=0.1)

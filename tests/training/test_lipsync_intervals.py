"""Bootstrap intervals against brute force and the binomial law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from training.evaluate.intervals import PairedAreas, interval, mean, median, share
from training.evaluate.metrics import auc

VALUES = st.lists(st.integers(0, 4), max_size=6)
CLIPS = st.lists(VALUES, min_size=2, max_size=5)


@given(CLIPS, st.data())
def test_areas_of_repeated_clips(positive, data):
    negative = data.draw(
        st.lists(st.lists(st.integers(0, 4), max_size=6), min_size=len(positive), max_size=len(positive))
    )
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(positive), max_size=len(positive)))
    positive, negative = ([np.array(part, float) for part in parts] for parts in (positive, negative))
    found = PairedAreas(positive, negative).area(np.array(counts, float))
    repeated = [
        np.concatenate([np.zeros(0), *(np.tile(part, n) for part, n in zip(parts, counts, strict=True))])
        for parts in (positive, negative)
    ]
    assert found == pytest.approx(auc(*repeated), nan_ok=True)


@given(CLIPS, st.data())
def test_medians_and_means_of_repeated_clips(values, data):
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values)))
    parts = [np.array(part, float) for part in values]
    every = np.concatenate([np.zeros(0), *(np.tile(p, n) for p, n in zip(parts, counts, strict=True))])
    weights = np.array(counts, float)
    expected = np.median(every) if len(every) else np.nan
    assert median(parts)(weights) == pytest.approx(expected, nan_ok=True)
    averages = [part.mean() if len(part) else np.nan for part in parts]
    found = mean(averages, [len(part) for part in parts])(weights)
    assert found == pytest.approx(every.mean() if len(every) else np.nan, nan_ok=True)


def test_an_interval_of_equal_clips_is_binomial():
    hits = np.array([1] * 60 + [0] * 40)
    found = interval(share(hits, np.ones(100)), [str(i) for i in range(100)], draws=4000)
    assert found.value == 0.6
    low, high = binom.ppf([0.025, 0.975], 100, 0.6) / 100
    assert found.clips == pytest.approx((low, high), abs=0.011)
    assert found.speakers == pytest.approx((low, high), abs=0.011)


def test_one_speaker_has_no_spread():
    found = interval(share([1, 0, 1, 1], [1, 1, 1, 1]), ["a"] * 4)
    assert found.speakers == (0.75, 0.75)
    assert found.clips[0] < 0.75 < found.clips[1]

"""Closure events on hand-made gaps whose matches are known."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluate.closures import WIDE_WINDOW, WINDOW, closures_of, count, events_of, match, silences_of
from training.phones import phones_of

RATE = 50.0
OPEN, SHUT = 5e-3, 0.0
WORD = [(0.0, 0.5, "sil"), (0.5, 0.7, "a"), (0.7, 0.8, "m"), (0.8, 1.0, "a"), (1.0, 1.5, "sil")]


def gap_of(spans, seconds=2.0, rest=True, speech=(0.5, 1.0)):
    """[F] shut in `spans`, and outside `speech` where lips rest, open elsewhere."""
    times = np.arange(round(seconds * RATE) + 1) / RATE
    shut = np.zeros(len(times), bool)
    for start, end in spans:
        shut |= (times >= start - 1e-9) & (times <= end + 1e-9)
    if rest:
        shut |= (times < speech[0]) | (times > speech[1])
    return np.where(shut, SHUT, OPEN)


def matched(segments, spans, window=WINDOW, **how):
    return match(phones_of(segments), gap_of(spans, **how), RATE, window)


def test_crossings_are_interpolated():
    gap = np.array([2.5, 2.5, 0.0, 0.0, 0.0, 1.0]) * 1e-3
    (event,) = events_of(gap, RATE, np.zeros((0, 2)))
    assert event.start == pytest.approx((1 + 0.8) / RATE)  # from 2.5 to 0: 0.5 after four fifths
    assert event.end == pytest.approx((4 + 0.5) / RATE)  # from 0 to 1: 0.5 half way


@pytest.mark.parametrize(("frames", "number"), [(1, 0), (2, 0), (3, 1), (4, 1)])
def test_events_last_40_ms(frames, number):
    gap = np.full(20, 1e9)  # so steep that an event lasts from its first to its last frame
    gap[5 : 5 + frames] = SHUT
    assert len(events_of(gap, RATE, np.zeros((0, 2)))) == number


@pytest.mark.parametrize(
    ("frame", "hit"), [(30, False), (32, False), (33, True), (35, True), (36, True), (37, False)]
)
def test_the_window_of_the_definition(frame, hit):
    # From 5 mm to 0 within a frame: the gap is 0.5 mm a tenth of a frame before the first shut one.
    found = matched(WORD, [(frame / RATE, 0.82)])
    error = (frame - 0.1) / RATE - 0.7
    assert (found.hit[0] >= 0) == hit == (-0.06 <= error <= 0.02)
    if hit:
        assert found.error[0] == pytest.approx(error, abs=1e-9)
    assert found.false.sum() == (0 if hit else 1)


def test_a_wider_window_tells_detection_from_timing():
    late = [(0.76, 0.84)]
    assert matched(WORD, late).hit[0] < 0
    found = matched(WORD, late, WIDE_WINDOW)
    assert found.hit[0] >= 0
    assert not found.false.any()


def test_a_closure_in_a_vowel_is_false_and_one_in_silence_is_not():
    found = matched(WORD, [(0.7, 0.8), (0.88, 0.94)])
    assert count([found]).hits == 1
    assert count([found]).false == 1
    assert count([found]).precision == 0.5
    resting = matched(WORD, [(0.7, 0.8), (1.2, 1.3)], rest=False)
    assert count([resting]).false == 0


def test_lips_may_rest_a_little_longer_than_silence():
    assert not matched(WORD, [(0.7, 0.8), (0.5, 0.54)]).false.any()
    assert matched(WORD, [(0.7, 0.8), (0.5, 0.6)]).false.any()


def test_adjoining_phones_are_one_closure():
    segments = [(0.0, 0.5, "sil"), (0.5, 0.7, "a"), (0.7, 0.76, "m"), (0.76, 0.82, "b"), (0.82, 1.0, "a")]
    (closure,) = closures_of(phones_of(segments))
    assert (closure.start, closure.end, closure.names) == (0.7, 0.82, "m+b")
    assert count([matched(segments, [(0.7, 0.82)])]).recall == 1.0


def test_one_event_hits_one_closure():
    segments = [(0.5, 0.6, "p"), (0.6, 0.64, "a"), (0.64, 0.7, "p"), (0.7, 1.0, "a")]
    found = match(phones_of(segments), gap_of([(0.5, 0.7)], rest=False), RATE, (-0.2, 0.2))
    assert count([found]).hits == 1


def test_after_silence_lips_need_only_hold():
    segments = [(0.0, 0.5, "sil"), (0.5, 0.6, "p"), (0.6, 1.0, "a")]
    held = matched(segments, [(0.5, 0.6)])
    assert held.hit[0] >= 0
    assert np.isnan(held.error[0])
    released = matched(segments, [(0.5, 0.52)])
    assert released.hit[0] < 0


def test_a_rest_between_two_closures_serves_both():
    segments = [(0.0, 0.3, "a"), (0.3, 0.4, "m"), (0.4, 0.8, "sil"), (0.8, 0.9, "p"), (0.9, 1.2, "a")]
    found = match(phones_of(segments), gap_of([(0.3, 0.9)], rest=False), RATE)
    assert count([found]).hits == 2
    assert not found.false.any()


def test_a_clip_may_begin_and_end_with_a_closure():
    segments = [(0.0, 0.1, "b"), (0.1, 0.4, "a"), (0.4, 0.5, "m")]
    gap = gap_of([(0.0, 0.1), (0.4, 0.5)], seconds=0.5, rest=False)
    found = match(phones_of(segments), gap, RATE)
    assert count([found]).hits == 2


def test_silences_are_what_phones_leave():
    phones = phones_of([(0.2, 0.3, "a"), (0.3, 0.5, "sil"), (0.7, 0.8, "a")])
    np.testing.assert_allclose(silences_of(phones)[:, 0][1:], [0.3, 0.8])
    np.testing.assert_allclose(silences_of(phones)[:, 1][:-1], [0.2, 0.7])


@given(
    st.lists(st.integers(-150, 150), min_size=1, max_size=6, unique=True),
    st.lists(st.integers(-150, 150), max_size=6, unique=True),
)
def test_the_matching_is_the_largest(phone_shifts, event_shifts):
    """Against trying every assignment; phones and events at random places, tolerance +-100 ms."""
    onsets = np.sort([2.0 + 0.02 * shift for shift in phone_shifts])
    starts = np.sort([2.0 + 0.02 * shift + 0.01 for shift in event_shifts])
    onsets = onsets[np.concatenate([[True], np.diff(onsets) > 0.03])] + 4
    segments = [(t, t + 0.02, "p") for t in onsets]
    filled = [(0.0, onsets[0], "a")]
    for (_, end, _), start in zip(segments, [*onsets[1:], 12.0], strict=True):
        filled += [(end - 0.02, end, "p"), (end, start, "a")]
    times = np.arange(601) / RATE
    gap = np.full(601, 1e9)
    for start in starts + 4:
        first = int(np.ceil(start * RATE))
        gap[first : first + 3] = SHUT
    found = match(phones_of(filled), gap, RATE, (-0.1, 0.1))
    events = [event.start for event in found.events]
    assert times[-1] == 12.0
    assert (found.hit >= 0).sum() == _largest(onsets, events)


def _largest(onsets, events):
    """Most pairs within 100 ms, by augmenting paths."""
    taken: dict[int, int] = {}

    def place(i, seen):
        for j, event in enumerate(events):
            if abs(event - onsets[i]) <= 0.1 and j not in seen:
                seen.add(j)
                if j not in taken or place(taken[j], seen):
                    taken[j] = i
                    return True
        return False

    return sum(place(i, set()) for i in range(len(onsets)))


def test_counts_are_sums():
    parts = [matched(WORD, spans) for spans in ([(0.7, 0.8)], [], [(0.7, 0.8), (0.88, 0.94)])]
    total = count(parts)
    assert (total.closures, total.hits, total.false) == (3, 2, 1)
    for one, other in itertools.permutations(parts, 2):
        assert count([one, other]).hits == count([one]).hits + count([other]).hits

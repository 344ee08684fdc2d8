"""Closure events: when lips close on the mesh, matched one to one with the p, b, m of a sound.

An event is a stretch of at least 40 ms in which the lips' gap is at most 0.5 mm. It hits a closure of the
sound when it begins 60 ms before to 20 ms after it: early is tolerated by viewers, late is not. For the cases
that this leaves open, our choices:

- Phones p, b, m that follow each other without a gap are one closure ("number": m and b), which begins with
  the first.
- Lips may rest closed in silence, from 60 ms before it to 20 ms after it. An event is false when it hits
  nothing and at least 40 ms of it lie outside that. An event that goes through a silence is cut in its
  middle, so that an m before it and a p after it can both be hit.
- A closure after silence has no onset to see: lips that were closed before it hit it when they are still
  closed in the middle of the phone. Such hits have no onset error.
- Before and after a clip is silence, and the first and last frame last for ever.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from blender_addon.protocol.tensorfile import Array

from ..phones import BILABIAL, SILENCE, Phones, is_kind

CLOSED_GAP = 0.5e-3  # metres
SHORTEST = 0.04  # seconds
WINDOW = (-0.06, 0.02)  # seconds from a closure's onset to an event's
WIDE_WINDOW = (-0.1, 0.1)  # that tells what is not closed from what is closed at another time
_ADJOINING = 0.005  # seconds between phones that follow each other
_PAUSE = 0.08  # seconds: a shorter silence cuts no event
_FAR = 1e9
_NO_MATCH = 1e3


@dataclass(frozen=True)
class Closure:
    """What a sound asks of the lips, seconds.

    Attributes:
        start, end: of the p, b, m or of several that adjoin.
        middle: of the first of them.
        names: classes, as "m+b".
        after_silence: whether nothing was said before.
    """

    start: float
    end: float
    middle: float
    names: str
    after_silence: bool


@dataclass(frozen=True)
class Event:
    """Lips closed from `start` to `end` seconds; `rested`: they were so before, in silence."""

    start: float
    end: float
    rested: bool


@dataclass(frozen=True)
class Matched:
    """One clip's events against its closures.

    Attributes:
        closures, events: all of the sound, and all that hit or are false.
        hit: per closure, the index of its event, or -1.
        error: per closure, seconds from its onset to the event's; NaN where not hit or after rest.
        false: per event, whether it is false.
    """

    closures: tuple[Closure, ...]
    events: tuple[Event, ...]
    hit: Array
    error: Array
    false: Array


def closures_of(phones: Phones) -> tuple[Closure, ...]:
    """The closures that `phones` ask for, in time order."""
    result: list[Closure] = []
    chosen = np.flatnonzero(is_kind(phones.kind, BILABIAL))
    names = phones.names
    for i in chosen:
        start, end = float(phones.start[i]), float(phones.end[i])
        if result and start - result[-1].end < _ADJOINING:
            last = result.pop()
            result.append(
                Closure(last.start, end, last.middle, f"{last.names}+{names[i]}", last.after_silence)
            )
            continue
        alone = i == 0 or names[i - 1] == SILENCE or start - float(phones.end[i - 1]) >= _PAUSE
        result.append(Closure(start, end, (start + end) / 2, names[i], alone))
    return tuple(result)


def silences_of(phones: Phones) -> Array:
    """[n, 2] seconds in which nobody speaks, from before the first phone to after the last."""
    spoken = phones.select(~is_kind(phones.kind, frozenset({SILENCE})))
    starts = np.concatenate([[-_FAR], spoken.end])
    ends = np.concatenate([spoken.start, [_FAR]])
    kept = ends - starts > _ADJOINING
    return np.stack([starts[kept], ends[kept]], 1)


def events_of(gap: Array, fps: float, silences: Array) -> tuple[Event, ...]:
    """Events of a gap [F] in metres, frame i at i / fps; cut in the middle of `silences` [n, 2]."""
    events = []
    cuts = silences[silences[:, 1] - silences[:, 0] >= _PAUSE].mean(1)
    for start, end in _closed_spans(gap, fps):
        inside = cuts[(cuts > start) & (cuts < end)]
        edges = [start, *inside, end]
        for number, (begin, stop) in enumerate(itertools.pairwise(edges)):
            if stop - begin >= SHORTEST:
                events.append(Event(float(begin), float(stop), number > 0 or _within(begin, silences)))
    return tuple(events)


def _closed_spans(gap: Array, fps: float) -> list[tuple[float, float]]:
    """Seconds from and to which the gap, drawn as a line between frames, is at most `CLOSED_GAP`."""
    over = np.asarray(gap, np.float64) - CLOSED_GAP
    closed = np.concatenate([[False], over <= 0, [False]])
    first, last = np.flatnonzero(~closed[:-1] & closed[1:]), np.flatnonzero(closed[:-1] & ~closed[1:]) - 1
    spans = []
    for a, b in zip(first, last, strict=True):
        start = -_FAR if a == 0 else (a - over[a] / (over[a] - over[a - 1])) / fps
        end = _FAR if b == len(over) - 1 else (b + over[b] / (over[b] - over[b + 1])) / fps
        spans.append((float(start), float(end)))
    return spans


def _within(time: float, spans: Array) -> bool:
    return bool(((spans[:, 0] <= time) & (time < spans[:, 1])).any())


def match(phones: Phones, gap: Array, fps: float, window: tuple[float, float] = WINDOW) -> Matched:
    """Match the events of `gap` [F] metres with the closures of `phones`: most hits, then least error."""
    silences = silences_of(phones)
    closures, events = closures_of(phones), events_of(gap, fps, silences)
    cost = np.full((len(closures), len(events)), _NO_MATCH)
    error = np.full(cost.shape, np.nan)
    for i, closure in enumerate(closures):
        for j, event in enumerate(events):
            late = event.start - closure.start
            if window[0] <= late <= window[1]:
                cost[i, j], error[i, j] = abs(late), late
            elif _holds_from_rest(closure, event):
                cost[i, j] = 0.0
    rows, columns = linear_sum_assignment(cost)
    hit = np.full(len(closures), -1)
    for i, j in zip(rows, columns, strict=True):
        if cost[i, j] < _NO_MATCH:
            hit[i] = j
    errors = np.array([error[i, j] if j >= 0 else np.nan for i, j in enumerate(hit)])
    unmatched = ~np.isin(np.arange(len(events)), hit)
    spoken = np.array([_spoken(event, silences) >= SHORTEST for event in events], bool)
    return Matched(closures, events, hit, errors, unmatched & spoken)


def _holds_from_rest(closure: Closure, event: Event) -> bool:
    return (
        closure.after_silence
        and event.rested
        and event.start <= closure.start
        and event.end >= closure.middle
    )


def _spoken(event: Event, silences: Array) -> float:
    """Seconds of an event in which lips may not rest."""
    low = np.maximum(silences[:, 0] + WINDOW[0], event.start)
    high = np.minimum(silences[:, 1] + WINDOW[1], event.end)
    return float(event.end - event.start - np.maximum(high - low, 0).sum())


@dataclass(frozen=True)
class EventCounts:
    """Sums over clips: closures asked for, hits among them, false events; onset errors in seconds."""

    closures: int
    hits: int
    false: int
    errors: Array

    @property
    def recall(self) -> float:
        """Share of closures that are hit."""
        return self.hits / self.closures if self.closures else float("nan")

    @property
    def precision(self) -> float:
        """Share of hits among events that hit or are false."""
        counted = self.hits + self.false
        return self.hits / counted if counted else float("nan")


def count(parts: Sequence[Matched]) -> EventCounts:
    """The sums of several clips."""
    return EventCounts(
        closures=sum(len(part.closures) for part in parts),
        hits=sum(int((part.hit >= 0).sum()) for part in parts),
        false=sum(int(part.false.sum()) for part in parts),
        errors=np.concatenate([np.zeros(0), *(part.error[~np.isnan(part.error)] for part in parts)]),
    )

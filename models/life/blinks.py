"""When the eyes close, how, and what moves with them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES, sided_indices
from blender_addon.protocol.face import EYE_LOOK_DEGREES
from blender_addon.protocol.tensorfile import Array

from .draws import Draws, log_normal
from .gaze import Saccade, smooth
from .speech import TICK, Tick

_LAYER = 13  # of the seed
_PER_MINUTE = {True: 26.0, False: 17.0}  # in conversation and at rest: Bentivoglio et al. 1997
_SPREAD = 0.85  # standard deviation of intervals over their mean; log-normal, the width is our choice
# Seconds (mean, standard deviation): closing about 0.1, reopening slower, 0.1 to 0.25, the whole 0.15 to 0.4
# (VanderWerf et al. 2003; Trutoiu et al. 2011 on how unlike the two are). Spreads and the hold: our choice.
_CLOSING, _HOLD, _OPENING = (0.095, 0.012), (0.035, 0.015), (0.22, 0.032)
# Lids spring open most of the way and creep the rest; shares by eye, from the blinks of one filmed speaker.
_SPRING, _SPRING_TIME = 0.7, 0.6
# Share of blinks that do not close; our choice. Ousler et al. 2014 count half, twitches of the lid and all.
_PARTIAL = 0.15
_PARTIAL_AMPLITUDE = (0.55, 0.85)
_DOUBLE = 0.05  # share of blinks that are followed by another at once; our choice
_DOUBLE_FROM = (0.6, 1.1)  # of the first one's opening, where the second starts; our choice
# Blinks gather where speech stops (Nakano and Kitazawa 2010): how many that could come soon do so, what is
# soon (in mean intervals) and how long after the end they start are our choice.
_AT_STOP, _STOP_REACH, _STOP_LAG = 0.75, 1.0, (0.02, 0.35)
# 97% of gaze shifts above 33 degrees bring one, few small ones do (Evinger et al. 1994); a logistic curve
# with its middle and width by our choice.
_EVOKED_MIDDLE, _EVOKED_WIDTH, _EVOKED_REACH = 20.0, 3.7, 1.5
_GAP = 0.10  # least seconds between a blink's end and the next; our choice
_LAG = 0.003  # seconds, standard deviation between the lids; our choice
_UNEVEN = 0.03  # standard deviation between the sides of a partial blink; our choice
# Towards the nose and down 1 to 2 degrees, ahead of the lids and back before them: Riggs et al. 1985.
_EYE_DOWN, _EYE_IN = 1.6, 1.1  # degrees
_EYE_LEAD = 0.85  # of closing and of opening, that the eye's own movement takes; our choice
_SQUINT = 0.10  # eyeSquint of a lid half-way: the lower one rises a little too (Doane 1980); amount by eye
_SLOWEST_SHOWN = 10.0  # frames per second, below which a closure need not be seen; our choice

_INTERVAL, _START, _PART, _PART_SIZE, _TWICE, _TWICE_FROM, _CLOSE, _HELD, _OPEN, _LATE, _SIDE = range(11)
_STOP, _STOP_WAIT, _SHIFT = 20, 21, 22
_SECOND = 40  # added to purposes of the second blink of two
_BLINK = sided_indices("eyeBlink")
_SQUINTS = sided_indices("eyeSquint")
_ASIDE = np.zeros(len(ARKIT_NAMES))  # weights by which the eyes move aside
for _name, _degrees in (("Down", _EYE_DOWN), ("In", _EYE_IN)):
    _ASIDE[sided_indices(f"eyeLook{_name}")] = _degrees / EYE_LOOK_DEGREES[_name]


@dataclass(frozen=True, slots=True)
class Blink:
    """One closure: seconds of its phases, how far the lids go (left, right), how much later the right one."""

    start: float
    closing: float
    hold: float
    opening: float
    amplitude: tuple[float, float]
    lag: float

    @property
    def end(self) -> float:
        """When both lids are open again, seconds."""
        return self.start + self.closing + self.hold + self.opening + max(self.lag, 0.0)

    @property
    def middle(self) -> float:
        """When the lids are closest, seconds."""
        return self.start + self.closing + self.hold / 2.0


class BlinkPlan:
    """Decides tick by tick when a blink starts.

    Blinks fall due as a renewal process whose rate follows speech. One that is nearly due comes early at a
    large gaze shift or where speech stops, and one that falls due just before speech stops waits for it;
    the ones after it stay where they were due, so the rate stays what it was.
    """

    def __init__(self, seed: int, rate: float) -> None:
        """`rate`: times the usual number of blinks."""
        self._draws = Draws(seed, _LAYER)
        self._rate = rate / 60.0 / (1.0 + _DOUBLE)
        self._number = 0
        self._due = self._interval() * self._draws.uniform(0, _START)  # in mean intervals from now
        self._stops = self._shifts = 0
        self._free = 0.0

    def step(self, tick: Tick, saccade: Saccade | None) -> list[Blink]:
        """The blinks (none, one or two) decided at this tick; they start at it or later."""
        self._due -= TICK * self._rate * _PER_MINUTE[tick.speaking]
        start = self._start(tick, saccade)
        if start is None or start < self._free or self._rate == 0.0:
            return []
        blinks = self._made(start)
        self._free = blinks[-1].end + _GAP
        self._number += 1
        self._due += self._interval()
        return blinks

    def _start(self, tick: Tick, saccade: Saccade | None) -> float | None:
        draws = self._draws
        if saccade is not None:
            self._shifts += 1
            chance = 1.0 / (1.0 + math.exp((_EVOKED_MIDDLE - saccade.amplitude) / _EVOKED_WIDTH))
            if self._due < _EVOKED_REACH and draws.uniform(self._shifts, _SHIFT) < chance:
                return saccade.start
        if tick.until_stop == 0.0:
            self._stops += 1
            taken = self._due < _STOP_REACH and draws.uniform(self._stops, _STOP) < _AT_STOP
            if taken or self._due <= 0.0:
                return tick.time + draws.between(self._stops, _STOP_WAIT, *_STOP_LAG)
        if self._due <= 0.0 and tick.until_stop == math.inf:
            return tick.time + TICK * draws.uniform(self._number, _START)
        return None

    def _interval(self) -> float:
        return log_normal(1.0, _SPREAD, self._draws.normal(self._number, _INTERVAL))

    def _made(self, start: float) -> list[Blink]:
        n, draws = self._number, self._draws
        first = self._blink(start, 0)
        if draws.uniform(n, _TWICE) >= _DOUBLE:
            return [first]
        shut = first.start + first.closing + first.hold
        again = shut + first.opening * draws.between(n, _TWICE_FROM, *_DOUBLE_FROM)
        return [first, self._blink(again, _SECOND)]

    def _blink(self, start: float, which: int) -> Blink:
        n, draws = self._number, self._draws
        size, other = 1.0, 0.0
        if draws.uniform(n, _PART + which) < _PARTIAL:
            size = draws.between(n, _PART_SIZE + which, *_PARTIAL_AMPLITUDE)
            other = _UNEVEN * draws.normal(n, _SIDE + which) / 2.0
        return Blink(
            start,
            log_normal(*_CLOSING, draws.normal(n, _CLOSE + which)),
            log_normal(*_HOLD, draws.normal(n, _HELD + which)),
            log_normal(*_OPENING, draws.normal(n, _OPEN + which)),
            (size + other, size - other),
            _LAG * draws.normal(n, _LATE + which),
        )


def blink_weights(first: int, count: int, fps: float, blinks: list[Blink]) -> Array:
    """[count, 52] f32 of frames `first`, `first` + 1, ...; every closure is whole in at least one frame."""
    weights = np.zeros((count, len(ARKIT_NAMES)))
    times = (first + np.arange(count)) / fps
    for blink in blinks:
        rows = np.flatnonzero((times > blink.start - _GAP) & (times < blink.end))
        nearest = math.floor(blink.middle * fps + 0.5) - first
        lids = np.stack([_lid(times[rows], blink, 0.0), _lid(times[rows], blink, blink.lag)], axis=1)
        if fps >= _SLOWEST_SHOWN:
            lids[rows == nearest] = 1.0
        lids *= blink.amplitude
        cells = np.ix_(rows, np.array(_BLINK))
        weights[cells] = np.maximum(weights[cells], lids)
        weights[rows] += np.outer(_eye(times[rows], blink), _ASIDE)
    lids = weights[:, _BLINK]
    weights[:, _SQUINTS] = 4.0 * _SQUINT * lids * (1.0 - lids)
    return weights.astype(np.float32)


def _lid(times: Array, blink: Blink, lag: float) -> Array:
    """[n] 0-1: closing with the least jerk, reopening fast at first and slowly at last."""
    passed = times - blink.start - lag
    closed = smooth(np.clip(passed / blink.closing, 0.0, 1.0))
    opened = (passed - blink.closing - blink.hold) / blink.opening
    spring, creep = (smooth(1.0 - np.clip(opened / span, 0.0, 1.0)) for span in (_SPRING_TIME, 1.0))
    return np.asarray(closed * np.minimum(_SPRING * spring + (1.0 - _SPRING) * creep, 1.0))


def _eye(times: Array, blink: Blink) -> Array:
    """[n] 0-1: how far the eye has moved aside."""
    passed = times - blink.start
    there = smooth(np.clip(passed / (_EYE_LEAD * blink.closing), 0.0, 1.0))
    back = (passed - blink.closing - 0.5 * blink.hold) / (_EYE_LEAD * blink.opening)
    return np.asarray(max(blink.amplitude) * there * (1.0 - smooth(np.clip(back, 0.0, 1.0))))

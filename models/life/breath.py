"""Breathing: at rest a slow swing, in speech quick inhalations where a pause allows one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES, sided_indices
from blender_addon.protocol.tensorfile import Array

from .draws import Draws, log_normal
from .gaze import smooth
from .speech import AHEAD, TICK, Tick

_LAYER = 14  # of the seed
_PERIOD = (
    4.0,
    0.6,
)  # seconds (mean, standard deviation): 15 a minute, of 12 to 20 at rest; spread our choice
_INHALED = (
    0.4  # of a period at rest is breathing in, and as much again and a little breathing out; our choice
)
_EXHALED = 0.48
# Breathing in for speech takes less than a second (Autesserre et al. 1989); ours is quick, our choice.
_SPEECH_INHALED = (0.30, 0.46)  # seconds
_SPEECH_EXHALED = (5.0, 1.2)  # seconds (mean, standard deviation); our choice
_BEFORE_SPEECH = 0.10  # seconds from the end of breathing in to activity, which rises after the voice
_AFTER_SPEECH = 0.10  # least seconds from a phrase's end to breathing in; our choice
_SHORTEST = 0.18  # seconds; a pause too short for this has no breath. Our choice
_OVERDUE = (0.35, 1.6)  # seconds after speech between which a breath at rest starts; our choice
_DEPTH, _SPEECH_DEPTH, _DEPTH_SPREAD = 0.8, 1.1, 0.12  # our choice
_ENOUGH = 0.6  # of a speech breath still in the lungs, with which none is taken; our choice
# What a full breath does to the head: a slight lift and a backward pitch. Sizes are our choice.
_PITCH, _LIFT = math.radians(-0.7), 0.0014  # radians about x, metres along z
_JAW = 0.07  # jawOpen at the end of breathing in before speech; by eye
_JAW_SHUTS = 0.08  # seconds; our choice
_NOSTRILS = 0.035  # noseSneer at the quickest of breathing in; by eye
_QUICKEST = 1.875  # greatest slope of `smooth`

_LENGTH, _SIZE, _OUT, _FIRST, _QUICK = range(5)


@dataclass(frozen=True, slots=True)
class Breath:
    """Air from `start` on: from `level`, with `slope` per second, to `peak` in `inhaled`, out in `exhaled`.

    Times in seconds; `mouth` is 1 for a breath before speech, else 0.
    """

    start: float
    inhaled: float
    exhaled: float
    level: float
    slope: float
    peak: float
    mouth: float

    def air(self, times: Array) -> Array:
        """[n] seconds -> [n] how much air is in."""
        share = np.clip((times - self.start) / self.inhaled, 0.0, 1.0)
        risen = smooth(share)
        # A slope that fades within the breath, so that a breath that interrupts another joins smoothly.
        kept = self.slope * self.inhaled * share * (1.0 - share) ** 3
        out = np.clip((times - self.start - self.inhaled) / self.exhaled, 0.0, 1.0)
        return np.asarray((self.level + (self.peak - self.level) * risen + kept) * (1.0 - smooth(out)))

    def flow(self, times: Array) -> Array:
        """[n] 0-1: how fast air comes in, 1 at the quickest of a full breath at rest."""
        share = np.clip((times - self.start) / self.inhaled, 0.0, 1.0)
        return np.asarray((self.peak - self.level) * 16.0 * share**2 * (1.0 - share) ** 2)

    def parted(self, times: Array) -> Array:
        """[n] 0-1: how far the mouth opens for it; shut again before the voice starts."""
        opened = smooth(np.clip((times - self.start) / (0.7 * self.inhaled), 0.0, 1.0))
        shut = smooth(np.clip((times - self.start - self.inhaled + _BEFORE_SPEECH) / _JAW_SHUTS, 0.0, 1.0))
        return np.asarray(self.mouth * opened * (1.0 - shut))


class BreathPlan:
    """Decides tick by tick when the next breath is drawn."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed, _LAYER)
        self._number = 0
        self._last_stop = self._ready = -math.inf  # when the voice stopped; for which one a breath is drawn
        self._due = _PERIOD[0] * self._draws.uniform(0, _FIRST)
        self._quick = self._quick_length()
        self._last = Breath(-1.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0)

    def step(self, tick: Tick) -> Breath | None:
        """The breath that starts at this tick, if one does."""
        if tick.until_stop == 0.0:
            self._last_stop = tick.time
            self._due = min(max(self._due, tick.time + _OVERDUE[0]), tick.time + _OVERDUE[1])
        if tick.until_start < math.inf and not tick.speaking:
            return self._for_speech(tick)
        if not tick.speaking and tick.time >= self._due:
            return self._at_rest(tick.time)
        return None

    def _for_speech(self, tick: Tick) -> Breath | None:
        """A quick breath, as long as the pause allows."""
        voice = tick.time + tick.until_start
        room = voice - self._last_stop - _AFTER_SPEECH - _BEFORE_SPEECH
        most = min(room, AHEAD * TICK - _BEFORE_SPEECH)
        inhaled = min(self._quick, most)
        due = voice - _BEFORE_SPEECH - inhaled
        if inhaled < _SHORTEST or not due <= tick.time < due + TICK or voice < self._ready + TICK:
            return None
        if self._air(tick.time) > _ENOUGH * _SPEECH_DEPTH:
            return None
        depth = _SPEECH_DEPTH * min(1.0, inhaled / _SPEECH_INHALED[0])
        self._ready = voice
        exhaled = log_normal(*_SPEECH_EXHALED, self._draws.normal(self._number, _OUT))
        return self._drawn(tick.time, inhaled, exhaled, depth, 1.0)

    def _at_rest(self, time: float) -> Breath:
        period = log_normal(*_PERIOD, self._draws.normal(self._number, _LENGTH))
        self._due = time + period
        return self._drawn(time, _INHALED * period, _EXHALED * period, _DEPTH, 0.0)

    def _drawn(self, time: float, inhaled: float, exhaled: float, depth: float, mouth: float) -> Breath:
        size = depth * (1.0 + _DEPTH_SPREAD * self._draws.normal(self._number, _SIZE))
        level = self._air(time)
        slope = (self._air(time + 1e-4) - self._air(time - 1e-4)) / 2e-4
        self._last = Breath(time, inhaled, exhaled, level, slope, max(size, level), mouth)
        self._number += 1
        self._quick = self._quick_length()
        self._due = max(self._due, time + inhaled + exhaled)
        return self._last

    def _quick_length(self) -> float:
        return self._draws.between(self._number, _QUICK, *_SPEECH_INHALED)

    def _air(self, time: float) -> float:
        return float(self._last.air(np.array([time]))[0])


def breath_motion(times: Array, breaths: list[Breath]) -> tuple[Array, Array]:
    """[n] seconds -> pose [n, 6] and weights [n, 52] f32.

    `breaths` has at least the last that started before the first time.
    """
    pose, weights = np.zeros((len(times), 6)), np.zeros((len(times), len(ARKIT_NAMES)))
    last = np.searchsorted([breath.start for breath in breaths], times, side="right") - 1
    for number, breath in enumerate(breaths):
        rows = np.flatnonzero(last == number)
        air = breath.air(times[rows])
        pose[rows, 0], pose[rows, 5] = _PITCH * air, _LIFT * air
        weights[rows, ARKIT_INDEX["jawOpen"]] = _JAW * breath.parted(times[rows])
        for nostril in sided_indices("noseSneer"):
            weights[rows, nostril] = _NOSTRILS * np.clip(breath.flow(times[rows]), 0.0, 1.0)
    return pose.astype(np.float32), weights.astype(np.float32)

"""Where the eyes look: at the viewer's face, away, and back, in saccades, with drift between them.

Angles are degrees seen from between the eyes of a head at rest: (to the subject's left, up), (0, 0) is the
viewer's eyes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.expression.noise import derived_seed, noise_at

from .draws import Draws, log_normal
from .speech import TICK, Tick

_LAYER, _DRIFT_LAYER = 11, 12  # of the seed
# Seconds (mean, standard deviation) of looking at a partner and away, speaking and listening, from the frames
# at 30 per second that Lee, Badler and Badler 2002 ("Eyes Alive") give: 93.9 +- 94.9 and 27.8 +- 24.0 frames
# while talking, 237.5 +- 47.1 and 13.0 +- 7.1 while listening.
_MUTUAL = {True: (3.13, 3.16), False: (7.92, 1.57)}
_AVERTED = {True: (0.93, 0.80), False: (0.43, 0.24)}
# Amplitudes fall off with exp(-A / 6.9 degrees), up to 27.5 talking and 22.7 listening (the same).
_FALL_OFF = 6.9
_FARTHEST = {True: 27.5, False: 22.7}
_LEAST_AVERSION = 4.0  # degrees; smaller ones stay on the viewer's face. Our choice
# Percent of saccades at 0, 45, ... 315 degrees from the right, counter-clockwise (the same).
_DIRECTIONS = (15.54, 6.46, 17.69, 7.44, 16.80, 7.89, 20.38, 7.79)
_DIRECTION_JITTER = 10.0  # degrees to either side; our choice
# The viewer's eyes and mouth from 1 m: pupils 63 mm apart (Dodgson 2004), the mouth 70 mm below them.
_FACE = ((1.8, 0.0), (-1.8, 0.0), (0.0, -4.0))
_FACE_SHARES = (0.42, 0.42, 0.16)  # how often each is looked at; our choice
_GLANCE = (1.3, 0.8)  # seconds (mean, standard deviation) on one of them; our choice
_LAND = 0.5  # degrees, standard deviation of where a saccade lands around its aim; our choice
# Speakers look away as they begin and back as they end a turn (Kendon 1967); how often is our choice.
_AVERT_AT_START, _BACK_AT_STOP = 0.35, 0.7
_SETTLED = 1.0  # seconds of silence after which speech begins a turn; our choice
_SHORTEST_FIXATION = 0.12  # seconds between saccades; our choice
_BASE_SECONDS, _SECONDS_PER_DEGREE = 0.021, 0.0022  # duration of a saccade: Carpenter 1988
_DRIFT = 0.12  # degrees, standard deviation of what drifts during fixations; our choice, enough to be alive

_SIZE, _DIRECTION, _SPREAD, _POINT, _ACROSS, _ALONG, _START, _LENGTH, _GLANCE_LENGTH = range(9)
_TURN, _END = 20, 21


@dataclass(frozen=True, slots=True)
class Saccade:
    """A jump of gaze from `origin` to `target`, degrees (left, up), starting at `start` seconds."""

    start: float
    duration: float
    origin: tuple[float, float]
    target: tuple[float, float]

    @property
    def amplitude(self) -> float:
        """Degrees."""
        return math.dist(self.origin, self.target)


class GazePlan:
    """Decides tick by tick when and whereto the gaze jumps."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed, _LAYER)
        self._looks = 0  # how often the eyes have moved
        self._stretches = 0  # how often they have left the viewer or come back
        self._starts = self._stops = 0
        self._averted = False
        self._stretch = self._draws.uniform(0, _START)  # 0-1, how much of this stretch has passed
        self._glance = 0.0
        self._last_stop = -math.inf
        self._free = 0.0
        self._place = _FACE[0]
        self._stretch_seconds = self._stretch_lengths()
        self._glance_seconds = self._glance_length()

    def step(self, tick: Tick) -> Saccade | None:
        """The saccade that starts between this tick and the next, if one does."""
        self._stretch += TICK / self._stretch_seconds[tick.speaking]
        self._glance += TICK / self._glance_seconds
        self._turns(tick)
        if tick.time < self._free:
            return None
        if self._stretch >= 1.0:
            self._averted = not self._averted
            self._stretches += 1
            self._stretch, self._stretch_seconds = 0.0, self._stretch_lengths()
            return self._jump(tick, self._away(tick.speaking) if self._averted else self._face_point())
        if self._glance >= 1.0 and not self._averted:
            return self._jump(tick, self._face_point())
        return None

    def _turns(self, tick: Tick) -> None:
        """Looks away where a turn begins, back where speech stops."""
        if tick.until_start == 0.0:
            self._starts += 1
            begins = tick.time - self._last_stop > _SETTLED
            if begins and not self._averted and self._draws.uniform(self._starts, _TURN) < _AVERT_AT_START:
                self._stretch = 1.0
        if tick.until_stop == 0.0:
            self._stops += 1
            self._last_stop = tick.time
            if self._averted and self._draws.uniform(self._stops, _END) < _BACK_AT_STOP:
                self._stretch = 1.0

    def _jump(self, tick: Tick, target: tuple[float, float]) -> Saccade:
        start = tick.time + TICK * self._draws.uniform(self._looks, _START)
        duration = _BASE_SECONDS + _SECONDS_PER_DEGREE * math.dist(self._place, target)
        saccade = Saccade(start, duration, self._place, target)
        self._looks += 1
        self._glance, self._glance_seconds = 0.0, self._glance_length()
        self._place = target
        self._free = start + duration + _SHORTEST_FIXATION
        return saccade

    def _stretch_lengths(self) -> dict[bool, float]:
        """Seconds of the stretch that begins, while speaking and while not."""
        normal = self._draws.normal(self._stretches, _LENGTH)
        lengths = _AVERTED if self._averted else _MUTUAL
        return {speaking: log_normal(*length, normal) for speaking, length in lengths.items()}

    def _glance_length(self) -> float:
        return log_normal(*_GLANCE, self._draws.normal(self._looks, _GLANCE_LENGTH))

    def _away(self, speaking: bool) -> tuple[float, float]:
        draws, n = self._draws, self._looks
        reach = 1.0 - math.exp(-(_FARTHEST[speaking] - _LEAST_AVERSION) / _FALL_OFF)
        size = _LEAST_AVERSION - _FALL_OFF * math.log1p(-reach * draws.uniform(n, _SIZE))
        sector = _chosen(_DIRECTIONS, draws.uniform(n, _DIRECTION))
        jitter = draws.between(n, _SPREAD, -_DIRECTION_JITTER, _DIRECTION_JITTER)
        angle = math.radians(45.0 * sector + jitter)
        return -size * math.cos(angle), size * math.sin(angle)

    def _face_point(self) -> tuple[float, float]:
        draws, n = self._draws, self._looks
        near = [math.dist(self._place, point) < 1.0 for point in _FACE]
        shares = tuple(0.0 if close else share for share, close in zip(_FACE_SHARES, near, strict=True))
        x, y = _FACE[_chosen(shares, draws.uniform(n, _POINT))]
        return x + _LAND * draws.normal(n, _ACROSS), y + _LAND * draws.normal(n, _ALONG)


def _chosen(shares: tuple[float, ...], uniform: float) -> int:
    """Which share of the whole a number between 0 and 1 falls into."""
    return int(np.searchsorted(np.cumsum(shares), uniform * sum(shares), side="right"))


def gaze_at(times: Array, saccades: list[Saccade], seed: int) -> Array:
    """[n] seconds -> [n, 2] degrees. `saccades` has at least the last that started before the first time."""
    drift: Array = _DRIFT * noise_at(derived_seed(seed, _DRIFT_LAYER), times * 50.0, 2).astype(np.float64)
    if not saccades:
        return drift + _FACE[0]
    starts = np.array([saccade.start for saccade in saccades])
    ends = starts + [saccade.duration for saccade in saccades]
    origin = np.array([saccade.origin for saccade in saccades])
    target = np.array([saccade.target for saccade in saccades])
    last = np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)
    share = np.clip((times - starts[last]) / (ends - starts)[last], 0.0, 1.0)
    done = smooth(share)[:, None]
    return np.asarray(origin[last] * (1.0 - done) + target[last] * done + drift)


def smooth(share: Array) -> Array:
    """0-1 -> 0-1 with the least jerk: a fifth-order polynomial, still at both ends."""
    return np.asarray(np.clip(share**3 * (10.0 + share * (6.0 * share - 15.0)), 0.0, 1.0))

"""When somebody speaks, at fixed ticks and with a look ahead: what the layers of life are planned on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array

TICK = 0.02  # seconds between ticks; events start between them. Our choice
AHEAD = 26  # ticks that a plan sees ahead: an inhalation before speech. Our choice
# Ticks that activity outlasts a voice: `models.pose.hearing` holds it over pauses within words. What stops is
# therefore known late, but the look ahead makes up for it. Pauses that count are longer than this: 0.36 s
# (Goldman-Eisler 1968 counts them from 0.25 s on).
LINGER = 15
_SHORTEST_PAUSE = 4  # ticks without activity; our choice, against flicker
_SEEN = _SHORTEST_PAUSE - 1  # ticks to either side that decide about one
LOOK_AHEAD = (AHEAD + _SEEN + 1) * TICK  # seconds
_SPEAKING = 0.5  # activity above this is speech


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment: is somebody speaking, and in how many seconds is the next start or stop of the voice.

    0 seconds mean now; beyond what is seen ahead it is infinite.
    """

    time: float
    speaking: bool
    until_start: float
    until_stop: float


class SpeechTicks:
    """Activity [f] 0-1 at any frame rate in, ticks out."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._activity = np.zeros(0)
        self._frame = 0  # absolute index of the first activity kept
        self._raw = np.zeros(_SEEN + 1, bool)  # at ticks, from `_next` - _SEEN - 1 on: nobody spoke before
        self._next = 0  # the tick that comes out next

    def push(self, activity: Array) -> list[Tick]:
        """The ticks that have become certain."""
        self._activity = np.concatenate([self._activity, np.asarray(activity, np.float64)])
        newest = self._frame + len(self._activity) - 1
        first = self._next - _SEEN - 1 + len(self._raw)
        last = math.floor(newest / self._fps / TICK + 1e-9)
        if newest < 0 or last < first:
            return []
        place = np.arange(first, last + 1) * (TICK * self._fps) - self._frame
        level = np.interp(place, np.arange(len(self._activity)), self._activity)
        self._raw = np.concatenate([self._raw, level > _SPEAKING])
        done = math.floor(last * TICK * self._fps) - 1 - self._frame
        if done > 0:
            self._activity, self._frame = self._activity[done:], self._frame + done
        return self._emit()

    def finish(self, seconds: float) -> list[Tick]:
        """The remaining ticks up to `seconds`, as if silence followed."""
        needed = math.ceil((seconds + LOOK_AHEAD) / TICK) + _SEEN + 2
        have = self._next - _SEEN - 1 + len(self._raw)
        self._raw = np.concatenate([self._raw, np.zeros(max(0, needed - have), bool)])
        return self._emit()

    def _emit(self) -> list[Tick]:
        count = len(self._raw) - 2 * _SEEN - 1 - AHEAD
        if count <= 0:
            return []
        active = _without_gaps(self._raw)  # from tick `_next` - 1 on
        speaking = _windows(active, LINGER + 1).all(1)
        starts = np.nonzero(active[1:] & ~active[:-1])[0]
        stops = np.nonzero(~speaking[1:] & speaking[:-1])[0]
        until_start, until_stop = _until(starts, count, AHEAD), _until(stops, count, AHEAD - LINGER)
        ticks = [
            Tick((self._next + i) * TICK, bool(speaking[i + 1]), float(until_start[i]), float(until_stop[i]))
            for i in range(count)
        ]
        self._raw, self._next = self._raw[count:], self._next + count
        return ticks


def _without_gaps(raw: Array) -> Array:
    """[n + 2 _SEEN] -> [n]: the shortest gaps closed."""
    closed: Array = _windows(_windows(raw, _SHORTEST_PAUSE).any(1), _SHORTEST_PAUSE).all(1)
    return closed


def _windows(values: Array, length: int) -> Array:
    return np.lib.stride_tricks.sliding_window_view(values, length)


def _until(edges: Array, count: int, most: int) -> Array:
    """Seconds [count] from each tick to the next of `edges`, infinite beyond `most` ticks."""
    padded = np.append(edges, np.iinfo(np.int64).max // 2)
    distance = padded[np.searchsorted(padded, np.arange(count))] - np.arange(count)
    return np.where(distance <= most, distance * TICK, np.inf)

"""What the head hears: a few numbers of prosody, 25 per second, from a sound that arrives in pieces."""

from __future__ import annotations

import math

import numpy as np

from blender_addon.protocol.tensorfile import Array

from ..audio.level import FLOOR, LOOK_AHEAD, causal_level, initial_level
from ..kernel import kernel
from .voice import POWER_HOP, POWER_LATE, VoiceStream

HEARD_NAMES = ("loudness", "hiss", "onset", "pitch", "rise", "voiced", "activity", "talk")
HEARD = len(HEARD_NAMES)
HEARD_RATE = 25
ACTIVITY = HEARD_NAMES.index("activity")
SILENT = np.array([-3.0, -3.0, *[0.0] * (HEARD - 2)], np.float32)  # what is heard before a sound

_POWERS = 4  # of a frame
_SMOOTH = 2  # powers to either side that a frame's loudness is the mean of; our choice
_BEFORE = 8  # powers, 80 ms: what an onset rises above; our choice
# Samples after a frame's time that it depends on: those of its last power, and of that one's level.
HEARD_LATE = (_SMOOTH + LOOK_AHEAD) * POWER_HOP + POWER_LATE
_HANN_POWER = math.exp(FLOOR) * 1e6  # what `models.audio.level` counts loudness in
_LEAST = 1e-8  # power; below is silence
_SCALE, _HEADROOM = 3.0, 1.0  # as in `level.normalise`: features of about -3 to 1.3
_LOWEST, _HIGHEST = -9.0, 4.0  # nepers about the level
_LOUD = -0.9  # loudness of speech: 12 dB under the running level and its headroom; our choice
_VOICED = 0.5  # correlation, as in `models.expression.prosody`
_PITCH_SCALE, _RISE_SCALE = 4.0, 3.0  # semitones that count as 1; our choice
_PITCH_FORGET = math.exp(-1.0 / 150.0)  # per voiced pitch, 3 s of voice; our choice
_HOLD = 8.0  # frames, 0.32 s, that activity outlasts the last voice: s and pauses within words; our choice
_ACTIVITY_STEP = 0.34  # share per frame of the way to speaking or not: about 0.1 s; our choice
_TALK_STEP = 1.0 / 50.0  # 2 s; our choice
# Places in what is remembered of frames before.
_PITCH_SUM, _PITCH_WEIGHT, _UNVOICED, _ACTIVE, _TALK, _PITCHES, _VOICES = 0, 1, 2, 3, 4, 5, 8
_MEMORY = 11


class Hearing:
    """Samples at 16 kHz in, [m, HEARD] f32 out; frame i is around i / 25 s. Memory does not grow.

    loudness: of the voice's range over its running level, about -3 (silence) to 1; hiss: the same above it.
    onset: how much both rose in 80 ms. pitch: above the voice's running mean, 4 semitones to the unit; rise:
    its change in 120 ms, 3 to the unit. voiced, activity (somebody speaks), talk (activity of the last 2 s):
    0-1.
    """

    def __init__(self) -> None:
        self._voice = VoiceStream()
        self._level = initial_level()
        self._loudness = np.zeros((0, 2))  # nepers, whose level is not known yet
        self._levelled = np.full((_BEFORE + _SMOOTH, 2), _LOWEST / _SCALE)  # from power `_first` on
        self._first = -_BEFORE - _SMOOTH
        self._pitch = np.zeros((1, 2))  # from pitch `_first_pitch` on
        self._first_pitch = -1
        self._memory = np.zeros(_MEMORY)
        self._memory[_UNVOICED] = _HOLD
        self._made = 0

    def push(self, samples: Array) -> Array:
        """[n] f32 samples -> the certain frames, those up to `HEARD_LATE` samples before the end."""
        powers, pitches = self._voice.push(samples)
        loudness = np.log(_HANN_POWER * powers + _LEAST)
        level = causal_level(loudness[:, 0], self._level)
        waiting = np.concatenate([self._loudness, loudness])
        ready = max(0, len(waiting) - LOOK_AHEAD)
        self._loudness = waiting[ready:]
        above = waiting[:ready] - (level[len(level) - ready :, None] + _HEADROOM)
        self._levelled = np.concatenate([self._levelled, np.clip(above, _LOWEST, _HIGHEST) / _SCALE])
        self._pitch = np.concatenate([self._pitch, pitches])
        return self._frames()

    def _frames(self) -> Array:
        end = (self._first + len(self._levelled) - _SMOOTH - 1) // _POWERS + 1
        rows = np.empty((max(0, end - self._made), HEARD), np.float32)
        first = _POWERS * self._made - self._first
        _hear(self._levelled, first, self._pitch, 2 * self._made - self._first_pitch, self._memory, rows)
        self._made += len(rows)
        passed = max(0, _POWERS * self._made - _BEFORE - _SMOOTH - self._first)
        self._levelled, self._first = self._levelled[passed:], self._first + passed
        passed = max(0, 2 * self._made - 1 - self._first_pitch)
        self._pitch, self._first_pitch = self._pitch[passed:], self._first_pitch + passed
        return rows


@kernel
def _hear(levelled: Array, first: int, pitch: Array, first_pitch: int, memory: Array, rows: Array) -> None:
    """Fill `rows`; frame i is around power `first` + 4 i and pitch `first_pitch` + 2 i. `memory` moves on."""
    for i in range(len(rows)):
        now, before = np.zeros(2), np.zeros(2)
        for k in range(-_SMOOTH, _SMOOTH + 1):
            place = first + _POWERS * i + k
            for band in range(2):
                now[band] += levelled[place, band] / (2 * _SMOOTH + 1)
                before[band] += levelled[place - _BEFORE, band] / (2 * _SMOOTH + 1)
        rows[i, 0], rows[i, 1] = now[0], now[1]
        rows[i, 2] = 0.5 * (max(now[0] - before[0], 0.0) + max(now[1] - before[1], 0.0))
        total, count = 0.0, 0
        for place in range(first_pitch + 2 * i - 1, first_pitch + 2 * i + 2):
            if pitch[place, 1] > _VOICED and now[0] > _LOUD:
                memory[_PITCH_SUM] = memory[_PITCH_SUM] * _PITCH_FORGET + pitch[place, 0]
                memory[_PITCH_WEIGHT] = memory[_PITCH_WEIGHT] * _PITCH_FORGET + 1.0
                total += pitch[place, 0]
                count += 1
        above = 0.0
        if count > 0:
            above = total / count - memory[_PITCH_SUM] / memory[_PITCH_WEIGHT]
        rows[i, 3] = min(max(above / _PITCH_SCALE, -3.0), 3.0)
        rows[i, 4] = 0.0
        if count > 0 and memory[_VOICES] > 0.0:
            rows[i, 4] = min(max((above - memory[_PITCHES]) / _RISE_SCALE, -2.0), 2.0)
        rows[i, 5] = count / 3.0
        for k in range(2):
            memory[_PITCHES + k], memory[_VOICES + k] = memory[_PITCHES + k + 1], memory[_VOICES + k + 1]
        memory[_PITCHES + 2], memory[_VOICES + 2] = above, count
        memory[_UNVOICED] = 0.0 if count > 0 else memory[_UNVOICED] + 1.0
        speaks = 1.0 if memory[_UNVOICED] < _HOLD else 0.0
        memory[_ACTIVE] += _ACTIVITY_STEP * (speaks - memory[_ACTIVE])
        memory[_TALK] += _TALK_STEP * (memory[_ACTIVE] - memory[_TALK])
        rows[i, 6], rows[i, 7] = memory[_ACTIVE], memory[_TALK]


def heard(samples: Array, frames: int) -> Array:
    """[n] f32 samples at 16 kHz -> [frames, HEARD] f32, silence after the sound."""
    needed = frames * _POWERS * POWER_HOP + HEARD_LATE + POWER_HOP
    padded = np.zeros(needed, np.float32)
    count = min(len(samples), needed)
    padded[:count] = samples[:count]
    return Hearing().push(padded)[:frames]

"""Power and pitch of sound that arrives in pieces, as loops whose every frame is computed in the same way.

So that pieces of any size give the same numbers to the bit: a frame's arithmetic never depends on how many
frames are computed with it, as it would with transforms of many rows at once.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import firwin

from blender_addon.protocol.tensorfile import Array

from ..audio.mel import HOP, SAMPLE_RATE
from ..kernel import kernel

POWER_HOP = HOP  # samples between powers: 100 per second
PITCH_HOP = 2 * HOP  # samples between pitches: 50 per second
_REDUCTION = 4
_RATE = SAMPLE_RATE // _REDUCTION
_TAPS = 32
_LOW_PASS = firwin(_TAPS, 0.9 / _REDUCTION).astype(np.float32)
_BLOCKED = 0.98  # share of the past that is kept by the filter that removes direct current; our choice
_POWER_WINDOW = 100  # reduced samples, 25 ms
_PITCH_WINDOW = 200  # reduced samples, 50 ms: three periods of a 60 Hz voice
# As in `models.expression.prosody`: the range of a voice, and what an octave lower must be better by.
_SHORTEST, _LONGEST = round(_RATE / 450.0), round(_RATE / 60.0)
_HIGH_PITCH_BONUS = 0.08
_HANN = np.hanning(_PITCH_WINDOW + 2)[1:-1].astype(np.float32)
_OWN = np.correlate(_HANN, _HANN, "full")[_PITCH_WINDOW - 1 :][: _LONGEST + 2].astype(np.float64)
_SCORE = -_HIGH_PITCH_BONUS * np.log2(np.arange(_LONGEST + 2).clip(1))
POWER_LATE = _POWER_WINDOW // 2 * _REDUCTION  # samples after a power's centre that it needs
PITCH_LATE = _PITCH_WINDOW // 2 * _REDUCTION


class VoiceStream:
    """Samples at 16 kHz in; powers at 100 per second and pitches at 50 per second out.

    Frame j of the powers is centred on sample 160 j, of the pitches on 320 j, plus the filter's half
    millisecond or so. Before the sound is silence. Memory does not grow.
    """

    def __init__(self) -> None:
        self._samples = np.zeros(_TAPS, np.float32)  # the last ones, for filters
        self._direct = np.zeros(1, np.float32)  # memory of the filter that removes direct current
        start = _PITCH_WINDOW // 2
        self._low = np.zeros(start, np.float32)  # reduced sound, from reduced sample `_first` on
        self._high = np.zeros(start, np.float32)  # power of the sound's differences over each reduced sample
        self._first = -start
        self._odd = np.zeros(0, np.float32)  # samples that fill no reduced sample yet
        self._powers = 0
        self._pitches = 0

    def push(self, samples: Array) -> tuple[Array, Array]:
        """[n] f32 -> [m, 2] power of the voice's range (below 2 kHz) and of hiss, [k, 2] pitches.

        A pitch is semitones above 60 Hz and the correlation at that lag, 0 where there is none.
        """
        fresh = np.concatenate([self._odd, np.asarray(samples, np.float32)])
        count = len(fresh) // _REDUCTION
        self._odd = fresh[count * _REDUCTION :].copy()
        low, high = np.empty(count, np.float32), np.empty(count, np.float32)
        _reduce(fresh, self._samples, self._direct, _LOW_PASS, low, high)
        self._low, self._high = np.concatenate([self._low, low]), np.concatenate([self._high, high])
        end = self._first + len(self._low)  # reduced samples known
        powers = np.empty((max(0, (end - _POWER_WINDOW // 2) // 40 + 1 - self._powers), 2))
        _power(self._low, self._high, self._powers * 40 - _POWER_WINDOW // 2 - self._first, powers)
        pitches = np.empty((max(0, (end - _PITCH_WINDOW // 2) // 80 + 1 - self._pitches), 2))
        _pitch(self._low, self._pitches * 80 - _PITCH_WINDOW // 2 - self._first, pitches)
        self._powers, self._pitches = self._powers + len(powers), self._pitches + len(pitches)
        passed = max(0, min(self._powers * 40, self._pitches * 80) - _PITCH_WINDOW // 2 - self._first)
        self._low, self._high, self._first = self._low[passed:], self._high[passed:], self._first + passed
        return powers, pitches


@kernel
def _reduce(samples: Array, last: Array, direct: Array, low_pass: Array, low: Array, high: Array) -> None:
    """[4 n] samples after `last` -> [n] low-passed at a quarter of the rate, [n] power of differences.

    `last`, blocked samples, and `direct`, the sample before, are left as the next call needs them.
    """
    taps = len(low_pass)
    line = np.empty(taps + 4 * len(low), np.float32)
    line[:taps] = last
    before = direct[0]
    for i in range(4 * len(low)):
        line[taps + i] = samples[i] - before + _BLOCKED * line[taps + i - 1]
        before = samples[i]
    direct[0] = before
    for i in range(len(low)):
        total, hiss = np.float32(0.0), np.float32(0.0)
        for tap in range(taps):
            total += low_pass[tap] * line[4 * i + 4 + tap]
        for k in range(4):
            step = line[taps + 4 * i + k] - line[taps + 4 * i + k - 1]
            hiss += step * step
        low[i], high[i] = total, hiss / 4.0
    last[:] = line[len(line) - taps :]


@kernel
def _power(low: Array, high: Array, first: int, powers: Array) -> None:
    """Mean powers of windows from `first` on."""
    for j in range(len(powers)):
        powers[j, 0], powers[j, 1] = 0.0, 0.0
        for i in range(first + 40 * j, first + 40 * j + _POWER_WINDOW):
            powers[j, 0] += low[i] * low[i] / _POWER_WINDOW
            powers[j, 1] += high[i] / _POWER_WINDOW


@kernel
def _pitch(low: Array, first: int, pitches: Array) -> None:
    """Pitch of windows from `first` on: the lag of the best autocorrelation over the window's own."""
    window, correlation = np.empty(_PITCH_WINDOW, np.float32), np.empty(_LONGEST + 2)
    for j in range(len(pitches)):
        start = first + 80 * j
        mean = np.float32(0.0)
        for i in range(_PITCH_WINDOW):
            mean += low[start + i]
        mean /= _PITCH_WINDOW
        for i in range(_PITCH_WINDOW):
            window[i] = (low[start + i] - mean) * _HANN[i]
        power = 0.0
        for i in range(_PITCH_WINDOW):
            power += window[i] * window[i]
        best = _SHORTEST - 1
        for lag in range(_SHORTEST - 1, _LONGEST + 2):
            total = np.float32(0.0)
            for i in range(_PITCH_WINDOW - lag):
                total += window[i] * window[i + lag]
            correlation[lag] = total / (power + 1e-9) / (_OWN[lag] / _OWN[0])
            if correlation[lag] + _SCORE[lag] > correlation[best] + _SCORE[best]:
                best = lag
        pitches[j, 0], pitches[j, 1] = 0.0, 0.0
        if _SHORTEST <= best <= _LONGEST:  # at the edge it only grows towards lags outside
            a, b, c = correlation[best - 1], correlation[best], correlation[best + 1]
            shift = min(max(0.5 * (a - c) / min(a - 2.0 * b + c, -1e-9), -0.5), 0.5)
            pitches[j, 0] = 12.0 * np.log2(_RATE / 60.0 / (best + shift))
            pitches[j, 1] = b - 0.25 * (a - c) * shift

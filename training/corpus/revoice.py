"""Changing a voice: stretched, sung, with another pitch or vocal tract, whispered.

A phase vocoder with loosely locked phases (Puckette, 1995) stretches time; playing its result faster or
slower changes pitch; the spectral envelope, smoothed in the cepstrum, is moved so that formants go where they
should.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, rfft

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

_SIZE, _HOP = 512, 128  # samples: 32 and 8 ms
_BINS = _SIZE // 2 + 1
_LIFTER = 36  # cepstral coefficients of the envelope: below the pitch period of voices up to 440 Hz
_ENVELOPE_STEPS = 8
_SMALL = 1e-7
_ONSET = 0.05  # of its present size: what was weaker before begins anew, with its own phase
_WINDOW = np.hanning(_SIZE + 1)[:-1]
_WHISPER_CORNER = 600.0  # hertz: below it a whisper has little
_WHISPER_EVENNESS = 0.6  # how much of a sound's level is left in a whisper, in decibels per decibel


@dataclass(frozen=True)
class TimeWarp:
    """When the moments of a sound come in its stretched version: `target[i]` for `source[i]`, seconds."""

    source: Array
    target: Array

    def forward(self, times: Array) -> Array:
        """Source times -> target times."""
        return np.interp(times, self.source, self.target)

    def backward(self, times: Array) -> Array:
        """Target times -> source times."""
        return np.interp(times, self.target, self.source)

    @property
    def duration(self) -> float:
        """Of the stretched sound, seconds."""
        return float(self.target[-1])


def stretched(durations: Array, factors: Array) -> TimeWarp:
    """Consecutive spans of `durations` seconds, each made `factors` times as long."""
    source = np.concatenate([[0.0], np.cumsum(durations)])
    return TimeWarp(source, np.concatenate([[0.0], np.cumsum(durations * factors)]))


def revoice(samples: Array, warp: TimeWarp, pitch: Array, formant: float) -> Array:
    """Say the same in another time, pitch and vocal tract.

    Args:
        samples: [n] f32 at 16 kHz.
        warp: the new times.
        pitch: [m] factor on the pitch, evenly spaced over the new sound.
        formant: factor on the formants' frequencies; pitch does not follow.

    Returns:
        [warp.duration * 16000] f32.
    """
    count = int(warp.duration * SAMPLE_RATE)
    times = np.arange(count) / SAMPLE_RATE
    ratio = np.interp(times, np.linspace(0.0, warp.duration, len(pitch)), pitch)
    played = np.cumsum(ratio) - ratio[0]  # where in the vocoder's sound each sample is read
    frame_at = np.interp(np.arange(0.0, played[-1] + _HOP, _HOP), played, times)
    frame_ratio = np.interp(frame_at, times, ratio)
    heard = _analyse(samples, np.rint(warp.backward(frame_at) * SAMPLE_RATE).astype(np.int64))
    moved = _moved_envelope(heard[0], frame_ratio / formant)
    sound = _synthesise(*heard, moved)
    return np.interp(played, np.arange(len(sound)), sound).astype(np.float32)


def _frames(samples: Array, centres: Array) -> Array:
    """[K] sample positions -> [K, BINS] spectra of windowed frames around them."""
    padded = np.pad(samples, _SIZE)
    first = np.clip(centres + _SIZE // 2, 0, len(padded) - _SIZE)
    return np.asarray(rfft(np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[first] * _WINDOW))


def _analyse(samples: Array, centres: Array) -> tuple[Array, Array]:
    """Spectra at `centres`, and how far each turns in one hop: [K, BINS] complex of modulus one."""
    now, before = _frames(samples, centres), _frames(samples, centres - _HOP)
    turn = now * before.conj()
    return now, turn / (np.abs(turn) + _SMALL)


def _synthesise(now: Array, turn: Array, gain: Array) -> Array:
    """Overlap-add of the frames, their phases carried on from frame to frame; starts at the first centre."""
    size = np.abs(now)
    spectra = np.empty_like(now)
    spectra[0] = now[0]
    for k in range(1, len(now)):
        locked = spectra[k - 1].copy()
        locked[1:] -= spectra[k - 1, :-1]
        locked[:-1] -= spectra[k - 1, 1:]
        length = np.abs(locked)
        goes_on = (length > _ONSET * size[k]) & (np.abs(turn[k]) > 0.5)
        spectra[k] = np.where(goes_on, size[k] * turn[k] * locked / np.maximum(length, _SMALL), now[k])
    return _overlap_add(spectra * gain)


def _overlap_add(spectra: Array) -> Array:
    """[K, BINS] spectra -> [K * HOP] samples; sample 0 is the centre of frame 0."""
    blocks = irfft(spectra, _SIZE) * _WINDOW  # [K, SIZE]
    parts = blocks.reshape(len(blocks), -1, _HOP)
    result = np.zeros((len(blocks) + parts.shape[1], _HOP))
    for i in range(parts.shape[1]):
        result[i : i + len(blocks)] += parts[:, i]
    sound = result.reshape(-1) / ((_WINDOW**2).sum() / _HOP)
    return np.asarray(sound[_SIZE // 2 : _SIZE // 2 + len(blocks) * _HOP])


def envelope(spectra: Array) -> Array:
    """[K, BINS] spectra -> [K, BINS] natural log of smooth curves over their peaks.

    The "true envelope" of Imai and Abe (1979): what lies under the curve is raised to it, again and again.
    """
    size = np.log(np.abs(spectra) + _SMALL)
    smooth = np.full_like(size, -np.inf)
    for _ in range(_ENVELOPE_STEPS):
        cepstrum = irfft(np.maximum(size, smooth), _SIZE)
        cepstrum[:, _LIFTER : _SIZE - _LIFTER + 1] = 0.0
        smooth = rfft(cepstrum).real
    return np.asarray(smooth)


def _moved_envelope(spectra: Array, factor: Array) -> Array:
    """[K, BINS] gains that bring what is at `factor * f` to f; from above 8 kHz comes nothing."""
    smooth = envelope(spectra)
    at = np.arange(_BINS) * factor[:, None]
    low = np.minimum(at.astype(np.int64), _BINS - 2)
    share = np.minimum(at - low, 1.0)
    wanted = (1.0 - share) * np.take_along_axis(smooth, low, 1)
    wanted += share * np.take_along_axis(smooth, low + 1, 1)
    return np.where(at <= _BINS - 1, np.exp(wanted - smooth), 0.0)


def whisper(samples: Array, rng: np.random.Generator) -> Array:
    """[n] f32 -> [n] f32: the same envelopes, excited by noise, little below 600 Hz and levels evened."""
    centres = np.arange(0, len(samples) + _HOP, _HOP)
    smooth = envelope(_frames(samples, centres))
    level = smooth.mean(1, keepdims=True)
    smooth -= (1.0 - _WHISPER_EVENNESS) * np.maximum(level - np.quantile(level, 0.1), 0.0)
    hertz = np.linspace(0.0, SAMPLE_RATE / 2, _BINS)
    breathy = hertz**2 / (hertz**2 + _WHISPER_CORNER**2)
    noise = _frames(rng.standard_normal(len(samples)), centres) / np.sqrt((_WINDOW**2).sum())
    return _overlap_add(np.exp(smooth) * breathy * noise)[: len(samples)].astype(np.float32)


def tilted(samples: Array, decibels: float) -> Array:
    """[n] -> [n], so many decibels stronger per octave above 500 Hz: loud voices have flatter spectra."""
    spectrum = rfft(samples)
    octaves = np.log2(np.maximum(np.arange(len(spectrum)) * (SAMPLE_RATE / len(samples)) / 500.0, 1.0))
    return np.asarray(irfft(spectrum * 10.0 ** (decibels * octaves / 20.0), len(samples)), np.float32)

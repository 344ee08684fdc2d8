"""What brows follow in a voice: pitch and loudness relative to what is around, 50 values per second.

Pitch is the lag of the greatest autocorrelation, divided by that of the window, after Boersma (1993),
"Accurate short-term analysis of the fundamental frequency", on sound reduced to 4 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, rfft
from scipy.ndimage import gaussian_filter1d
from scipy.signal import resample_poly

from blender_addon.protocol.tensorfile import Array

SAMPLE_RATE = 16000
_HOP = 320  # samples of a frame
_REDUCTION = 4
_RATE = SAMPLE_RATE // _REDUCTION
_WINDOW = 200  # reduced samples, 50 ms: three periods of a 60 Hz voice
_TRANSFORM = 512
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 450.0
_LAGS = slice(round(_RATE / _HIGHEST_HZ), round(_RATE / _LOWEST_HZ) + 1)
_HIGH_PITCH_BONUS = 0.08  # correlation per octave, against taking two periods for one; our choice
_VOICED = 0.5  # least correlation of a voiced frame (Boersma's threshold is 0.45); our choice
_FLOOR_DB = -80.0  # re full scale: digital silence and less; our choice
_SPEECH_RANGE_DB, _VOICED_RANGE_DB = 30.0, 15.0  # below the mean power nearby; our choice
_OCTAVE = 12.0
_LARGEST_STEP = 2.5  # semitones between frames of one voice; our choice
# Frames over which things are averaged: a syllable's nucleus, and what it stands out from. Our choice.
_NUCLEUS, _SURROUNDINGS = 3.0, 40.0


@dataclass(frozen=True)
class Prosody:
    """F frames, frame i around i / 50 s.

    Attributes:
        pitch: [F] f32 semitones above the mean of the voice nearby (about a second and a half to each
            side); fades to 0 away from voiced sound.
        loudness: [F] f32 decibels above the mean of the speech nearby; fades to 0 away from speech.
        voiced: [F] f32 0-1. speech: [F] f32 0-1, smooth.
    """

    pitch: Array
    loudness: Array
    voiced: Array
    speech: Array


def prosody_of(samples: Array, speaking: Array | None = None) -> Prosody:
    """[n] f32 mono samples at 16 kHz -> prosody of n // 320 frames.

    `speaking` [F] is 1 where somebody speaks, if that is known; otherwise what is loud counts as speech.
    """
    frames = len(samples) // _HOP
    decibel = _loudness(samples, frames)
    heard = np.ones(frames) if speaking is None else np.asarray(speaking, np.float64)
    speech = heard * _within(decibel, _SPEECH_RANGE_DB)
    semitones, strength = _pitch(samples, frames)
    voiced = _steady(semitones, (strength > _VOICED) * heard * _within(decibel, _VOICED_RANGE_DB))
    pitch = _above_mean(semitones, voiced)
    return Prosody(
        pitch=pitch.astype(np.float32),
        loudness=_above_mean(decibel, speech).astype(np.float32),
        voiced=voiced.astype(np.float32),
        speech=gaussian_filter1d(speech, _NUCLEUS).astype(np.float32),
    )


def _loudness(samples: Array, frames: int) -> Array:
    """[F] decibels re full scale of 40 ms around each frame."""
    blocks = np.asarray(samples[: frames * _HOP], np.float32).reshape(2 * frames, _HOP // 2)
    power = np.pad(np.einsum("bi,bi->b", blocks, blocks) / (_HOP // 2), (2, 1))
    around = power[0 : 2 * frames : 2] + power[1 : 2 * frames + 1 : 2]
    around = around + power[2 : 2 * frames + 2 : 2] + power[3 : 2 * frames + 3 : 2]
    loud: Array = 10.0 * np.log10(around / 4.0 + 10.0 ** (_FLOOR_DB / 10.0))
    return loud


def _within(decibel: Array, reach: float) -> Array:
    """[F] 1 where the sound is at most `reach` decibels below the mean power nearby."""
    level = 10.0 * np.log10(gaussian_filter1d(10.0 ** (decibel / 10.0), _SURROUNDINGS, mode="nearest"))
    least = np.maximum(level - reach, _FLOOR_DB + 6.0)
    near: Array = (decibel > least).astype(np.float64)
    return near


def _pitch(samples: Array, frames: int) -> tuple[Array, Array]:
    """[F] semitones above 60 Hz, and [F] the correlation at that lag."""
    reduced = resample_poly(np.asarray(samples[: frames * _HOP], np.float32), 1, _REDUCTION)
    hop = _HOP // _REDUCTION
    padded = np.pad(reduced, _WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::hop][:frames]
    hann = np.hanning(_WINDOW + 2)[1:-1].astype(np.float32)
    centred = (windows - windows.mean(1, keepdims=True)) * hann
    own = _autocorrelation(hann[None])[0]
    correlation = _autocorrelation(centred) / np.maximum(own / own[0], 1e-3)
    correlation = correlation[:, _LAGS] / (correlation[:, :1] + 1e-9)
    lags = np.arange(_LAGS.start, _LAGS.stop)
    score = correlation - _HIGH_PITCH_BONUS * np.log2(lags)
    best = score.argmax(1)
    inside = np.clip(best, 1, len(lags) - 2)
    lag, strength = _vertex(correlation, inside)
    peak = strength * (best == inside)  # at the edge it only grows towards lags outside
    return _OCTAVE * np.log2(_RATE / _LOWEST_HZ / (_LAGS.start + lag)), peak


def _autocorrelation(windows: Array) -> Array:
    """[F, W] -> [F, _LAGS.stop + 1]."""
    spectrum = rfft(windows, _TRANSFORM, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    result: Array = irfft(power, axis=1)[:, : _LAGS.stop + 1]
    return result


def _vertex(curves: Array, best: Array) -> tuple[Array, Array]:
    """Place and height [F] of the parabola through each row's samples round `best`."""
    row = np.arange(len(curves))
    before, at, after = (curves[row, best + step].astype(np.float64) for step in (-1, 0, 1))
    bend = np.minimum(before - 2.0 * at + after, -1e-9)
    shift = np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return best + shift, at - 0.25 * (before - after) * shift


def _steady(semitones: Array, voiced: Array) -> Array:
    """`voiced` [F] without the frames whose pitch goes on neither before nor after: octave errors, noise."""
    jump = np.pad(np.abs(np.diff(semitones)), 1, constant_values=np.inf)
    apart = np.pad(voiced[1:] * voiced[:-1] == 0, 1, constant_values=True)
    goes_on = (jump < _LARGEST_STEP) & ~apart
    steady: Array = voiced * (goes_on[1:] | goes_on[:-1])
    return steady


def _above_mean(values: Array, weight: Array) -> Array:
    """[F] a syllable's mean above that of its surroundings; 0 where nothing nearby has weight."""
    near = gaussian_filter1d(weight, _NUCLEUS)
    above = _mean_nearby(values, weight, _NUCLEUS) - _mean_nearby(values, weight, _SURROUNDINGS)
    faded: Array = above * near / (near + 0.1)
    return faded


def _mean_nearby(values: Array, weight: Array, reach: float) -> Array:
    total = gaussian_filter1d(weight, reach)
    centre = values[weight > 0].mean() if weight.any() else 0.0  # keeps the quotient calm where weight ends
    mean: Array = centre + gaussian_filter1d((values - centre) * weight, reach) / (total + 1e-6)
    return mean

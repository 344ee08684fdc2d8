"""Sounds that are not speech, so that the network learns to rest: noise, tones, hum, music."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from .music import music

Generator = np.random.Generator


def nonspeech(count: int, rng: Generator) -> Array:
    """[count] f32 samples of one random kind, peak about 0.5."""
    make = _KINDS[int(rng.integers(len(_KINDS)))]
    sound = make(count, rng)
    return np.asarray(sound * (0.5 / (np.abs(sound).max() + 1e-6)), np.float32)


def room_tone(count: int, rng: Generator) -> Array:
    """[count] f32 samples of noise or breath, peak about 0.5."""
    sound = (_noise if rng.random() < 0.5 else _breath)(count, rng)
    return np.asarray(sound * (0.5 / (np.abs(sound).max() + 1e-6)), np.float32)


def _noise(count: int, rng: Generator) -> Array:
    pole = rng.uniform(-0.5, 0.97)
    noise = np.asarray(lfilter([1.0], [1.0, -pole], rng.standard_normal(count)))
    if rng.random() < 0.4:
        noise = noise * _swell(count, rng)
    return noise


def _tone(count: int, rng: Generator) -> Array:
    vibrato = rng.uniform(0, 0.02) * np.sin(2 * np.pi * rng.uniform(2, 8) * _seconds(count))
    phase = np.cumsum(np.exp(rng.uniform(np.log(60), np.log(4000))) * (1.0 + vibrato)) / SAMPLE_RATE
    return _harmonics(phase, int(rng.integers(1, 8)), rng.uniform(0.5, 3.0))


def _hum(count: int, rng: Generator) -> Array:
    phase = _seconds(count) * rng.choice([50.0, 60.0])
    return _harmonics(phase, int(rng.integers(1, 20)), rng.uniform(0.3, 2.0))


def _breath(count: int, rng: Generator) -> Array:
    """Noise through a resonance or two, swelling and fading every half second or so."""
    sound = rng.standard_normal(count)
    for _ in range(int(rng.integers(1, 3))):
        radius, angle = rng.uniform(0.6, 0.95), 2 * np.pi * rng.uniform(300, 5000) / SAMPLE_RATE
        sound = np.asarray(lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], sound))
    swelling = np.sin(np.pi * _seconds(count) / rng.uniform(0.25, 0.9)) ** 2
    return np.asarray(sound * swelling)


def _clicks(count: int, rng: Generator) -> Array:
    impulses = (rng.random(count) < rng.uniform(1, 15) / SAMPLE_RATE) * rng.standard_normal(count)
    radius, angle = rng.uniform(0.8, 0.995), rng.uniform(0.05, 2.5)
    return np.asarray(lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], impulses))


def _swell(count: int, rng: Generator) -> Array:
    knots = rng.uniform(0.02, 1.0, max(2, count // 4000 + 2))
    return np.interp(np.linspace(0, len(knots) - 1, count), np.arange(len(knots)), knots)


def _harmonics(phase: Array, number: int, slope: float) -> Array:
    """Sum of `number` partials of a phase in cycles, amplitude 1 / k**slope."""
    parts = [np.sin(2 * np.pi * k * phase) / k**slope for k in range(1, number + 1)]
    return np.asarray(np.sum(parts, axis=0))


def _seconds(count: int) -> Array:
    return np.arange(count) / SAMPLE_RATE


_KINDS: tuple[Callable[[int, Generator], Array], ...] = (
    _noise,
    _noise,
    _breath,
    _breath,
    _tone,
    _hum,
    music,
    music,
    music,
    _clicks,
)

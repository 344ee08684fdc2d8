"""Sources made from other sources: sung, whispered, and spoken by other voices with other effort."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from ..phones import SILENCE, Phones
from ..symbols import Segment
from .revoice import TimeWarp, revoice, stretched, tilted, whisper
from .store import Recording, Utterance

Generator = np.random.Generator
Effect = Callable[[Array, Phones, Generator], tuple[Array, TimeWarp]]

_VOWELS = frozenset({"i", "I", "e", "E", "ae", "a", "A", "O", "V", "@", "3", "o", "u", "U", "y", "2", "1"})
_SONORANTS = frozenset({"m", "n", "ng", "l", "r", "w", "j"})
_FULL_SCALE = 32768.0
_LONGEST_PIECE = 3.0  # seconds of the source
_CURVE_RATE = 100.0  # points of a pitch curve per second
# All ranges are our choice.
_NOTE_STRETCH, _HELD_NOTE_STRETCH, _SONORANT_STRETCH = (1.2, 2.5), (2.0, 6.0), (1.0, 1.8)
_HELD_SHARE = 0.4
_INTERVALS = (-5, -3, -2, 0, 0, 2, 4, 5, 7)  # semitones
_GLIDE = 0.06  # seconds
_VIBRATO_RATE, _VIBRATO_DEPTH, _VIBRATO_START = (4.5, 6.5), (0.0, 0.9), 0.25  # hertz, semitones, seconds
_OTHER_PITCH, _OTHER_FORMANTS, _OTHER_RATE = (0.62, 1.6), (0.82, 1.22), (0.7, 1.5)
_EFFORT_TILT, _EFFORT_PITCH = 4.0, 0.15  # decibels per octave and share of the pitch, at full effort


def recordings(
    effect: Effect, sources: Sequence[Sequence[Utterance]], minutes: float, seed: int
) -> Iterator[Recording]:
    """About `minutes` of pieces of `sources`, every source as often, changed by `effect`."""
    rng = np.random.default_rng(seed)
    left = minutes * 60.0
    while left > 0:
        source = sources[int(rng.integers(len(sources)))]
        utterance = source[int(rng.integers(len(source)))]
        phones = _piece(utterance.phones, rng)
        first, end = (int(t * SAMPLE_RATE) for t in (phones.start[0], phones.end[-1]))
        samples = np.asarray(utterance.samples[first:end], np.float32) / _FULL_SCALE
        phones = phones.shifted(-first / SAMPLE_RATE)
        changed, warp = effect(samples, phones, rng)
        left -= len(changed) / SAMPLE_RATE
        yield Recording(utterance.voice, changed, _segments(phones, warp), utterance.language)


def _piece(phones: Phones, rng: Generator) -> Phones:
    """At most three seconds of consecutive phones."""
    late = np.flatnonzero(phones.start <= max(0.0, phones.end[-1] - _LONGEST_PIECE))
    first = int(rng.integers(0, len(late))) if len(late) else 0
    inside = phones.end <= phones.start[first] + _LONGEST_PIECE
    inside[first] = True
    return phones.select(slice(first, int(np.flatnonzero(inside)[-1]) + 1))


def _segments(phones: Phones, warp: TimeWarp) -> list[Segment]:
    starts, ends = warp.forward(phones.start), warp.forward(phones.end)
    return [(float(a), float(b), name) for a, b, name in zip(starts, ends, phones.names, strict=True)]


def sung(samples: Array, phones: Phones, rng: Generator) -> tuple[Array, TimeWarp]:
    """Vowels held 1.2 to 6 times as long, on steps of a scale, some with vibrato."""
    factors = np.ones(len(phones))
    steps = np.zeros(len(phones))
    step = 0.0
    for i, name in enumerate(phones.names):
        if name in _VOWELS:
            factors[i] = rng.uniform(*(_HELD_NOTE_STRETCH if rng.random() < _HELD_SHARE else _NOTE_STRETCH))
            step = float(rng.choice(_INTERVALS))
        elif name in _SONORANTS:
            factors[i] = rng.uniform(*_SONORANT_STRETCH)
        steps[i] = step
    warp = _phone_warp(phones, factors, len(samples))
    times = np.arange(int(warp.duration * _CURVE_RATE) + 2) / _CURVE_RATE
    pitch = _melody(times, warp.forward(phones.start), steps, rng)
    return revoice(samples, warp, pitch, rng.uniform(0.92, 1.08)), warp


def _phone_warp(phones: Phones, factors: Array, count: int) -> TimeWarp:
    edges = np.concatenate([[0.0], phones.start[1:], [count / SAMPLE_RATE]])
    return stretched(np.diff(edges), factors)


def _melody(times: Array, starts: Array, steps: Array, rng: Generator) -> Array:
    """[T] factors on the pitch: the step of the phone at each time, gliding, with vibrato on held notes."""
    index = np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)
    width = max(1, int(_GLIDE * _CURVE_RATE))
    semitones = np.convolve(np.pad(steps[index], width, mode="edge"), np.full(width, 1.0 / width), "same")
    held = times - starts[index]
    depth = rng.uniform(*_VIBRATO_DEPTH) * np.clip((held - _VIBRATO_START) / 0.2, 0.0, 1.0)
    vibrato = depth * np.sin(2 * np.pi * rng.uniform(*_VIBRATO_RATE) * times)
    return np.asarray(2.0 ** ((semitones[width:-width] + vibrato) / 12.0))


def whispered(samples: Array, phones: Phones, rng: Generator) -> tuple[Array, TimeWarp]:
    """Without voice, and somewhat slower or faster."""
    warp = stretched(np.array([len(samples) / SAMPLE_RATE]), np.array([rng.uniform(0.85, 1.25)]))
    plain = revoice(samples, warp, np.ones(2), rng.uniform(0.9, 1.1))
    return whisper(plain, rng), warp


def revoiced(samples: Array, phones: Phones, rng: Generator) -> tuple[Array, TimeWarp]:
    """Other pitch, formants and rate, each on its own; loud or soft."""
    effort = rng.uniform(-1.0, 1.0)
    rates = _log_uniform(_OTHER_RATE, rng) * np.where([n == SILENCE for n in phones.names], 1.5, 1.0)
    warp = _phone_warp(phones, rates, len(samples))
    pitch = _log_uniform(_OTHER_PITCH, rng) * (1.0 + _EFFORT_PITCH * effort)
    drift = 2.0 ** (np.cumsum(rng.normal(0, 0.6, max(2, int(2 * warp.duration)))) / 12.0)
    changed = revoice(samples, warp, np.clip(pitch * drift, 0.5, 2.0), _log_uniform(_OTHER_FORMANTS, rng))
    return tilted(changed, _EFFORT_TILT * effort), warp


def _log_uniform(limits: tuple[float, float], rng: Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))


EFFECTS: Mapping[str, Effect] = MappingProxyType({"sung": sung, "whispered": whispered, "revoiced": revoiced})

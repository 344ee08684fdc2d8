"""Music of our own making: chords that follow one another, a bass, a tune and drums."""

from __future__ import annotations

from functools import cache

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

Generator = np.random.Generator

PIECES = 48
_SECONDS = 8.0
_SEED = 20240  # of the pieces: always the same ones
_Score = tuple[float, float, tuple[int, ...]]  # seconds per beat, hertz of the first note, scale in semitones
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9, 12, 14))
_CHORD_STEPS = ((0, 2, 4), (0, 2, 4, 6), (0, 4), (0, 3, 4))


def music(count: int, rng: Generator) -> Array:
    """[count] f32 samples out of one of `PIECES` pieces, from a random place, peak about 0.5."""
    piece = _piece(int(rng.integers(PIECES)))
    first = int(rng.integers(len(piece)))
    return np.take(piece, np.arange(first, first + count), mode="wrap")


@cache
def _piece(number: int) -> Array:
    """[8 s] f32: a few bars; each number is another piece."""
    rng = np.random.default_rng([_SEED, number])
    root = 110.0 * 2.0 ** (rng.integers(-5, 7) / 12.0)
    score = (rng.uniform(0.28, 0.7), root, _SCALES[int(rng.integers(len(_SCALES)))])
    sound = _chords(score, rng)
    for part in (_bass, _tune, _drums):
        if rng.random() < 0.6:
            sound += rng.uniform(0.3, 1.5) * part(score, rng)
    return np.asarray(0.5 * sound / np.abs(sound).max(), np.float32)


def _chords(score: _Score, rng: Generator) -> Array:
    """A chord every two or four beats, plucked or held."""
    beat, root, scale = score
    sound, length = _silence(), int(beat * rng.choice([2, 4]) * SAMPLE_RATE)
    timbre, decay = _timbre(rng), rng.uniform(0.2, 4.0)
    for start in range(0, len(sound), length):
        degree = int(rng.integers(len(scale)))
        for step in _CHORD_STEPS[int(rng.integers(len(_CHORD_STEPS)))]:
            _add_note(sound, start, _pitch(root, scale, degree + step), length, timbre, decay)
    return sound


def _bass(score: _Score, rng: Generator) -> Array:
    beat, root, scale = score
    sound, length, timbre = _silence(), int(beat * SAMPLE_RATE), _timbre(rng)
    for start in range(0, len(sound), length):
        _add_note(sound, start, _pitch(root / 2.0, scale, int(rng.integers(5))), length, timbre, 3.0)
    return sound


def _tune(score: _Score, rng: Generator) -> Array:
    beat, root, scale = score
    sound, timbre, decay = _silence(), _timbre(rng), rng.uniform(0.2, 5.0)
    start, degree = 0, 0
    while start < len(sound):
        length = int(beat * rng.choice([0.5, 1.0, 1.0, 2.0]) * SAMPLE_RATE)
        degree = int(np.clip(degree + rng.integers(-2, 3), -3, 9))
        if rng.random() < 0.85:
            _add_note(sound, start, _pitch(2.0 * root, scale, degree), length, timbre, decay)
        start += length
    return sound


def _drums(score: _Score, rng: Generator) -> Array:
    """A falling tone on the beat, bursts of noise off it, hisses in between."""
    beat, sound = score[0], _silence()
    time = np.arange(int(0.3 * SAMPLE_RATE)) / SAMPLE_RATE
    kick = np.sin(2 * np.pi * (50.0 * time + 6.0 * (1.0 - np.exp(-25.0 * time)))) * np.exp(-9.0 * time)
    for index in range(int(2 * _SECONDS / beat)):
        noise = np.diff(rng.standard_normal(len(time) + 1))
        snare, hiss = noise * np.exp(-18.0 * time), 0.4 * noise * np.exp(-70.0 * time)
        stroke = (kick, hiss, snare, hiss)[index % 4]
        _add(sound, int(index * beat / 2 * SAMPLE_RATE), stroke)
    return sound


def _silence() -> Array:
    return np.zeros(int(_SECONDS * SAMPLE_RATE))


def _timbre(rng: Generator) -> Array:
    """[K] amplitudes of the partials."""
    partials = np.arange(1, int(rng.integers(3, 14)))
    return rng.uniform(0.3, 1.0, len(partials)) / partials ** rng.uniform(0.6, 2.2)


def _pitch(root: float, scale: tuple[int, ...], degree: int) -> float:
    octave, step = divmod(degree, len(scale))
    return float(root * 2.0 ** (octave + scale[step] / 12.0))


def _add_note(sound: Array, start: int, pitch: float, length: int, timbre: Array, decay: float) -> None:
    """Add a note of `pitch` hertz and `length` samples that fades `decay` nepers per second."""
    time = np.arange(length) / SAMPLE_RATE
    partials = np.arange(1, len(timbre) + 1)
    audible = partials * pitch < SAMPLE_RATE / 2
    waves = np.sin(2 * np.pi * pitch * np.outer(partials[audible], time))
    rise, fall = np.minimum(1.0, time / 0.008), np.minimum(1.0, (time[-1] - time) / 0.02)
    _add(sound, start, timbre[audible] @ waves * rise * fall * np.exp(-decay * time))


def _add(sound: Array, start: int, part: Array) -> None:
    part = part[: max(0, len(sound) - start)]
    sound[start : start + len(part)] += part

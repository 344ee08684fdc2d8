"""Stops of the breath that are not lips: glottal stops before vowels, and long closures of t, k and the like.

Speech engines hardly make them, real speakers do: silence and a sudden onset are no p or b by themselves.
"""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from .phones import CLASS_INDEX, GLOTTAL, Phones, is_kind

Generator = np.random.Generator
_VOWELS = frozenset(["a", "A", "ae", "O", "V", "E", "e", "@", "I", "i", "3", "o", "u", "U", "y", "2", "1"])
_STOPS = frozenset({"p", "b", "t", "d", "k", "g", "dh"})  # English dh begins like one in many mouths
_GAP = (0.025, 0.11)  # seconds; our choice, after glottal stops of 60-90 ms in real prompts
_SHARE = 0.12  # of the boundaries before a vowel or a stop
_EDGE = 32  # samples of fading on each side of a gap: sudden, but no click


def with_gaps(samples: Array, phones: Phones, rng: Generator) -> tuple[Array, Phones]:
    """[n] samples and their phones, with random silences: glottal stops before vowels, longer stops."""
    before = is_kind(phones.kind, _VOWELS | _STOPS) & (rng.random(len(phones)) < _SHARE)
    before[:1] = False
    if not before.any():
        return samples, phones
    gaps = before * rng.uniform(*_GAP, len(phones))
    stop = is_kind(phones.kind, _STOPS)
    late = np.cumsum(gaps)  # how much later each phone ends
    start, end = phones.start + late - gaps * stop, phones.end + late
    glottal = before & ~stop
    rows = np.flatnonzero(glottal)
    opened = Phones(
        start=np.insert(start, rows, start[rows] - gaps[rows]),
        end=np.insert(end, rows, start[rows]),
        kind=np.insert(phones.kind, rows, CLASS_INDEX[GLOTTAL]),
        effort=np.insert(phones.effort, rows, 1.0),
    )
    return _parted(samples, phones.start[before], gaps[before]), opened


def _parted(samples: Array, times: Array, gaps: Array) -> Array:
    """[n + ...] samples with silences of `gaps` seconds at `times`."""
    cuts = np.clip((times * SAMPLE_RATE).astype(int), 0, len(samples))
    parts = []
    for piece, gap in zip(np.split(samples, cuts), (*gaps, 0.0), strict=True):
        ramp = np.linspace(0.0, 1.0, min(_EDGE, len(piece) // 2), dtype=np.float32)
        faded = piece.copy()
        if len(ramp):
            faded[: len(ramp)] *= ramp
            faded[-len(ramp) :] *= ramp[::-1]
        parts += [faded, np.zeros(int(gap * SAMPLE_RATE), np.float32)]
    return np.concatenate(parts)

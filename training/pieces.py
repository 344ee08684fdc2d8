"""Pieces of utterances, as scenes put them together: sound, phones and motion of the same time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from .corpus.store import Utterance
from .gaps import with_gaps
from .motion import Motion
from .phones import SILENCE, Phones, phones_of

Generator = np.random.Generator

_FULL_SCALE = np.float32(32768.0)
_FADE = 80  # samples: 5 ms


@dataclass(frozen=True)
class PieceMix:
    """How utterances are cut. Shares are probabilities, ranges are uniform; all are our choice."""

    fragment_share: float = 0.3
    fragment_phones: tuple[int, int] = (3, 14)
    fragment_seconds: tuple[float, float] = (0.3, 1.5)  # of utterances whose phones are not known
    stretch_share: float = 0.5
    stretch: tuple[float, float] = (0.86, 1.2)  # playback slowed by: tempo, pitch and timbre together
    gap_share: float = 0.5


@dataclass(frozen=True)
class Piece:
    """A stretch of sound.

    Attributes:
        samples: [n] f32.
        phones: what is said in it; empty when that is not known.
        motion: the utterance's motion, if it has one.
        first: seconds of the utterance at which the piece starts.
        stretch: how many times as long as in the utterance it takes.
    """

    samples: Array
    phones: Phones
    motion: Motion | None = None
    first: float = 0.0
    stretch: float = 1.0

    @property
    def spoken(self) -> bool:
        """Whether it is known what is said."""
        return len(self.phones) > 0

    def amplified(self, gain: np.float32) -> Piece:
        """The same, `gain` times as loud."""
        return replace(self, samples=self.samples * gain)

    def motion_at(self, times: Array) -> Motion | None:
        """The motion at `times` [T] seconds after the piece's start."""
        return None if self.motion is None else self.motion.at(times / self.stretch + self.first)


def unspoken(samples: Array) -> Piece:
    """A pause, or another sound."""
    return Piece(samples, phones_of([(0.0, len(samples) / SAMPLE_RATE, SILENCE)]))


def cut(utterance: Utterance, mix: PieceMix, rng: Generator) -> Piece:
    """A random piece of `utterance`, perhaps slowed, perhaps with stops of the breath."""
    first, end, phones = _span(utterance, mix, rng)
    begin = int(first * SAMPLE_RATE)
    samples = np.asarray(utterance.samples[begin : int(end * SAMPLE_RATE)], np.float32) / _FULL_SCALE
    stretch = rng.uniform(*mix.stretch) if rng.random() < mix.stretch_share else 1.0
    first = begin / SAMPLE_RATE
    phones = phones.shifted(-first)
    if rng.random() < mix.gap_share and utterance.motion is None:
        samples, phones = with_gaps(samples, phones, rng)
    sound = slowed(_faded(samples), stretch)
    return Piece(sound, phones.shifted(0.0, stretch), utterance.motion, first, stretch)


def _span(utterance: Utterance, mix: PieceMix, rng: Generator) -> tuple[float, float, Phones]:
    """From when to when, seconds, and the phones in between: from one phone's start to another's end."""
    count = len(utterance.phones)
    if count == 0:
        return (*_seconds(utterance.duration, mix, rng), utterance.phones)
    first, last = 0, count
    if rng.random() < mix.fragment_share:
        first = int(rng.integers(0, max(1, count - mix.fragment_phones[0])))
        last = min(count, first + int(rng.integers(*mix.fragment_phones)))
    elif rng.random() < 0.5:
        first = int(rng.integers(0, max(1, count - mix.fragment_phones[1])))
    chosen = utterance.phones.select(slice(first, last))
    return float(chosen.start[0]), float(chosen.end[-1]), chosen


def _seconds(duration: float, mix: PieceMix, rng: Generator) -> tuple[float, float]:
    if rng.random() < mix.fragment_share:
        first = rng.uniform(0.0, max(0.0, duration - mix.fragment_seconds[0]))
        return first, min(duration, first + rng.uniform(*mix.fragment_seconds))
    first = rng.uniform(0.0, 0.8 * duration) if rng.random() < 0.5 else 0.0
    return first, duration


def slowed(samples: Array, stretch: float) -> Array:
    """[n] -> [n * stretch]: played slower, so lower and with a longer vocal tract."""
    if stretch == 1.0 or len(samples) < 2:
        return samples
    at = np.arange(int(len(samples) * stretch)) / stretch
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32)


def _faded(samples: Array) -> Array:
    """Without clicks at the cuts."""
    length = min(_FADE, len(samples) // 2)
    ramp = np.linspace(0.0, 1.0, length, dtype=np.float32)
    if length:
        samples[:length] *= ramp
        samples[-length:] *= ramp[::-1]
    return samples

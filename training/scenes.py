"""Training scenes: a few seconds of sound put together from utterances, pauses and other sounds.

Films, games and phone menus are not sentences with tidy ends: pieces of speech of different loudness stand
between digital silence, noise and music. Scenes are made of them so that nothing depends on pauses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from .channel import mixed, transmit
from .corpus.store import Utterance
from .gaps import with_gaps
from .music import music
from .nonspeech import nonspeech, room_tone
from .phones import SILENCE, Phones, joined, phones_of

Generator = np.random.Generator


@dataclass(frozen=True)
class SceneMix:
    """How often scenes hold what. Shares are probabilities, ranges are uniform."""

    nonspeech_share: float = 0.07
    leading_pause_share: float = 0.45
    room_tone_share: float = 0.4
    fragment_share: float = 0.3
    stretch_share: float = 0.5
    gap_share: float = 0.5
    fragment_phones: tuple[int, int] = (3, 14)
    pause: tuple[float, float] = (0.05, 0.9)  # seconds
    nonspeech: tuple[float, float] = (0.3, 3.0)  # seconds
    stretch: tuple[float, float] = (0.86, 1.2)  # playback slowed by: tempo, pitch and timbre together
    piece_gain: tuple[float, float] = (-5.0, 5.0)  # decibels
    room_tone_gain: tuple[float, float] = (-50.0, -18.0)  # decibels
    scene_gain: tuple[float, float] = (-32.0, 4.0)  # decibels
    babble_share: float = 0.15
    babble: tuple[float, float] = (13.0, 35.0)  # decibels below the main voice
    babble_voices: tuple[int, int] = (1, 5)
    music_share: float = 0.12
    music: tuple[float, float] = (8.0, 35.0)  # decibels below the main voice
    transmission_share: float = 1.0  # of scenes that may meet a room, a codec, clipping or lost packets


@dataclass(frozen=True)
class Scene:
    """A stretch of sound and who says what in it.

    Attributes:
        samples: [n] f32 what is heard.
        phones: what the main voice says, with silence named.
        voice: [n] f32 the main voice and its pauses alone, before rooms and codecs.
    """

    samples: Array
    phones: Phones
    voice: Array


@dataclass
class _Reel:
    """A scene in the making."""

    size: int
    sounds: list[Array] = field(default_factory=list)
    phones: list[Phones] = field(default_factory=list)
    filled: int = 0

    def add(self, samples: Array, phones: Phones) -> None:
        if self.filled >= self.size:
            return
        self.phones.append(phones.shifted(self.filled / SAMPLE_RATE))
        self.sounds.append(samples[: self.size - self.filled])
        self.filled += len(self.sounds[-1])

    def add_unspoken(self, samples: Array) -> None:
        self.add(samples, phones_of([(0.0, len(samples) / SAMPLE_RATE, SILENCE)]))


@dataclass(frozen=True)
class Pool:
    """Utterances by source, and how often each source is heard."""

    sources: tuple[Sequence[Utterance], ...]
    shares: tuple[float, ...]

    def draw(self, rng: Generator) -> Utterance:
        """A random utterance of a random source."""
        source = self.sources[int(rng.choice(len(self.sources), p=self.shares))]
        return source[int(rng.integers(len(source)))]


def make_scene(pool: Pool, seconds: float, mix: SceneMix, rng: Generator) -> Scene:
    """A random scene of `seconds`."""
    reel = _Reel(int(seconds * SAMPLE_RATE))
    if rng.random() < mix.leading_pause_share:
        reel.add_unspoken(_pause(mix, rng))
    while reel.filled < reel.size:
        if rng.random() < mix.nonspeech_share:
            reel.add_unspoken(nonspeech(_samples(mix.nonspeech, rng), rng) * _gain(mix.piece_gain, rng))
        else:
            samples, phones = _piece(pool.draw(rng), mix, rng)
            reel.add(samples * _gain(mix.piece_gain, rng), phones)
        reel.add_unspoken(_pause(mix, rng))
    voice = np.concatenate(reel.sounds)
    samples = _among_others(voice, pool, mix, rng)
    if rng.random() < mix.transmission_share:
        samples = transmit(samples, rng)
    gain = _gain(mix.scene_gain, rng)
    return Scene(samples * gain, joined(reel.phones), voice * gain)


def _among_others(samples: Array, pool: Pool, mix: SceneMix, rng: Generator) -> Array:
    """Sometimes with people talking or music playing behind; the mouth stays the main voice's."""
    if rng.random() < mix.babble_share:
        voices = range(int(rng.integers(mix.babble_voices[0], mix.babble_voices[1] + 1)))
        babble = np.sum([_murmur(pool.draw(rng), len(samples), rng) for _ in voices], axis=0)
        samples = mixed(samples, babble, rng.uniform(*mix.babble))
    if rng.random() < mix.music_share:
        samples = mixed(samples, music(len(samples), rng), rng.uniform(*mix.music))
    return samples


def _murmur(utterance: Utterance, count: int, rng: Generator) -> Array:
    """[count] f32: an utterance again and again, from a random moment."""
    first = int(rng.integers(len(utterance.samples)))
    index = np.arange(first, first + count) % len(utterance.samples)
    return np.asarray(utterance.samples[index], np.float32) / np.float32(32768.0)


def _pause(mix: SceneMix, rng: Generator) -> Array:
    """Digital silence, or the room and the speaker's breath."""
    count = _samples(mix.pause, rng)
    if rng.random() < mix.room_tone_share:
        return room_tone(count, rng) * _gain(mix.room_tone_gain, rng)
    return np.zeros(count, np.float32)


def _piece(utterance: Utterance, mix: SceneMix, rng: Generator) -> tuple[Array, Phones]:
    """A stretch of speech from one phone's start to another's end."""
    count = len(utterance.phones)
    first, last = 0, count
    if rng.random() < mix.fragment_share:
        first = int(rng.integers(0, max(1, count - mix.fragment_phones[0])))
        last = min(count, first + int(rng.integers(*mix.fragment_phones)))
    elif rng.random() < 0.5:
        first = int(rng.integers(0, max(1, count - mix.fragment_phones[1])))
    chosen = utterance.phones.select(slice(first, last))
    begin = int(chosen.start[0] * SAMPLE_RATE)
    samples = utterance.samples[begin : int(chosen.end[-1] * SAMPLE_RATE)].astype(np.float32) / 32768.0
    stretch = rng.uniform(*mix.stretch) if rng.random() < mix.stretch_share else 1.0
    phones = chosen.shifted(-begin / SAMPLE_RATE)
    if rng.random() < mix.gap_share:
        samples, phones = with_gaps(samples, phones, rng)
    return slowed(_faded(samples), stretch), phones.shifted(0.0, stretch)


def slowed(samples: Array, stretch: float) -> Array:
    """[n] -> [n * stretch]: played slower, so lower and with a longer vocal tract."""
    if stretch == 1.0 or len(samples) < 2:
        return samples
    at = np.arange(int(len(samples) * stretch)) / stretch
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32)


def _faded(samples: Array) -> Array:
    """Without clicks at the cuts: 5 ms ramps."""
    length = min(80, len(samples) // 2)
    ramp = np.linspace(0.0, 1.0, length, dtype=np.float32)
    if length:
        samples[:length] *= ramp
        samples[-length:] *= ramp[::-1]
    return samples


def _samples(seconds: tuple[float, float], rng: Generator) -> int:
    return int(rng.uniform(*seconds) * SAMPLE_RATE)


def _gain(decibels: tuple[float, float], rng: Generator) -> np.float32:
    return np.float32(10.0 ** (rng.uniform(*decibels) / 20.0))

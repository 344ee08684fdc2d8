"""Training scenes: a few seconds of sound put together from utterances, pauses and other sounds.

Films, games and phone menus are not sentences with tidy ends: pieces of speech of different loudness stand
between digital silence, noise and music. Scenes are made of them so that nothing depends on pauses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from blender_addon.protocol.clip import frame_count
from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE
from models.expression.network import FRAME_RATE

from .channel import mixed, transmit
from .corpus.store import Utterance
from .motion import Motion, unknown_motion
from .music import music
from .nonspeech import nonspeech, room_tone
from .phones import Phones, joined
from .pieces import Piece, PieceMix, cut, unspoken

Generator = np.random.Generator


@dataclass(frozen=True)
class SceneMix:
    """How often scenes hold what. Shares are probabilities, ranges are uniform; all are our choice."""

    pieces: PieceMix = field(default_factory=PieceMix)
    nonspeech_share: float = 0.07
    leading_pause_share: float = 0.45
    room_tone_share: float = 0.4
    pause: tuple[float, float] = (0.05, 0.9)  # seconds
    nonspeech: tuple[float, float] = (0.3, 3.0)  # seconds
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
    """A stretch of sound, who says what in it, and how a face moves to it.

    Attributes:
        samples: [n] f32 what is heard.
        phones: what the main voice says, with silence named; nothing where that is not known.
        voice: [n] f32 the main voice and its pauses alone, before rooms and codecs.
        spoken: [F] bool frames at 50 per second of which the phones are known.
        motion: F frames of recorded motion, with what is known of it; nothing in synthetic speech.
    """

    samples: Array
    phones: Phones
    voice: Array
    spoken: Array
    motion: Motion


@dataclass
class _Reel:
    """A scene in the making: pieces and where they start, in samples."""

    size: int
    pieces: list[Piece] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    filled: int = 0

    def add(self, piece: Piece) -> None:
        if self.filled >= self.size:
            return
        self.pieces.append(piece)
        self.starts.append(self.filled)
        self.filled = min(self.size, self.filled + len(piece.samples))

    def sound(self) -> Array:
        """[size] f32."""
        return np.concatenate([piece.samples for piece in self.pieces])[: self.size]

    def phones(self) -> Phones:
        shifted = zip(self.pieces, self.starts, strict=True)
        return joined([piece.phones.shifted(start / SAMPLE_RATE) for piece, start in shifted])

    def motion(self) -> tuple[Array, Motion]:
        """[F] of which frames the phones are known, and what motion is known."""
        times = np.arange(frame_count(self.size / SAMPLE_RATE, FRAME_RATE)) / FRAME_RATE
        index = np.searchsorted(np.array(self.starts) / SAMPLE_RATE, times + 1e-9, side="right") - 1
        spoken = np.array([piece.spoken for piece in self.pieces])[index]
        result = unknown_motion(len(times))
        for number, (piece, start) in enumerate(zip(self.pieces, self.starts, strict=True)):
            here = index == number
            known = piece.motion_at(times[here] - start / SAMPLE_RATE)
            if known is not None:
                result.weights[here], result.contact[here] = known.weights, known.contact
                result.knows_weights[here] = known.knows_weights
                result.knows_contact[here] = known.knows_contact
        return spoken, result


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
        reel.add(_pause(mix, rng))
    while reel.filled < reel.size:
        reel.add(_sound(pool, mix, rng).amplified(_gain(mix.piece_gain, rng)))
        reel.add(_pause(mix, rng))
    voice = reel.sound()
    samples = _among_others(voice, pool, mix, rng)
    if rng.random() < mix.transmission_share:
        samples = transmit(samples, rng)
    gain = _gain(mix.scene_gain, rng)
    return Scene(samples * gain, reel.phones(), voice * gain, *reel.motion())


def _sound(pool: Pool, mix: SceneMix, rng: Generator) -> Piece:
    """Speech, or seldom something else."""
    if rng.random() < mix.nonspeech_share:
        return unspoken(nonspeech(_samples(mix.nonspeech, rng), rng))
    return cut(pool.draw(rng), mix.pieces, rng)


def _pause(mix: SceneMix, rng: Generator) -> Piece:
    """Digital silence, or the room and the speaker's breath."""
    count = _samples(mix.pause, rng)
    if rng.random() < mix.room_tone_share:
        return unspoken(room_tone(count, rng) * _gain(mix.room_tone_gain, rng))
    return unspoken(np.zeros(count, np.float32))


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


def _samples(seconds: tuple[float, float], rng: Generator) -> int:
    return int(rng.uniform(*seconds) * SAMPLE_RATE)


def _gain(decibels: tuple[float, float], rng: Generator) -> np.float32:
    return np.float32(10.0 ** (rng.uniform(*decibels) / 20.0))

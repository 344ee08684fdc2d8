"""What head motion is judged on: minutes of voices in one long sound, and the pieces that it is made of."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from ..corpus.build import DEVELOPMENT_SOURCES
from ..corpus.store import Utterance, read_source
from ..phones import Phones, joined, phones_of
from ..pose.speech import LongSpeech, long_recording
from .lipsync import read_manifest, read_sound
from .pose_measures import RATE

_PIECE = 60.0  # seconds
_SHORTEST = 6.0  # seconds of a piece that is judged
_FULL_SCALE = 32768.0


@dataclass(frozen=True)
class Piece:
    """Frames `first` to `last` of the long sound, spoken by one voice."""

    voice: str
    first: int
    last: int

    @property
    def seconds(self) -> float:
        return (self.last - self.first) / RATE

    def samples(self, sound: Array) -> Array:
        """The piece of [n] samples."""
        step = SAMPLE_RATE / RATE
        return sound[round(self.first * step) : round(self.last * step)]


@dataclass(frozen=True)
class PoseSound:
    """Attributes:
    samples: [n] f32 at 16 kHz, a whole number of frames. phones: what is said, where it is known.
    pieces: up to a minute long, each of one voice.
    """

    samples: Array
    phones: Phones | None
    pieces: tuple[Piece, ...]

    @property
    def frames(self) -> int:
        """At `RATE`."""
        return round(len(self.samples) / SAMPLE_RATE * RATE)


def of_corpus(folder: Path, minutes: float) -> PoseSound:
    """The corpus' development voices, none of them trained on: sentences with pauses, equal time each."""
    said = [utterance for name in DEVELOPMENT_SOURCES for utterance in read_source(folder, name)]
    return of_utterances(said, minutes)


def of_manifest(path: Path, minutes: float) -> PoseSound:
    """The voices of a manifest of clips with phone times (see `lipsync`)."""
    said = [
        Utterance(clip.speaker, (read_sound(clip.sound) * (_FULL_SCALE - 1.0)).astype(np.int16), clip.phones)
        for clip in read_manifest(path)
    ]
    return of_utterances(said, minutes)


def of_utterances(said: Sequence[Utterance], minutes: float) -> PoseSound:
    """`minutes` of the voices with at least a minute of speech, equal time each."""
    length: dict[str, float] = {}
    for utterance in said:
        length[utterance.voice] = length.get(utterance.voice, 0.0) + utterance.duration
    voices = [voice for voice, seconds in length.items() if seconds >= _PIECE]
    if not voices:
        raise InputError("no voice has a minute of speech", "Give more of it")
    seconds = np.ceil(60.0 * minutes / len(voices))
    rng = np.random.default_rng(0)
    parts = {
        voice: long_recording([one for one in said if one.voice == voice], seconds, rng) for voice in voices
    }
    return _joined(list(parts), list(parts.values()), known=True)


def of_files(sounds: Sequence[tuple[str, Array]]) -> PoseSound:
    """Named sounds [n] f32 at 16 kHz, one after the other; nothing is known of what they say."""
    parts = [LongSpeech(samples, phones_of([])) for _, samples in sounds]
    return _joined([name for name, _ in sounds], parts, known=False)


def _joined(names: Sequence[str], parts: Sequence[LongSpeech], known: bool) -> PoseSound:
    step, first = round(SAMPLE_RATE / RATE), 0
    samples, phones, pieces = [], [], []
    for name, part in zip(names, parts, strict=True):
        frames = len(part.samples) // step
        samples.append(part.samples[: frames * step])
        phones.append(part.phones.shifted(first / RATE))
        pieces += _pieces(name, first, frames)
        first += frames
    if not pieces:
        raise InputError(f"the sounds are shorter than {_SHORTEST:g} s", "Give longer ones")
    return PoseSound(np.concatenate(samples), joined(phones) if known else None, tuple(pieces))


def _pieces(name: str, first: int, frames: int) -> list[Piece]:
    size = round(_PIECE * RATE)
    edges = [*range(0, frames, size), frames]
    found = [Piece(name, first + a, first + b) for a, b in itertools.pairwise(edges)]
    return [piece for piece in found if piece.seconds >= _SHORTEST]

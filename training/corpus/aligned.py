"""Speech of engines that give no times: phones from espeak-ng, times from forced alignment."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from ..phones import OPENNESS, ROUNDED, SILENCE, SPREAD
from ..symbols import Segment, classes_of
from .align import Alignment, Listener, align
from .espeak import Espeak
from .store import Recording
from .texts import sentences

# Our choice, from how the scores lie: most sentences pass, those with abbreviations or foreign names do not.
_WORST_SCORE, _WEAKEST_PHONE = -2.5, -6.3  # log posterior
_LONGEST_CONSONANT = 0.25  # seconds
_LONG = frozenset({SILENCE, "s", "sh", "f", "@", "3", "2", "1"}) | frozenset(OPENNESS) | ROUNDED | SPREAD
_BLOCK = SAMPLE_RATE // 100
_LOUD = 0.1  # of the sentence's loud blocks: a silence must not reach it
_MOST_LOUD_BLOCKS, _SILENCE_MARGIN = 4, 2  # blocks of 10 ms
_MOST_REJECTED = 300  # sentences in a row; with weights that hear, most pass


class Voice(Protocol):
    """A voice of such an engine: its name, espeak-ng's for the same language, its language and share."""

    @property
    def name(self) -> str: ...
    @property
    def espeak(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def share(self) -> float: ...


V = TypeVar("V", bound=Voice)
Say = Callable[[V, str, random.Random, Path], Array]  # text, file to write to -> [n] f32 at 16 kHz


def aligned_speech(
    engine: str, voices: Sequence[V], say: Say[V], listen: Listener, minutes: float, seed: int
) -> Iterator[Recording]:
    """About `minutes` of speech of `engine`, divided among `voices`; badly aligned sentences are left out.

    Raises:
        InputError: the engine is not installed, or `listen` finds the phones of hardly any sentence.
    """
    spelling, rng = Espeak(), random.Random(seed)
    texts = {voice.language: sentences(voice.language) for voice in voices}
    left, rejected = minutes * 60.0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        while left > 0:
            voice = rng.choices(voices, [v.share for v in voices])[0]
            text = rng.choice(texts[voice.language])
            samples = say(voice, text, rng, path)
            words = spelling.spell(text, voice.espeak)
            recording = aligned_recording(f"{engine} {voice.name}", samples, words, listen)
            rejected = 0 if recording is not None else rejected + 1
            if recording is not None:
                left -= len(recording.samples) / SAMPLE_RATE
                yield replace(recording, language=voice.language)
            elif rejected == _MOST_REJECTED:
                raise InputError(
                    f"the phones of {rejected} sentences of {engine} in a row cannot be found",
                    "Name expression weights that hear better (aligner)",
                )


def aligned_recording(
    voice: str, samples: Array, words: Sequence[Sequence[str]], listen: Listener
) -> Recording | None:
    """The sound with phone times; None when the phones cannot be found in it.

    Args:
        voice: who speaks.
        samples: [n] f32 at 16 kHz.
        words: the IPA symbols of each word.
        listen: the network that is asked.
    """
    spelled = [[name for symbol in word for name in classes_of(symbol, "ipa")] for word in words]
    if not any(spelled):
        return None
    found = align(listen(samples), [word for word in spelled if word])
    if found is None or not _fits(found) or loud_silence(samples, found.segments) > _MOST_LOUD_BLOCKS:
        return None
    return Recording(voice, samples, found.segments)


def _fits(found: Alignment) -> bool:
    consonants = (end - start for start, end, name in found.segments if name not in _LONG)
    return (
        found.score >= _WORST_SCORE
        and found.weakest >= _WEAKEST_PHONE
        and max(consonants, default=0.0) <= _LONGEST_CONSONANT
    )


def loud_silence(samples: Array, segments: Sequence[Segment]) -> int:
    """How many blocks of 10 ms are called silence but are not, 20 ms at the edges of silences aside."""
    blocks = samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    level = np.sqrt(np.mean(np.square(blocks), axis=1))
    loud = level > _LOUD * np.percentile(level, 90)
    silences = [(int(start * 100), int(end * 100)) for start, end, name in segments if name == SILENCE]
    return sum(
        int(loud[first + _SILENCE_MARGIN : max(0, end - _SILENCE_MARGIN)].sum()) for first, end in silences
    )

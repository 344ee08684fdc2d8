"""Long stretches of one voice's speech, as conversation has them: phrases, pauses, turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from ..corpus.store import Utterance
from ..phones import Phones, joined, phones_of
from ..scenes import Pool
from .events import LISTENING

Generator = np.random.Generator
_FULL_SCALE = 32768.0
# Pauses between a speaker's own sentences: "medium" pauses of Campione and Véronis (2002), log-normal; median
# in seconds, deviation of the logarithm, our choice.
_PAUSE = (0.5, 0.45)
_TURN_END = 0.3  # share of sentences after which another speaks; our choice
_ROOM_SHARE, _ROOM_DB = 0.5, (-75.0, -50.0)  # of full scale, white; our choice
_GAIN_DB = (-4.0, 4.0)  # of one sentence against the others; our choice
_LEAD = (0.1, 1.5)  # seconds of silence before the first word; our choice


@dataclass(frozen=True)
class LongSpeech:
    """[n] f32 samples at 16 kHz of one voice, and its phones, silence not among them."""

    samples: Array
    phones: Phones


def long_speech(speech: Pool | Sequence[Utterance], seconds: float, rng: Generator) -> Array:
    """[n] f32 samples: random sentences of one random voice of `speech`, pauses between them.

    Where others talk in the conversation, this speaker is silent.
    """
    return long_recording(speech, seconds, rng).samples


def long_recording(speech: Pool | Sequence[Utterance], seconds: float, rng: Generator) -> LongSpeech:
    """`long_speech` with its phones."""
    pool = speech if isinstance(speech, Pool) else Pool((speech,), (1.0,))
    source = pool.sources[int(rng.choice(len(pool.sources), p=pool.shares))]
    voice = source[int(rng.integers(len(source)))].voice
    said = [utterance for utterance in source if utterance.voice == voice]
    samples = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
    phones = [phones_of([])]
    place = int(rng.uniform(*_LEAD) * SAMPLE_RATE)
    while place < len(samples):
        utterance = said[int(rng.integers(len(said)))]
        piece = np.asarray(utterance.samples[: len(samples) - place], np.float32) / _FULL_SCALE
        samples[place : place + len(piece)] = piece * 10.0 ** (rng.uniform(*_GAIN_DB) / 20.0)
        phones.append(utterance.phones.shifted(place / SAMPLE_RATE))
        place += len(piece) + int(_silence(rng) * SAMPLE_RATE)
    table = joined(phones)
    return LongSpeech(samples + _room(len(samples), rng), table.select(table.end <= seconds))


def _silence(rng: Generator) -> float:
    if rng.random() < _TURN_END:
        return float(rng.uniform(*LISTENING))
    return float(_PAUSE[0] * np.exp(_PAUSE[1] * rng.normal()))


def _room(count: int, rng: Generator) -> Array:
    """[count] f32: nothing, or a little noise."""
    if rng.random() >= _ROOM_SHARE:
        return np.zeros(count, np.float32)
    level = np.float32(10.0 ** (rng.uniform(*_ROOM_DB) / 20.0))
    return np.asarray(level * rng.standard_normal(count, np.float32))

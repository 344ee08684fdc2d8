"""What a text sounds like: phone classes and a synthesised reading with their times, by espeak-ng."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from ..corpus.espeak import Espeak, Manner, with_stop_closures
from ..corpus.resample import to_corpus_rate
from ..phones import SILENCE
from ..symbols import Segment, to_classes
from .sound import speech_bounds

# Timbres unlike one another: the alignment is the median over them.
TIMBRES: tuple[str, ...] = ("", "+f2", "+Andrea")
_RATE, _SLOWEST, _FASTEST = 160, 80, 320  # words per minute
_PITCH = {"+f2": 55, "+Andrea": 55}
_USUAL_PITCH, _PITCH_RANGE = 45, 50
_SHORTEST_PAUSE = 0.04  # seconds; shorter gaps join letters within a word
_APPROXIMANTS = ("β", "β̞")  # Spanish and Catalan b between vowels
_UNROUNDED_Y = ("ru", "pl", "uk", "be")  # espeak-ng prints the unrounded high vowel of these as "y"


@dataclass(frozen=True)
class Reading:
    """A synthesised reading.

    Attributes:
        samples: [n] at 16 kHz, which begin and end with speech.
        segments: its phones.
        unjudged: which of them narrow the lips without closing them, so that no measure can judge them.
    """

    samples: Array
    segments: list[Segment]
    unjudged: frozenset[int]

    @property
    def names(self) -> list[str]:
        """Phone classes in order."""
        return [row[2] for row in self.segments]


def readings(engine: Espeak, text: str, voice: str, seconds: float) -> list[Reading]:
    """The same phones in several timbres, at a rate that makes them about `seconds` long.

    Empty where espeak-ng cannot say the text, or says different phones in different timbres.
    """
    plain = _read(engine, text, voice, "", _RATE)
    if plain is None or not plain.segments:
        return []
    pace = len(plain.samples) / SAMPLE_RATE / max(seconds, 0.1)
    rate = int(np.clip(_RATE * pace, _SLOWEST, _FASTEST))
    found = [_read(engine, text, voice, timbre, rate) for timbre in TIMBRES]
    first = found[0]
    return [] if first is None else [r for r in found if r is not None and r.names == first.names]


def _read(engine: Espeak, text: str, voice: str, timbre: str, rate: int) -> Reading | None:
    said = engine.say(text, voice + timbre, Manner(rate, _PITCH.get(timbre, _USUAL_PITCH), _PITCH_RANGE))
    if said is None:
        return None
    samples = to_corpus_rate(said[0], engine.rate)
    rows = [row for row in said[1] if not row[2].startswith("(")]
    if voice in _UNROUNDED_Y:
        rows = [(start, end, symbol.replace("y", "ɨ")) for start, end, symbol in rows]
    segments = with_stop_closures(samples, to_classes(rows, "ipa"))
    return _trimmed(samples, segments, {end for _, end, symbol in rows if symbol in _APPROXIMANTS})


def _trimmed(samples: Array, segments: list[Segment], ends: set[float]) -> Reading:
    """Without joints between letters and silences at the ends; phones that end at `ends` are unjudged."""
    segments = [row for row in segments if row[2] != SILENCE or row[1] - row[0] >= _SHORTEST_PAUSE]
    while segments and segments[0][2] == SILENCE:
        segments = segments[1:]
    while segments and segments[-1][2] == SILENCE:
        segments = segments[:-1]
    first, last = speech_bounds(samples)
    start, end = first / SAMPLE_RATE, last / SAMPLE_RATE
    clipped = [(max(a, start) - start, min(max(b, start), end) - start, name) for a, b, name in segments]
    unjudged = frozenset(i for i, row in enumerate(segments) if row[1] in ends)
    return Reading(samples[first:last], clipped, unjudged)

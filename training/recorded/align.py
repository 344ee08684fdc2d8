"""Phones of a recording by two aligners that know nothing of each other, and where they agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from ..corpus.espeak import Espeak
from ..phones import BILABIAL, SILENCE
from ..symbols import Segment
from .forced import ForcedAligner
from .reading import Reading, readings
from .sound import speech_bounds
from .warp import median_alignment, warped

AGREEMENT = 0.04  # seconds between the centres that two aligners give a closure; our choice
_CUT = 0.12  # seconds of silence at which a recording is cut in two
_MARGIN = 0.15  # seconds of the recording kept around what is said
_SHORTEST = 0.15  # seconds of speech
_FIRST_CLOSURE = 0.06  # seconds that lips or tongue are shut, unheard, before a stop's release after a pause
_STOPS = frozenset({"p", "t", "k", "b", "d", "g"})


@dataclass(frozen=True)
class Piece:
    """A stretch of a recording between pauses.

    Attributes:
        start, end: seconds in the recording.
        segments: phones, in seconds from `start`.
        disagreement: seconds between the aligners' centres, the largest over p, b, m.
        typical: the same, the median over all phones.
    """

    start: float
    end: float
    segments: list[Segment]
    disagreement: float
    typical: float

    @property
    def sure(self) -> bool:
        """Whether the aligners agree about every closure and about most phones."""
        return self.disagreement <= AGREEMENT and self.typical <= AGREEMENT


class Aligner:
    """Both aligners, loaded."""

    def __init__(self) -> None:
        self._engine = Espeak()
        self._forced = ForcedAligner()

    def align(self, samples: Array, text: str, voice: str) -> list[Piece]:
        """The pieces of [n] samples at 16 kHz in which `text` is said; none where an aligner fails."""
        first, last = speech_bounds(samples)
        speech, begin = samples[first:last], first / SAMPLE_RATE
        if len(speech) < _SHORTEST * SAMPLE_RATE:
            return []
        read = readings(self._engine, text, voice, len(speech) / SAMPLE_RATE)
        forced = self._forced.align(speech, read[0].names) if read else None
        if forced is None:
            return []
        by_warp = median_alignment([_by_warp(reading, speech) for reading in read])
        apart = [abs(a[0] + a[1] - b[0] - b[1]) / 2 for a, b in zip(forced, by_warp, strict=True)]
        rows = [(a + begin, b + begin, name) for a, b, name in with_first_closures(forced, begin)]
        return cut_at_pauses(rows, apart, len(samples) / SAMPLE_RATE, read[0].unjudged)


def _by_warp(reading: Reading, speech: Array) -> list[Segment]:
    times = np.array([row[:2] for row in reading.segments])
    found, _ = warped(times.ravel(), reading.samples, speech)
    pairs = zip(found.reshape(-1, 2), reading.names, strict=True)
    return [(float(start), float(end), name) for (start, end), name in pairs]


def with_first_closures(rows: list[Segment], before: float) -> list[Segment]:
    """Give stops after a pause the silent closure that no aligner can hear.

    `before` is how much sound there is before time 0, in seconds. Where the recording begins with the
    release, the closure is not in it, and nothing is left to judge: the stop becomes silence.
    """
    result: list[Segment] = []
    for row in rows:
        previous = result[-1] if result else (-before, 0.0, SILENCE)
        if row[2] not in _STOPS or previous[2] != SILENCE or row[1] - row[0] >= _FIRST_CLOSURE:
            result.append(row)
            continue
        start = max(previous[0], row[0] - _FIRST_CLOSURE)
        if result:
            result[-1] = (previous[0], min(previous[1], start), SILENCE)
        result.append((start, row[1], row[2] if row[1] - start >= _FIRST_CLOSURE else SILENCE))
    return result


def cut_at_pauses(
    rows: list[Segment], apart: list[float], duration: float, unjudged: frozenset[int]
) -> list[Piece]:
    """The pieces of a recording of `duration` seconds.

    `apart` are seconds between the aligners per phone; phones in `unjudged` become silence, which the
    measures count neither as closed nor as open lips.
    """
    pauses = [i for i, row in enumerate(rows) if row[2] == SILENCE and row[1] - row[0] >= _CUT]
    pieces = []
    for first, last in zip([-1, *pauses], [*pauses, len(rows)], strict=True):
        inside = range(first + 1, last)
        if not inside:
            continue
        start = 0.0 if first < 0 else max(rows[first][0], rows[first][1] - _MARGIN)
        end = duration if last == len(rows) else min(rows[last][1], rows[last][0] + _MARGIN)
        segments = [_relative(rows[i], start, i in unjudged) for i in inside]
        closures = [apart[i] for i in inside if rows[i][2] in BILABIAL]
        typical = float(np.median([apart[i] for i in inside]))
        pieces.append(Piece(start, end, segments, max(closures, default=0.0), typical))
    return pieces


def _relative(row: Segment, start: float, unjudged: bool) -> Segment:
    return row[0] - start, row[1] - start, SILENCE if unjudged else row[2]

"""Speech of engines that give no times: phones from espeak-ng, times from forced alignment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE

from ..phones import OPENNESS, ROUNDED, SILENCE, SPREAD
from ..symbols import Segment, classes_of
from .align import Alignment, Listener, align
from .store import Recording

# Our choice, from how the scores lie: most sentences pass, those with abbreviations or foreign names do not.
_WORST_SCORE, _WEAKEST_PHONE = -2.5, -6.3  # log posterior
_LONGEST_CONSONANT = 0.25  # seconds
_LONG = frozenset({SILENCE, "s", "sh", "f", "@", "3", "2", "1"}) | frozenset(OPENNESS) | ROUNDED | SPREAD
_BLOCK = SAMPLE_RATE // 100
_LOUD = 0.1  # of the sentence's loud blocks: a silence must not reach it
_MOST_LOUD_BLOCKS, _SILENCE_MARGIN = 4, 2  # blocks of 10 ms


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

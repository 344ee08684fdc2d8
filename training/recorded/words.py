"""The same words alone, joined, late in a long file, and quieter: does hearing depend on what is around?

Each layout is one or several sounds; the motion is cut back into words, and every layout is scored on the
same words and phones, so that only the hearing can differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE
from models.expression import ExpressionModel
from models.expression.network import FRAME_RATE

from ..evaluate.lipsync import LipsyncClip, read_sound
from ..evaluate.metrics import LipsyncScores, Prediction, score
from ..phones import BILABIAL

LAYOUTS: tuple[str, ...] = ("alone", "quieter", "joined", "hour")
_GAP = 0.5  # seconds of digital silence between joined words
_QUIETER = 10 ** (-12.0 / 20.0)
_LONGEST = 1.6  # seconds of a word or short phrase
_FRAME = SAMPLE_RATE // FRAME_RATE
_PUSH = 10 * SAMPLE_RATE


@dataclass(frozen=True)
class Word:
    """A clip that is short enough to be a word, and its [n] samples, whole frames of the network."""

    clip: LipsyncClip
    samples: Array

    @property
    def frames(self) -> int:
        """How many frames of the network it lasts."""
        return len(self.samples) // _FRAME


def words_of(clips: Sequence[LipsyncClip]) -> list[Word]:
    """The short clips in which lips close. Raises `InputError` where there are none."""
    chosen = [
        Word(clip, _whole_frames(read_sound(clip.sound)))
        for clip in clips
        if clip.duration <= _LONGEST and BILABIAL & set(clip.phones.names)
    ]
    if not chosen:
        raise InputError(f"no clip is shorter than {_LONGEST} s and has p, b or m")
    return chosen


def score_layout(
    words: Sequence[Word], model: ExpressionModel, layout: str, hour: float = 3600.0
) -> LipsyncScores:
    """Scores of `words` in one of `LAYOUTS`; `hour` is the length of the long file in seconds."""
    if layout in ("alone", "quieter"):
        gain = _QUIETER if layout == "quieter" else 1.0
        mouths = [mouth(model, word.samples * np.float32(gain)) for word in words]
    else:
        mouths = _from_one_sound(words, model, hour if layout == "hour" else 0.0)
    return score(
        [(word.clip.phones, word.clip.duration, heard) for word, heard in zip(words, mouths, strict=True)]
    )


def _from_one_sound(words: Sequence[Word], model: ExpressionModel, seconds: float) -> list[Prediction]:
    """The words with gaps between them, over again until `seconds` are full; what counts is the last time."""
    gap = np.zeros(int(_GAP * SAMPLE_RATE), np.float32)
    once = np.concatenate([part for word in words for part in (gap, word.samples)])
    repeats = max(1, round(seconds * SAMPLE_RATE / len(once)))
    whole = mouth(model, *[once] * repeats)
    first = (repeats - 1) * (len(once) // _FRAME)
    result = []
    for word in words:
        first += len(gap) // _FRAME
        cut = slice(first, first + word.frames + 1)
        result.append(Prediction(FRAME_RATE, {name: column[cut] for name, column in whole.columns.items()}))
        first += word.frames
    return result


def mouth(model: ExpressionModel, *sounds: Array) -> Prediction:
    """What the product makes of sounds that follow one another, at the network's frame rate."""
    stream = model.stream(FRAME_RATE)
    pushed = (sound[i : i + _PUSH] for sound in sounds for i in range(0, len(sound), _PUSH))
    weights = np.concatenate([*(stream.push(block).weights for block in pushed), stream.finish().weights])
    return Prediction(FRAME_RATE, _both_sides(weights))


def _both_sides(weights: Array) -> dict[str, Array]:
    """[F, 52] ARKit weights -> columns by name, left and right averaged."""
    groups: dict[str, list[int]] = {}
    for column, name in enumerate(ARKIT_NAMES):
        groups.setdefault(name.removesuffix("Left").removesuffix("Right"), []).append(column)
    return {name: weights[:, columns].mean(1) for name, columns in groups.items()}


def _whole_frames(samples: Array) -> Array:
    return np.pad(samples, (0, -len(samples) % _FRAME))

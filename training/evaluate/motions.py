"""Mouths to be judged: what a model, a file of curves, the true phones or the loudness make of a sound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES, sided_indices
from blender_addon.protocol.tensorfile import Array
from models.audio.mel import SAMPLE_RATE
from models.expression import ExpressionModel
from models.expression.curves import CURVES, from_arkit, to_arkit
from models.expression.finishing import FINISHED, Finishing
from models.expression.network import FRAME_RATE

from ..articulation import articulate, contacts
from .lipsync import LipsyncClip, read_prediction, read_sound
from .metrics import Prediction

HOP = SAMPLE_RATE // FRAME_RATE  # samples per frame
_LOUDEST, _BEND, _WIDEST = 95, 0.6, 0.6  # percentile, exponent and jawOpen of the loudness baseline


@dataclass(frozen=True)
class Motion:
    """A mouth at 50 frames per second: weights [F, 52] and contact [F, 2], f32."""

    weights: Array
    contact: Array

    def prediction(self) -> Prediction:
        """The lip curves, left and right averaged."""
        return Prediction(FRAME_RATE, dict(zip(CURVES, from_arkit(self.weights).T, strict=True)))


@dataclass(frozen=True)
class Part:
    """A clip within a sound, from frame `first` (at 50 per second) on; its phones count from there."""

    clip: LipsyncClip
    first: int = 0

    @property
    def frames(self) -> int:
        """How many frames are the clip's."""
        return int(self.clip.duration * FRAME_RATE) + 1


@dataclass(frozen=True)
class Recording:
    """A sound, [n] f32 samples at 16 kHz, that holds one clip or several."""

    samples: Array
    parts: tuple[Part, ...]


Predictor = Callable[[Recording], list[Motion]]  # one motion per part


def recordings_of(clips: Iterable[LipsyncClip]) -> Iterator[Recording]:
    """Each clip by itself, as it was recorded."""
    for clip in clips:
        yield Recording(read_sound(clip.sound), (Part(clip),))


def of_model(model: ExpressionModel, finishing: Finishing = FINISHED) -> Predictor:
    """What a model makes of the whole sound, as the product streams it."""

    def predict(recording: Recording) -> list[Motion]:
        stream = model.stream(float(FRAME_RATE), finishing=finishing)
        chunks = [stream.push(recording.samples), stream.finish()]
        weights = np.concatenate([chunk.weights for chunk in chunks])
        contact = np.concatenate([chunk.contact for chunk in chunks])
        return [
            Motion(weights[part.first :][: part.frames], contact[part.first :][: part.frames])
            for part in recording.parts
        ]

    return predict


def of_phones(recording: Recording) -> list[Motion]:
    """The dominance model on the true phones: what the network is trained to do."""
    motions = []
    for part in recording.parts:
        times = np.arange(part.frames) / FRAME_RATE
        motions.append(
            Motion(to_arkit(articulate(part.clip.phones, times)), contacts(part.clip.phones, times))
        )
    return motions


def of_loudness(recording: Recording) -> list[Motion]:
    """A jaw that follows the loudness: what an audio-driven bone does."""
    power = np.convolve(recording.samples.astype(np.float64) ** 2, np.ones(2 * HOP) / (2 * HOP), "same")
    level = np.sqrt(np.maximum(power[::HOP], 0.0))
    jaw = _WIDEST * np.clip(level / (np.percentile(level, _LOUDEST) + 1e-9), 0.0, 1.0) ** _BEND
    motions = []
    for part in recording.parts:
        weights = np.zeros((part.frames, len(ARKIT_NAMES)), np.float32)
        own = jaw[part.first :][: part.frames]
        weights[: len(own), ARKIT_INDEX["jawOpen"]] = own
        motions.append(Motion(weights, np.zeros((part.frames, 2), np.float32)))
    return motions


def of_files(folder: Path) -> Predictor:
    """Curves of another program, `id`.npz or `id`.csv. Without contacts the curves alone pose the lips."""

    def predict(recording: Recording) -> list[Motion]:
        return [_sampled(read_prediction(folder, part.clip.id), part.frames) for part in recording.parts]

    return predict


def _sampled(prediction: Prediction, frames: int) -> Motion:
    """A prediction at any rate as a motion at 50 frames per second."""
    times, own = np.arange(frames) / FRAME_RATE, np.arange(prediction.frames) / prediction.fps
    weights = np.zeros((frames, len(ARKIT_NAMES)), np.float32)
    for name, column in prediction.columns.items():
        if name in ARKIT_INDEX or f"{name}Left" in ARKIT_INDEX:
            weights[:, sided_indices(name)] = np.interp(times, own, column)[:, None]
    contact = np.zeros((frames, 2), np.float32)
    for number, column in enumerate(prediction.contact.T):
        contact[:, number] = np.interp(times, own, column)
    return Motion(weights, contact)

"""Judging mouths: closures and bites on faces, and curves, clip by clip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.signal import butter, sosfiltfilt

from blender_addon.protocol.arkit import LIP_SHAPES
from blender_addon.protocol.tensorfile import Array
from models.expression.network import FRAME_RATE

from ..articulation import class_at
from ..phones import BILABIAL, CLASS_INDEX, LABIODENTAL, SILENCE, Phones, is_kind
from .closures import WIDE_WINDOW, Matched, match
from .lipsync import LipsyncClip
from .mesh import JudgedFace
from .metrics import ClipMeasures, measure_clip
from .motions import Motion, Predictor, Recording

_NEAR_CONTACT = 0.08  # seconds on either side of a contact that smoothness leaves out
_BAND = (5.0, 20.0)  # hertz
_EVERY = 25  # of the frames away from contacts, those whose lip-tooth distance is measured
_SHORTEST_FILTER = 28  # frames that the filter's ends need


@dataclass(frozen=True)
class FaceTrack:
    """One clip on one face.

    Attributes:
        gap: [F] of the lips, metres.
        strict, wide: its events with the window of the definition and with +-100 ms.
        bitten: [n] distance of lower lip and upper teeth in the middle of f, v, metres; apart: [m] elsewhere.
    """

    gap: Array
    strict: Matched
    wide: Matched
    bitten: Array
    apart: Array


@dataclass(frozen=True)
class ClipResult:
    """One clip judged.

    Attributes:
        faces: by name. measures: of its curves.
        restless: energy from 5 to 20 Hz of the lip weights outside contacts, summed over frames; calm: their
            number.
    """

    clip: LipsyncClip
    motion: Motion
    faces: Mapping[str, FaceTrack]
    measures: ClipMeasures
    restless: float
    calm: int


def judge(
    predictor: Predictor, recordings: Iterable[Recording], faces: Mapping[str, JudgedFace]
) -> list[ClipResult]:
    """Judge what `predictor` makes of every clip in `recordings`, on `faces`."""
    results = []
    for recording in recordings:
        for part, motion in zip(recording.parts, predictor(recording), strict=True):
            results.append(judge_clip(part.clip, motion, faces))
    return results


def judge_clip(clip: LipsyncClip, motion: Motion, faces: Mapping[str, JudgedFace]) -> ClipResult:
    """Judge one motion."""
    energy, calm = restlessness(motion.weights, clip.phones)
    return ClipResult(
        clip=clip,
        motion=motion,
        faces={name: _track(clip.phones, motion, face) for name, face in faces.items()},
        measures=measure_clip(clip.phones, clip.duration, motion.prediction()),
        restless=energy,
        calm=calm,
    )


def _track(phones: Phones, motion: Motion, face: JudgedFace) -> FaceTrack:
    rate = float(FRAME_RATE)
    lips = face.lips(motion.weights, motion.contact, rate)
    gap = face.gap(lips)
    biting, away = _bite_frames(phones, len(gap))
    chosen = np.concatenate([biting, away])
    distance = face.bite(lips[chosen], motion.weights[chosen])
    return FaceTrack(
        gap=gap,
        strict=match(phones, gap, rate),
        wide=match(phones, gap, rate, WIDE_WINDOW),
        bitten=distance[: len(biting)],
        apart=distance[len(biting) :],
    )


def _bite_frames(phones: Phones, frames: int) -> tuple[Array, Array]:
    """Frames in the middle of f, v, and some spoken ones 80 ms from any contact."""
    chosen = phones.select(is_kind(phones.kind, LABIODENTAL))
    biting = np.rint((chosen.start + chosen.end) / 2 * FRAME_RATE).astype(int)
    kind = class_at(phones, np.arange(frames) / FRAME_RATE + 1e-6)
    free = (kind != CLASS_INDEX[SILENCE]) & ~near_contact(phones, frames)
    return biting[biting < frames], np.flatnonzero(free)[::_EVERY]


def near_contact(phones: Phones, frames: int) -> Array:
    """[F] whether a frame at 50 per second lies in p, b, m, f, v or 80 ms around."""
    kind = class_at(phones, np.arange(frames) / FRAME_RATE + 1e-6)
    touching = is_kind(kind, BILABIAL | LABIODENTAL)
    reach = round(_NEAR_CONTACT * FRAME_RATE)
    return np.asarray(binary_dilation(touching, iterations=reach)) if touching.any() else touching


def restlessness(weights: Array, phones: Phones) -> tuple[float, int]:
    """Energy from 5 to 20 Hz of the lip shapes outside contacts, summed over frames and shapes; those frames.

    `weights` are [F, 52] at 50 per second.
    """
    if len(weights) < _SHORTEST_FILTER:
        return 0.0, 0
    # butter's Python stubs do not know that "sos" gives sections.
    sections = np.asarray(butter(2, _BAND, "bandpass", output="sos", fs=FRAME_RATE))
    fast = sosfiltfilt(sections, weights[:, list(LIP_SHAPES)].astype(np.float64), axis=0)
    free = ~near_contact(phones, len(weights))
    return float((fast[free] ** 2).sum()), int(free.sum())

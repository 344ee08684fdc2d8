"""Real mouths: lip gap and mouth width tracked in a video of one face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.sync import MEASURES

EYE_DISTANCE = 0.063  # metres between the pupils of an average adult (Dodgson, 2004)
# Ids of the face mesh's landmarks: what is rigid when one speaks, pupils, inner lips' middle and corners.
RIGID = (10, 151, 9, 8, 168, 6, 197, 195, 33, 133, 362, 263, 127, 356, 234, 454, 4, 98, 327)
PUPILS = (468, 473)
_UPPER, _LOWER, _RIGHT, _LEFT = 13, 14, 78, 308
SEEN_SHARE = 0.5  # of the frames must show a face
_PASSES = 3


@dataclass(frozen=True)
class MouthTrack:
    """A tracked mouth; frame i is at i / fps seconds.

    Attributes:
        gap, width: [F] metres, between inner lips and inner corners, if the eyes are `EYE_DISTANCE` apart.
        seen: [F] bool; elsewhere the measures are interpolated.
    """

    fps: float
    gap: Array
    width: Array
    seen: Array

    def measures(self) -> Array:
        """[F, 5] in the order of `MEASURES`, NaN but for gap and width."""
        result = np.full((len(self.gap), len(MEASURES)), np.nan)
        result[:, MEASURES.index("gap")], result[:, MEASURES.index("width")] = self.gap, self.width
        return result


def mouth_of(landmarks: Array, fps: float, where: str) -> MouthTrack:
    """Landmarks [F, 478, 3] of a face mesh, NaN where no face was seen, any unit -> the mouth.

    The head's turns and distance are taken out by fitting what is rigid of the face to its mean.
    """
    seen = np.isfinite(landmarks).all((1, 2))
    if seen.mean() < SEEN_SHARE:
        raise InputError(
            f"{where} shows a face in {seen.mean():.0%} of its frames", "Give a video of one face"
        )
    still = _stilled(landmarks[seen])
    eyes = np.linalg.norm(still[:, PUPILS[0]] - still[:, PUPILS[1]], axis=1).mean()
    frames, known = np.arange(len(landmarks)), np.flatnonzero(seen)

    def length(a: int, b: int) -> Array:
        metres = np.linalg.norm(still[:, a] - still[:, b], axis=1) * (EYE_DISTANCE / eyes)
        return np.asarray(np.interp(frames, known, metres))

    return MouthTrack(fps, length(_UPPER, _LOWER), length(_RIGHT, _LEFT), seen)


def _stilled(landmarks: Array) -> Array:
    """[F, n, 3] -> the same, each frame turned, moved and scaled to fit the others."""
    result = landmarks - landmarks[:, RIGID].mean(1, keepdims=True)
    target = result[0, RIGID]
    for _ in range(_PASSES):
        result = np.stack([frame @ similarity(frame[list(RIGID)], target) for frame in result])
        target = result[:, RIGID].mean(0)
    return np.asarray(result)


def similarity(points: Array, target: Array) -> Array:
    """[3, 3] scaled rotation (Umeyama, 1991) that brings centred `points` [n, 3] onto `target`."""
    u, singular, v = np.linalg.svd(points.T @ target)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    return np.asarray((u * sign) @ v * ((singular * sign).sum() / (points**2).sum()))

"""A mouth over time as a few lengths that any source can give: blendshape weights, or a tracked video.

Measures of F frames are [F, 5] f64 metres in the order of `MEASURES`; a column that the source does not know
is NaN. Only the course of a measure counts: its rest value and scale differ from face to face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array

# gap: height of the opening between the lips; width: between the corners; protrusion: of the lips' borders;
# bite: lower lip to the upper incisors' edge; jaw: descent of the chin.
MEASURES: tuple[str, ...] = ("gap", "width", "protrusion", "bite", "jaw")
_POINTS: tuple[str, ...] = (
    "lip_upper_middle",
    "lip_lower_middle",
    "mouth_corner.L",
    "mouth_corner.R",
    "lip_upper_border",
    "lip_lower_border",
    "chin",
)
_INCISORS = "teeth_upper_edge"
_STILL = 3e-4  # metres; a measure that varies less counts as varying so much (our choice)
_FARTHEST = 4.0  # deviations (our choice)


@dataclass(frozen=True)
class MouthMeter:
    """The points of a face that `MEASURES` are taken from.

    Attributes:
        rest: [7, 3] f32 metres, `_POINTS` order.
        shapes: [52, 7, 3] f32 displacements at weight 1, `ARKIT_NAMES` order.
        incisors: [3] f32 middle of the upper incisors' edge; NaN where the face has no teeth.
    """

    rest: Array
    shapes: Array
    incisors: Array

    @classmethod
    def of(cls, face: FaceFile) -> MouthMeter:
        """Raises `InputError` when the face lacks a landmark."""
        missing = [name for name in _POINTS if name not in face.landmarks]
        if missing:
            raise InputError(f"face {face.id} lacks {', '.join(missing)}", "Give a face with lip landmarks")
        ids = [face.landmarks[name] for name in _POINTS]
        incisors = np.full(3, np.nan, np.float32)
        if _INCISORS in face.rings:
            ring = face.rings[_INCISORS]
            incisors = face.vertices[ring[len(ring) // 2]]
        return cls(face.vertices[ids], face.shapes[:, ids], incisors)

    def measure(self, weights: Array) -> Array:
        """[F, 52] ARKit weights -> [F, 5] measures; bite is NaN where the face has no teeth."""
        if weights.ndim != 2 or weights.shape[1] != len(ARKIT_NAMES):
            raise InputError(f"weights have shape {weights.shape}, expected (frames, {len(ARKIT_NAMES)})")
        points = self.rest + np.tensordot(weights.astype(np.float64), self.shapes.astype(np.float64), 1)
        upper, lower, left, right, upper_border, lower_border, chin = np.moveaxis(points, 1, 0)  # [F, 3] each
        return np.stack(
            [
                np.maximum(0.0, upper[:, 2] - lower[:, 2]),
                np.linalg.norm(left - right, axis=1),
                -(upper_border[:, 1] + lower_border[:, 1]) / 2.0,
                np.linalg.norm(lower - self.incisors, axis=1),
                -chin[:, 2],
            ],
            axis=1,
        )


def resampled(measures: Array, fps: float, rate: float) -> Array:
    """[F, 5] at `fps` -> [n, 5] at `rate`, linear between frames; both begin at time 0."""
    seconds = (len(measures) - 1) / fps
    at = np.arange(int(seconds * rate + 1e-6) + 1) / rate * fps
    frames = np.arange(len(measures))
    return np.stack([np.interp(at, frames, column) for column in measures.T], axis=1)


def standardised(measures: Array) -> tuple[Array, Array]:
    """[F, 5] measures -> [F, 5] f32 deviations from the median in units of their size, [5] f32 1 where known.

    A column with an unknown frame is unknown, and 0.
    """
    known = np.isfinite(measures).all(0)
    values = np.where(known, measures, 0.0)
    away = values - np.median(values, axis=0)
    size = np.maximum(np.sqrt(np.mean(away**2, axis=0)), _STILL)
    return np.clip(away / size, -_FARTHEST, _FARTHEST).astype(np.float32), known.astype(np.float32)

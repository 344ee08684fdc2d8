"""Following one face through a video's pictures: landmarks, and where the picture changes at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array

from .landmarks import LANDMARKS, DetectedFace, LandmarkSource

SIGHTING_SIZE = 3 + 3 * LANDMARKS  # numbers of a sighting
_GRID = (36, 64)  # rows and columns of picture samples that are compared
_LOOK_AGAIN = 0.2  # seconds after which a lost face is looked for: in whole pictures that is slow; our choice
_CUT = 0.15  # mean change of a picture's samples, of full scale, that is no motion; our choice
_JUMP = 0.6  # of its own size that a face does not move between frames; our choice


@dataclass(frozen=True)
class Sightings:
    """A face in F pictures, as rows of numbers, so that they can wait in a file.

    Attributes:
        rows: [F, 3 + 1434] f32: seconds from the first picture's time on, the detector's confidence (0 where
            there is no face), change of the picture since the last one (0-1), landmarks [478, 3] in pixels.
    """

    rows: Array

    @property
    def times(self) -> Array:
        """[F] f64 seconds."""
        return np.asarray(self.rows[:, 0], np.float64)

    @property
    def confidence(self) -> Array:
        """[F]."""
        return np.asarray(self.rows[:, 1])

    @property
    def landmarks(self) -> Array:
        """[F, 478, 3] pixels, NaN where there is no face: a view of the rows."""
        return self.rows[:, 3:].reshape(-1, LANDMARKS, 3)

    def cuts(self) -> tuple[int, ...]:
        """Frames at which the picture changes at once, or the face jumps."""
        change = np.asarray(self.rows[:, 2])
        known = np.flatnonzero(self.confidence > 0)
        low = np.array([self.landmarks[f, :, :2].min(0) for f in known]).reshape(-1, 2)
        high = np.array([self.landmarks[f, :, :2].max(0) for f in known]).reshape(-1, 2)
        size, middle = (high - low).max(1), (low + high) / 2
        moved = np.linalg.norm(np.diff(middle, axis=0), axis=1) / np.minimum(size[1:], size[:-1])
        grown = np.abs(np.diff(np.log(size)))
        jumps = known[1:][(np.maximum(moved, grown) > _JUMP) & (np.diff(known) <= 2)]
        return tuple(int(f) for f in np.union1d(np.flatnonzero(change > _CUT), jumps) if f > 0)


def sight(pictures: Iterable[tuple[float, Array]], source: LandmarkSource) -> Iterator[Array]:
    """Follow a face through `pictures`, each [H, W, 3] u8 sRGB with its time in seconds.

    Yields:
        A row of `Sightings` [1437] f32 per picture. One picture is in memory at a time.
    """
    last, lost = np.zeros(0), -np.inf
    for time, picture in pictures:
        samples = _samples(picture)
        change = np.abs(samples - last).mean() if len(last) else 0.0
        last = samples
        face = None
        if time - lost >= _LOOK_AGAIN or change > _CUT:
            face = source.follow(picture) or source.follow(picture)  # the second looks in the whole picture
            lost = time if face is None else -np.inf
        yield _row(time, face, float(change))


def _row(time: float, face: DetectedFace | None, change: float) -> Array:
    row = np.full(SIGHTING_SIZE, np.nan, np.float32)
    row[:3] = time, 0.0 if face is None else max(face.confidence, 1e-3), change
    if face is not None:
        row[3:] = face.landmarks.ravel()
    return row


def _samples(picture: Array) -> Array:
    """A picture's samples on a grid, full scale at 1."""
    rows, columns = (max(size // count, 1) for size, count in zip(picture.shape, _GRID, strict=False))
    return np.asarray(picture[rows // 2 :: rows, columns // 2 :: columns].astype(np.float32).ravel() / 255.0)

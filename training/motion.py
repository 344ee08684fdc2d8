"""Motion of a face that somebody recorded, tracked or keyed, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.tensorfile import Array
from models.expression.network import CONTACTS, FRAME_RATE


@dataclass(frozen=True)
class Motion:
    """F frames at 50 per second; frame i is at i / 50 s.

    Attributes:
        weights: [F, 52] f32 ARKit weights 0-1.
        contact: [F, 2] f32 bilabial and labiodental contact 0-1.
        knows_weights: [F, 52] bool: which weights are known; what is not known has no meaning.
        knows_contact: [F, 2] bool.
    """

    weights: Array
    contact: Array
    knows_weights: Array
    knows_contact: Array

    def __len__(self) -> int:
        return len(self.weights)

    def at(self, times: Array, rate: float = FRAME_RATE) -> Motion:
        """The motion at `times` [T] seconds, in between linear; outside, nothing is known.

        `rate` is that of this motion's frames, for one that is not at 50 per second yet.
        """
        place = np.asarray(times, np.float64) * rate
        place = np.where(np.abs(place - np.rint(place)) < 1e-6, np.rint(place), place)
        inside = (place > -0.5) & (place < len(self) - 0.5)
        place = np.clip(place, 0.0, len(self) - 1)
        low, high = np.floor(place).astype(np.int64), np.ceil(place).astype(np.int64)
        share = (place - low)[:, None].astype(np.float32)
        return Motion(
            weights=self.weights[low] * (1 - share) + self.weights[high] * share,
            contact=self.contact[low] * (1 - share) + self.contact[high] * share,
            knows_weights=self.knows_weights[low] & self.knows_weights[high] & inside[:, None],
            knows_contact=self.knows_contact[low] & self.knows_contact[high] & inside[:, None],
        )


def unknown_motion(frames: int) -> Motion:
    """[F] frames of which nothing is known."""
    return Motion(
        weights=np.zeros((frames, len(ARKIT_NAMES)), np.float32),
        contact=np.zeros((frames, CONTACTS), np.float32),
        knows_weights=np.zeros((frames, len(ARKIT_NAMES)), bool),
        knows_contact=np.zeros((frames, CONTACTS), bool),
    )


def with_known(derived: Array, recorded: Array, known: Array) -> Array:
    """What was recorded where it is known, what was derived from phones elsewhere; all of one shape."""
    return np.where(known, recorded, derived).astype(np.float32)

"""What a portrait's picture does not show: the mouth's inside, the eyes in new directions, closing lids."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array

from .eyes import Eye
from .mouth import InnerMouth
from .tones import linear, measure_tones
from .view import Driven, Overlay, Reference


class Inside:
    """Everything that is painted over the warped picture of one portrait.

    Attributes:
        tones: colours measured in the picture.
        notes: what the user should know of this picture.
    """

    def __init__(self, reference: Reference, landmarks: Array) -> None:
        """`landmarks` [478, 2 or 3] of the face in the reference's pixels."""
        marks = np.asarray(landmarks, np.float64)[:, :2]
        rings = reference.face.rings
        self._eyes = [Eye(reference, marks, k) for k in "RL" if f"lid_upper.{k}" in rings]
        whites = [eye.whites() for eye in self._eyes] or [np.zeros((0, 3), np.float32)]
        self.tones = measure_tones(reference, linear(np.concatenate(whites)))
        self._mouth = InnerMouth(reference, self.tones) if "lip_upper" in rings else None
        self.notes = _notes(self._eyes)

    def draw(self, driven: Driven) -> tuple[Overlay, ...]:
        """Layers of a frame, bottom to top, premultiplied sRGB code 0-255."""
        layers = [eye.draw(driven) for eye in self._eyes]
        if self._mouth is not None:
            layers.append(self._mouth.draw(driven))
        return tuple(layer for layer in layers if layer is not None)


def _notes(eyes: list[Eye]) -> tuple[str, ...]:
    if any(eye.shut for eye in eyes):
        return ("the eyes of the picture are closed: they stay closed",)
    return ()

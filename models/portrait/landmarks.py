"""Where faces and their landmarks are in a picture: one interface for every detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from blender_addon.protocol.tensorfile import Array

LANDMARKS = 478  # of the face mesh: 468 of the skin, then five each of the subject's right and left iris


@dataclass(frozen=True)
class DetectedFace:
    """A face in a picture.

    Attributes:
        box: left, top, width, height, pixels.
        landmarks: [478, 3] f32 pixels: right, down, away (depth of the same scale, about the face's middle).
        confidence: 0-1.
    """

    box: tuple[float, float, float, float]
    landmarks: Array
    confidence: float


class LandmarkSource(Protocol):
    """A detector."""

    def detect(self, picture: Array) -> list[DetectedFace]:
        """All faces of a picture [H, W, 3] u8 sRGB, the largest first."""
        ...

    def follow(self, picture: Array) -> DetectedFace | None:
        """The same face in the next picture of a video, the largest where there is none to follow."""
        ...

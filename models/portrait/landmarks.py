"""Where faces and their landmarks are in a picture: one interface for every detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from blender_addon.protocol.tensorfile import Array

LANDMARKS = 478  # of the face mesh: 468 of the skin, then five each of the subject's right and left iris

# Ids of the face mesh, as its documentation draws them. Outline, from the forehead's middle by the left ear:
FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152),
    *(148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
# Inner edge of the lips, from the right corner to the left; the corners stand with the upper lip.
INNER_LIP_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LIP_LOWER = (95, 88, 178, 87, 14, 317, 402, 318, 324)
# Lid margins, upper and lower, from the outer corner to the inner; both corners stand with the upper lid.
EYE_CONTOURS = {
    "R": ((33, 246, 161, 160, 159, 158, 157, 173, 133), (7, 163, 144, 145, 153, 154, 155)),
    "L": ((263, 466, 388, 387, 386, 385, 384, 398, 362), (249, 390, 373, 374, 380, 381, 382)),
}
IRIS_RIGHT, IRIS_LEFT = (468, 469, 470, 471, 472), (473, 474, 475, 476, 477)  # centre, then the border
IRISES = IRIS_RIGHT + IRIS_LEFT


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

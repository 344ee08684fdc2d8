"""What drives one picture."""

from __future__ import annotations

from dataclasses import dataclass

from blender_addon.protocol.tensorfile import Array


@dataclass(frozen=True)
class FrameMotion:
    """The motion of one frame, absolute, of the portrait's own head.

    Attributes:
        weights: [52] 0-1, the portrait's own expression included.
        lip: [K] coefficients of the face's lip basis, or [0].
        pose: [6] rotation vector and translation about the face's pivot, relative to the portrait's pose.
        gaze: [4] radians, or [0] where the eyes look as in the portrait.
    """

    weights: Array
    lip: Array
    pose: Array
    gaze: Array

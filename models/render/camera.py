"""Perspective cameras in the face file's frame (metres, +Z up, the face looks along -Y)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array


@dataclass(frozen=True)
class Camera:
    """A camera that orbits `target`.

    Attributes:
        target: the point in the middle of the picture, metres.
        span: height (or width, if smaller) of what the picture shows at the target's distance, metres.
        distance: from the target, metres.
        yaw: degrees about +Z; positive moves the camera toward the subject's left.
        pitch: degrees; positive moves the camera up.
    """

    target: tuple[float, float, float] = (0.0, -0.02, -0.014)
    span: float = 0.315
    distance: float = 0.95
    yaw: float = -9.0
    pitch: float = 2.0

    def __post_init__(self) -> None:
        if self.span <= 0 or self.distance <= 0:
            raise InputError(f"a camera needs a positive span and distance, not {self.span}, {self.distance}")

    def axes(self) -> Array:
        """Rows right, down, forward of the view in world coordinates, [3, 3] f64."""
        yaw, pitch = math.radians(self.yaw), math.radians(self.pitch)
        toward = np.array(
            [math.sin(yaw) * math.cos(pitch), -math.cos(yaw) * math.cos(pitch), math.sin(pitch)]
        )
        right = np.array([math.cos(yaw), math.sin(yaw), 0.0])
        return np.stack([right, np.cross(toward, right) * -1.0, -toward])

    def position(self) -> Array:
        """Where the camera stands, [3] f64 metres."""
        place: Array = np.array(self.target) - self.axes()[2] * self.distance
        return place

    def project(self, vertices: Array, width: int, height: int) -> Array:
        """World `vertices` [V, 3] -> screen points [V, 3] f32: x, y in pixels (y down), depth in metres."""
        view = (vertices - np.array(self.target, np.float32)) @ self.axes().T.astype(np.float32)
        depth = view[:, 2] + np.float32(self.distance)
        focal = min(width, height) * self.distance / self.span
        scale = np.float32(focal) / np.maximum(depth, np.float32(1e-9))
        x = np.float32(width / 2) + view[:, 0] * scale
        y = np.float32(height / 2) + view[:, 1] * scale
        points: Array = np.stack([x, y, depth], 1).astype(np.float32)
        return points


@dataclass(frozen=True)
class Pinhole:
    """The camera of a given picture, with the pose of the head in it.

    A point p of the face file's rest frame is seen at `rotation @ p + translation`: right, down, forward.

    Attributes:
        rotation: [3, 3] f64, a rotation: rows right, down, forward of the view.
        translation: [3] f64 metres.
        focal: pixels.
        centre: where the axis meets the picture, pixels; pixel centres are at +0.5.
    """

    rotation: Array
    translation: Array
    focal: float
    centre: tuple[float, float]

    def __post_init__(self) -> None:
        if self.focal <= 0:
            raise InputError(f"a camera needs a positive focal length, not {self.focal:g}")

    def view(self, vertices: Array) -> Array:
        """Points [..., 3] in the camera's axes, metres: right, down, forward."""
        seen: Array = vertices @ self.rotation.T + self.translation
        return seen

    def project(self, vertices: Array) -> Array:
        """`vertices` [V, 3] -> screen points [V, 3] f32: x, y in pixels (y down), depth in metres."""
        seen = self.view(vertices)
        scale = self.focal / np.maximum(seen[:, 2], 1e-9)
        points = np.stack([*(seen[:, :2].T * scale + np.array(self.centre)[:, None]), seen[:, 2]], 1)
        screen: Array = points.astype(np.float32)
        return screen

    def cropped(self, left: float, top: float, scale: float) -> Pinhole:
        """The camera of the part that begins at `left`, `top` pixels, enlarged by `scale`."""
        x, y = self.centre
        return replace(self, focal=self.focal * scale, centre=((x - left) * scale, (y - top) * scale))

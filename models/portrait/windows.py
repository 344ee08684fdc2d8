"""Square parts of a picture, turned and scaled, in which a face is looked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from blender_addon.protocol.errors import MissingExtraError
from blender_addon.protocol.tensorfile import Array

_FACE_PIXELS = 384  # side of the square in which a face is measured; the mesh model reads about half of it
_SEARCH_PIXELS = 512  # side of the squares in which faces are looked for; the detectors read 128 and 192
_BOX_SHARE = 0.5  # of the square that a detection's box fills
_MESH_SHARE = 0.55  # of the square that the larger side of a face's landmarks fills
_TILES = (2, 4)  # parts per side of the picture, overlapping by half
_TURNS = (-40, 40, -80, 80, 120, -120, 180)  # degrees; the detectors find faces up to about 45 from upright


@dataclass(frozen=True)
class Window:
    """A square of a picture.

    Attributes:
        centre: pixels; side: of the square, pixels of the picture.
        angle: radians by which its upper edge is turned, positive clockwise on the screen.
        pixels: what it is scaled to.
    """

    centre: tuple[float, float]
    side: float
    angle: float
    pixels: int

    @staticmethod
    def whole(picture: Array) -> Window:
        """The square that holds all of `picture`."""
        height, width = picture.shape[:2]
        return Window((width / 2, height / 2), max(height, width), 0.0, _SEARCH_PIXELS)

    def _axes(self) -> Array:
        """[2, 2] columns: what a pixel right and a pixel down in the window are in the picture."""
        step = self.side / self.pixels
        c, s = math.cos(self.angle) * step, math.sin(self.angle) * step
        return np.array([[c, -s], [s, c]])

    def back(self, points: Array) -> Array:
        """Points [n, 2 or 3] of the window, in the picture's pixels."""
        flat = (points[:, :2] - self.pixels / 2) @ self._axes().T + self.centre
        if points.shape[1] == 2:
            return np.asarray(flat)
        return np.column_stack([flat, points[:, 2] * (self.side / self.pixels)])

    def cut(self, picture: Array) -> Array:
        """The window's pixels [pixels, pixels, 3] u8; grey where the picture has none."""
        cv2 = _cv2()
        source, step = picture, self.side / self.pixels
        shrink = max(int(step), 1)
        if shrink > 1:  # the warp takes one sample per pixel: average before
            height, width = picture.shape[:2]
            size = (max(width // shrink, 1), max(height // shrink, 1))
            source = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        scale = np.array([source.shape[1] / picture.shape[1], source.shape[0] / picture.shape[0]])
        axes = self._axes()
        origin = np.array(self.centre) - axes @ np.full(2, self.pixels / 2 - 0.5)
        matrix = np.column_stack([axes, origin]) * scale[:, None]
        matrix[:, 2] -= 0.5
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        grey = (127, 127, 127)
        part = cv2.warpAffine(
            source,
            matrix,
            (self.pixels, self.pixels),
            flags=flags,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=grey,
        )
        return np.asarray(part)

    def near(self, other: Window, share: float) -> bool:
        """Both are about as large, and apart by less than `share` of the larger one's side."""
        apart = math.dist(self.centre, other.centre) / max(self.side, other.side)
        turned = math.remainder(self.angle - other.angle, 2 * math.pi)
        return apart < share and abs(math.log(self.side / other.side)) < math.log(1.5) and abs(turned) < 0.5


def box_window(place: Array, size: float, angle: float) -> Window:
    """The window in which a detected box of `size` about `place` [2] stands upright."""
    return Window((float(place[0]), float(place[1])), size / _BOX_SHARE, angle, _FACE_PIXELS)


def landmark_window(landmarks: Array) -> Window:
    """The window in which the face of landmarks [478, 2 or 3] stands upright."""
    angle = upright_angle(landmarks[33], landmarks[263])
    c, s = math.cos(angle), math.sin(angle)
    upright = landmarks[:, :2] @ np.array([[c, -s], [s, c]])
    low, high = upright.min(0), upright.max(0)
    centre = np.array([[c, -s], [s, c]]) @ ((low + high) / 2)
    side = float((high - low).max()) / _MESH_SHARE
    return Window((float(centre[0]), float(centre[1])), max(side, 1.0), angle, _FACE_PIXELS)


def upright_angle(right_eye: Array, left_eye: Array) -> float:
    """Radians by which a face with these eyes is turned, positive clockwise on the screen."""
    across = left_eye[:2] - right_eye[:2]
    return math.atan2(float(across[1]), float(across[0]))


def tile_windows(picture: Array) -> list[Window]:
    """Parts of a picture, which overlap by half: for faces that are small in it."""
    height, width = picture.shape[:2]
    windows = []
    for parts in _TILES:
        side = max(height, width) / parts
        for y in np.arange(0, max(height - side / 2, 1), side / 2):
            for x in np.arange(0, max(width - side / 2, 1), side / 2):
                windows.append(Window((x + side / 2, y + side / 2), side, 0.0, _SEARCH_PIXELS))
    return windows


def rotated_windows(picture: Array) -> list[Window]:
    """The whole picture, turned in steps."""
    whole = Window.whole(picture)
    return [Window(whole.centre, whole.side, math.radians(turn), whole.pixels) for turn in _TURNS]


def _cv2() -> Any:
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "cutting a face out of a picture needs opencv, which is not installed",
            "Install it with: pip install -e .[portrait]",
        ) from error
    return cv2

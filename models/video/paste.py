"""The square part of a picture that is animated, and its way back into the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array

from .regions import smoothstep

# Our choice: the crop's side in heights of the head's mesh without its neck, and where in it the head's
# middle lies, from the top.
HEAD_SHARE, HEAD_MIDDLE = 1.75, 0.46
SEAM = 0.04  # parts of the side over which the crop fades into the picture


@dataclass(frozen=True)
class Box:
    """A square of a picture, pixels; it may reach beyond the picture."""

    left: int
    top: int
    side: int

    def inside(self, width: int, height: int) -> tuple[slice, slice, slice, slice]:
        """Rows and columns of the picture, then of the square, where both are."""
        x0, x1 = max(self.left, 0), min(self.left + self.side, width)
        y0, y1 = max(self.top, 0), min(self.top + self.side, height)
        return (
            slice(y0, y1),
            slice(x0, x1),
            slice(y0 - self.top, y1 - self.top),
            slice(x0 - self.left, x1 - self.left),
        )


def head_box(points: Array, width: int, height: int) -> Box:
    """The square round a head's screen `points` [n, 2+], moved into the picture as far as it fits."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    wanted = float((high - low).max()) * HEAD_SHARE
    # A square that fits the picture is preferred unless it would cut the head.
    side = max(round(min(wanted, max(min(width, height), wanted / 1.55))), 8)
    middle = (low + high) / 2
    left, top = middle[0] - side / 2, middle[1] - HEAD_MIDDLE * side
    left = np.clip(left, min(0, width - side), max(0, width - side))
    top = np.clip(top, min(0, height - side), max(0, height - side))
    return Box(round(float(left)), round(float(top)), side)


def cut(picture: Array, box: Box) -> Array:
    """[side, side, C] of `picture` [H, W, C]; beyond its edges they are repeated."""
    height, width = picture.shape[:2]
    rows = np.clip(np.arange(box.top, box.top + box.side), 0, height - 1)
    columns = np.clip(np.arange(box.left, box.left + box.side), 0, width - 1)
    return np.ascontiguousarray(picture[rows][:, columns])


def resized(image: Array, side: int) -> Array:
    """A square `image` at `side` pixels: averaged down, or enlarged by a cubic."""
    import cv2

    if image.shape[0] == side:
        return image
    method = cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_CUBIC
    result: Array = cv2.resize(image, (side, side), interpolation=method)
    return result


@dataclass(frozen=True)
class Ends:
    """Where a crop of `side` pixels shows the picture, and which of these ends are only the crop's.

    Attributes:
        left, right, top, bottom: the ends; pixels of the crop. cut_left ...: the picture goes on beyond.
    """

    side: int
    left: float
    right: float
    top: float
    bottom: float
    cut_left: bool
    cut_right: bool
    cut_top: bool
    cut_bottom: bool

    @staticmethod
    def of(box: Box, width: int, height: int, side: int) -> Ends:
        """The ends of `box` in a picture, in a crop drawn with `side` pixels."""
        scale = side / box.side
        return Ends(
            side,
            max(0, -box.left) * scale,
            min(box.side, width - box.left) * scale,
            max(0, -box.top) * scale,
            min(box.side, height - box.top) * scale,
            box.left > 0,
            box.left + box.side < width,
            box.top > 0,
            box.top + box.side < height,
        )

    def ramp(self, reach: float, every_end: bool, across: bool) -> Array:
        """[side] f32: 0 at the ends, 1 from `reach` parts of the side inwards.

        `across` for left and right, else for top and bottom; not `every_end`: at the crop's own ends only.
        """
        low, high = (self.left, self.right) if across else (self.top, self.bottom)
        cut = (self.cut_left, self.cut_right) if across else (self.cut_top, self.cut_bottom)
        steps = np.arange(self.side) + 0.5
        result = np.ones(self.side)
        for end, sign, own in ((low, 1, cut[0]), (high, -1, cut[1])):
            if own or every_end:
                result = np.minimum(result, smoothstep(sign * (steps - end) / self.side, 0.0, reach))
        return result.astype(np.float32)


def seam(ends: Ends) -> Array:
    """[side, side] f32: 0 where the crop ends and the picture goes on, 1 from `SEAM` inwards."""
    result: Array = np.minimum.outer(ends.ramp(SEAM, False, False), ends.ramp(SEAM, False, True))
    return result

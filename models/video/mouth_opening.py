"""Where a mouth is open in a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel

from .eye_frame import EyeFrame

_COLUMNS = 96
_SHUT = (0.3, 1.0)  # pixels of opening between which the inside begins to show
_OUTER_RINGS = (7,)  # of the lips, may hide the line behind them seen from above or below


@dataclass(frozen=True)
class Outline:
    """The opening between the lips in one picture, over the line between the mouth's corners.

    Attributes:
        frame: axes; upper, lower: [_COLUMNS] f64 pixels below the line, upper <= lower.
    """

    frame: EyeFrame
    upper: Array
    lower: Array

    def box(self, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
        """Left, top, right, bottom of what is open within a picture, None where nothing is."""
        open_ = self.lower - self.upper > _SHUT[0]
        if not open_.any():
            return None
        s = np.linspace(0, 1, _COLUMNS)[open_]
        places = np.concatenate([self.frame.at(s, self.upper[open_]), self.frame.at(s, self.lower[open_])])
        left, top = np.maximum(np.floor(places.min(0)).astype(int) - 2, 0)
        right, bottom = np.minimum(np.ceil(places.max(0)).astype(int) + 3, (shape[1], shape[0]))
        return (int(left), int(top), int(right), int(bottom)) if right > left and bottom > top else None

    @property
    def tallest(self) -> float:
        """Greatest opening over the width."""
        return float(np.max(self.lower - self.upper)) / self.frame.width

    def raised(self, by: float) -> Outline:
        """The same with the upper edge `by` pixels higher where it is open."""
        arch = np.minimum((self.lower - self.upper) / max(by, 1e-6), 1.0)
        return replace(self, upper=self.upper - by * arch)

    def coverage(self, box: tuple[int, int, int, int]) -> Array:
        """[h, w] f32 of a box: 0 outside the opening, soft over a pixel at its edge."""
        left, top, right, bottom = box
        out = np.zeros((bottom - top, right - left), np.float32)
        _cover(self.upper, self.lower, self.frame.row(), left, top, out)
        return out


class Opening:
    """Finds the opening between the lips of one face's mesh."""

    def __init__(self, face: FaceFile) -> None:
        rings = face.rings
        self._upper = [
            rings[n] for n in ("lip_upper", *(f"lip_upper.{k}" for k in _OUTER_RINGS)) if n in rings
        ]
        self._lower = [
            rings[n] for n in ("lip_lower", *(f"lip_lower.{k}" for k in _OUTER_RINGS)) if n in rings
        ]

    def outline(self, points: Array) -> Outline:
        """The opening at screen `points` [V, 3]."""
        line = self._upper[0]
        frame = EyeFrame.of(points[line[0], :2], points[line[-1], :2])
        upper = np.max([_curve(frame, points[ring, :2]) for ring in self._upper], 0)
        lower = np.min([_curve(frame, points[ring, :2]) for ring in self._lower], 0)
        return Outline(frame, np.minimum(upper, lower), lower)


def _curve(frame: EyeFrame, points: Array) -> Array:
    """v over s = 0 .. 1 of the curve through screen points [n, 2]."""
    s, v = frame.within(points)
    order = np.argsort(s, kind="stable")
    curve: Array = np.interp(np.linspace(0, 1, _COLUMNS), s[order], v[order])
    return curve


@kernel
def _cover(upper: Array, lower: Array, frame: Array, left: int, top: int, out: Array) -> None:
    """Share of each pixel's column between the curves, fading out where they are closer than a pixel."""
    last = upper.shape[0] - 1
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            px, py = left + x + 0.5 - frame[0], top + y + 0.5 - frame[1]
            place = (px * frame[2] + py * frame[3]) / frame[6] * last
            if place < 0.0 or place > last:
                continue
            v = px * frame[4] + py * frame[5]
            i = min(int(place), last - 1)
            part = place - i
            high = upper[i] + (upper[i + 1] - upper[i]) * part
            low = lower[i] + (lower[i + 1] - lower[i]) * part
            shown = min(max(low - v + 0.5, 0.0), 1.0) - min(max(high - v + 0.5, 0.0), 1.0)
            t = min(max((low - high - 0.3) / 0.7, 0.0), 1.0)
            out[y, x] = max(shown, 0.0) * t * t * (3.0 - 2.0 * t)

"""An eye's opening as curves over the line between its corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array

COLUMNS = 64  # of the curves' tables


@dataclass(frozen=True)
class EyeFrame:
    """Axes of one eye in a picture; a pixel lies at corner + across * (s * width) + down * v.

    Attributes:
        corner: [2] the inner corner, pixels; across: [2] unit, to the outer corner; down: [2] unit.
        width: between the corners, pixels.
    """

    corner: Array
    across: Array
    down: Array
    width: float

    @staticmethod
    def of(inner: Array, outer: Array) -> EyeFrame:
        """The frame between two screen points [2]; down points down the picture."""
        line = (outer - inner).astype(np.float64)
        width = max(float(np.linalg.norm(line)), 1.0)
        across = line / width
        down = np.array([-across[1], across[0]])
        if down[1] < 0:
            down = -down
        return EyeFrame(inner.astype(np.float64), across, down, width)

    def within(self, points: Array) -> tuple[Array, Array]:
        """s (0 inner .. 1 outer corner) and v (pixels below the line) of screen points [n, 2]."""
        relative = points - self.corner
        return relative @ self.across / self.width, relative @ self.down

    def at(self, s: Array, v: Array) -> Array:
        """Screen points [n, 2] f32."""
        place = self.corner + np.outer(s * self.width, self.across) + np.outer(v, self.down)
        placed: Array = np.asarray(place, np.float32)
        return placed

    def row(self) -> Array:
        """[7] f64 corner, across, down, width, for kernels."""
        return np.array([*self.corner, *self.across, *self.down, self.width])


def table(frame: EyeFrame, points: Array) -> Array:
    """[COLUMNS] f64: v of the curve through screen `points` [n, 2] at s = 0 .. 1."""
    s, v = frame.within(points)
    order = np.argsort(s, kind="stable")
    curve: Array = np.interp(np.linspace(0.0, 1.0, COLUMNS), s[order], v[order])
    return curve

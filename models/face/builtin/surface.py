"""The head's smooth surface without lids, lips or ears: skull sections moved through the face's points.

Coordinates on it are an angle (0 front, pi back) and a row height. A thin-plate spline over the sections'
own 3-D points carries them to the face's, so the surface has no seam.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline, PchipInterpolator, RBFInterpolator
from scipy.spatial import cKDTree

from .anatomy import SECTIONS, face_points
from .mesh import FLIP, Floats

_HEIGHTS = np.array([row[0] for row in SECTIONS])[::-1]
_FRONT, _SIDE, _BACK = (
    PchipInterpolator(_HEIGHTS, np.array([row[part] for row in SECTIONS])[::-1]) for part in (1, 2, 3)
)
_SMOOTHING = 0.14  # lets the spline pass up to about a millimetre beside a point


def sections(angle: Floats, height: Floats) -> Floats:
    """Featureless head [N, 3] at `angle` [N] and row `height` [N]."""
    front, side, back = _FRONT(height), _SIDE(height), _BACK(height)
    sign, angle = np.sign(angle), np.abs(angle)
    cosine, ahead = np.cos(angle), angle <= np.pi / 2
    end_y, end_z = np.where(ahead[:, None], front, back).T
    x = sign * side[:, 0] * np.abs(np.sin(angle)) ** np.where(ahead, 1.0, 0.9)
    y = side[:, 1] + (end_y - side[:, 1]) * cosine**2
    z = side[:, 2] + (end_z - side[:, 2]) * np.abs(cosine)
    return np.stack([x, y, z], 1)


def _held_places() -> Floats:
    """Angles and heights [N, 2] where the surface stays on the sections: skull, nape, collar."""
    around = np.radians([0, 30, 60, 90, 120, 150, 180])
    back = np.radians([108, 130, 155, 180])
    places = [(a, t) for t in (-25, -23.5, -21.5, -19.5, -17.5) for a in around]
    places += [(a, t) for t in (-14, -11, -8, -5, -2, 1, 4, 7, 10) for a in back]
    places += [(np.radians(88), t) for t in (2.5, 5)]
    places += [(a, t) for t in (8.5, 11, 14) for a in np.radians([0, 30, 60, 90])]
    return np.array(places)


class Surface:
    """Maps angle and height to points of the head."""

    def __init__(self) -> None:
        points = face_points()
        angle, height = np.meshgrid(np.linspace(0, np.pi, 721), np.linspace(-25.1, 15.8, 1201), indexing="ij")
        angle, height = angle.ravel(), height.ravel()
        nearest = cKDTree(sections(angle + 1e-9, height)).query(points)[1]
        held = _held_places()
        angle = np.concatenate([angle[nearest], held[:, 0]])
        height = np.concatenate([height[nearest], held[:, 1]])
        base = sections(angle, height)
        move = np.concatenate([points - base[: len(points)], np.zeros((len(held), 3))])
        side = base[:, 0] > 0.02
        move[~side, 0] = 0
        base = np.concatenate([base, base[side] * FLIP])
        move = np.concatenate([move, move[side] * FLIP])
        self._spline = RBFInterpolator(base, move, kernel="thin_plate_spline", smoothing=_SMOOTHING)

    def __call__(self, angle: npt.ArrayLike, height: npt.ArrayLike) -> Floats:
        """Points [N, 3]; exactly on the midline where the angle is 0 or pi."""
        base = sections(np.asarray(angle, float), np.asarray(height, float))
        points: Floats = base + self._spline(base)
        points[np.abs(base[:, 0]) < 1e-6, 0] = 0
        return points

    def above(self, target: Floats, angle: Floats, height: Floats) -> Floats:
        """Points [N, 3] of the front over `target` (x, y) [N, 2]: six Newton steps from a starting place."""
        angle, height, step = angle.copy(), height.copy(), 1e-3
        for _ in range(6):
            here = self(angle, height)
            by_angle = (self(angle + step, height) - here)[:, :2] / step
            by_height = (self(angle, height + step) - here)[:, :2] / step
            miss = target - here[:, :2]
            det = by_angle[:, 0] * by_height[:, 1] - by_height[:, 0] * by_angle[:, 1]
            det = np.where(np.abs(det) < 0.3, 0.3, det)
            turn = (miss[:, 0] * by_height[:, 1] - by_height[:, 0] * miss[:, 1]) / det
            rise = (by_angle[:, 0] * miss[:, 1] - miss[:, 0] * by_angle[:, 1]) / det
            angle += np.clip(turn, -0.15, 0.15)
            height += np.clip(rise, -0.8, 0.8)
        points = self(angle, height)
        points[:, :2] = target
        return points


def along(points: npt.ArrayLike, count: int) -> Floats:
    """`count` points evenly spaced by length along a cubic spline through `points`."""
    knots = np.asarray(points, float)
    chord = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    spline = CubicSpline(chord, knots)
    dense = np.linspace(0, chord[-1], 400)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(spline(dense), axis=0), axis=1))])
    result: Floats = spline(np.interp(np.linspace(0, 1, count) * length[-1], length, dense))
    return result

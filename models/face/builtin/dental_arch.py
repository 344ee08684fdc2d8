"""Where teeth stand: the dental arches and the height of the bite along them.

Crown sizes are those of dental anatomy (M. M. Ash and S. J. Nelson, Wheeler's Dental Anatomy, 8th ed. 2003),
rounded. The arch follows the lips' inner wall about a millimetre behind it and was drawn by eye; its canines
stand 33 mm apart, within a standard deviation of adult means.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline

from .mesh import Floats

# The line of the upper crowns' facial (outer) surfaces: (x, z) from the midline to behind the last molar.
_FACIAL_LINE = (
    *((0.0, 9.67), (0.45, 9.615), (0.90, 9.44), (1.35, 9.12), (1.72, 8.69), (2.0, 8.19)),
    *((2.25, 7.56), (2.47, 6.86), (2.63, 6.06), (2.72, 5.26), (2.76, 4.46)),
)
_SAMPLES = 400
INCISAL_EDGE = -6.69  # height of the upper incisors' edge
OVERBITE = 0.20  # the upper incisors overlap the lower ones by this
OVERJET = 0.22  # and stand this far in front of them
_PREMOLAR_OVERLAP, _MOLAR_OVERLAP = 0.13, 0.12  # of the facial cusps, which stand apart in depth
_OCCLUSAL_TILT = 0.055  # rise of the occlusal plane per centimetre backwards
_SPEE = 0.012  # the curve of Spee: additional rise per square centimetre


@dataclass(frozen=True)
class Tooth:
    """Sizes of a crown, cm: across (mesiodistal), high (edge to neck), deep (facial to lingual)."""

    kind: str
    width: float
    height: float
    depth: float


@dataclass(frozen=True)
class Arch:
    """One jaw's row of teeth, from the central incisor to the second molar.

    Attributes:
        inset: distance of its facial line behind the upper jaw's.
        bite: -1 where crowns point down (upper jaw), 1 where they point up.
    """

    teeth: tuple[Tooth, ...]
    inset: float
    bite: int

    @property
    def starts(self) -> Floats:
        """[8] arc length at which each tooth begins, and where the last one ends."""
        return np.concatenate([[0], np.cumsum([tooth.width for tooth in self.teeth])])

    def at(self, place: float) -> tuple[Floats, Floats]:
        """Point (x, z) of the facial line at arc length `place` (left side), and its outward direction."""
        length, points, outward = _line(self.inset)
        x, z = (np.interp(place, length, points[:, axis]) for axis in (0, 1))
        out = np.array([np.interp(place, length, outward[:, axis]) for axis in (0, 1)])
        return np.array([x, z]), out / np.linalg.norm(out)

    def tip(self, place: float) -> float:
        """Height of the edge or of the facial cusps at arc length `place`."""
        behind = _FACIAL_LINE[0][1] - self.inset - self.at(place)[0][1]
        upper = INCISAL_EDGE + _OCCLUSAL_TILT * behind + _SPEE * behind**2
        if self.bite < 0:
            return float(upper)
        overlaps = [OVERBITE, OVERBITE, _PREMOLAR_OVERLAP, _MOLAR_OVERLAP]
        return float(upper + np.interp(place, [0, 1.6, 2.6, 3.6], overlaps))


UPPER = Arch(
    (
        Tooth("central", 0.85, 1.05, 0.70),
        Tooth("lateral", 0.65, 0.90, 0.60),
        Tooth("canine", 0.75, 1.00, 0.80),
        Tooth("premolar", 0.70, 0.85, 0.90),
        Tooth("premolar", 0.68, 0.83, 0.90),
        Tooth("molar", 1.00, 0.75, 1.08),
        Tooth("molar", 0.92, 0.70, 1.06),
    ),
    0.0,
    -1,
)
LOWER = Arch(
    (
        Tooth("lower incisor", 0.52, 0.90, 0.58),
        Tooth("lower incisor", 0.57, 0.93, 0.60),
        Tooth("canine", 0.68, 1.05, 0.74),
        Tooth("premolar", 0.70, 0.85, 0.76),
        Tooth("premolar", 0.70, 0.80, 0.80),
        Tooth("molar", 1.08, 0.75, 1.02),
        Tooth("molar", 1.02, 0.70, 1.0),
    ),
    OVERJET,
    1,
)


def in_front(points: Floats, clearance: float) -> Floats:
    """`points` [n, 3] pushed forward and outward where they are not `clearance` cm outside the upper arch."""
    _, line, outward = _line(-clearance)
    side = np.where(points[:, 0] < 0, -1.0, 1.0)
    plan = np.stack([points[:, 0] * side, points[:, 2]], 1)
    nearest = np.linalg.norm(plan[:, None] - line[None], axis=2).argmin(1)
    outside = ((plan - line[nearest]) * outward[nearest]).sum(1)
    pushed = plan + np.clip(-outside, 0, None)[:, None] * outward[nearest]
    result = points.copy()
    result[:, 0], result[:, 2] = pushed[:, 0] * side, pushed[:, 1]
    return result


@lru_cache(maxsize=8)
def _line(inset: float) -> tuple[Floats, Floats, Floats]:
    """Arc length [n], points [n, 2] and outward directions [n, 2] of the facial line moved in by `inset`."""
    knots = np.array(_FACIAL_LINE)
    chord = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    spline = CubicSpline(chord, knots, bc_type=((1, (1.0, 0.0)), "not-a-knot"))
    dense = np.linspace(0, chord[-1], _SAMPLES)
    along = spline(dense, 1)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    outward = np.stack([-along[:, 1], along[:, 0]], 1)
    points = spline(dense) - inset * outward
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return length, points, outward

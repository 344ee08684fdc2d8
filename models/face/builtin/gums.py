"""Gums: a tube along the arch that rises between teeth to papillae and bulges over their roots."""

from __future__ import annotations

import numpy as np

from .dental_arch import Arch
from .mesh import FLIP, Floats, Ints
from .pieces import tube_quads

_PER_TOOTH = 4
_MARGIN = (0.46, 0.14, 0.06, 0.14)  # height of the gum on the crown: between teeth, quarter, middle, quarter
_OUT = (-0.035, 0.0, 0.02, 0.0)  # how far it stands out there, over the roots and between them
# Around the tube from deep facial to deep lingual: behind the facial line (cm) or share of the depth, and
# height: share of the way from the depth (0) to the margin (1).
_SECTION = (
    *((0.26, 0.0, 0.0), (0.085, 0.0, 0.42), (0.055, 0.0, 0.75), (0.075, 0.0, 0.93)),
    *((0.13, 0.0, 1.0), (0.0, 0.35, 1.02), (0.0, 0.70, 1.02), (-0.06, 1.0, 1.0)),
    *((0.0, 1.0, 0.90), (0.06, 1.0, 0.5), (0.16, 1.0, 0.0)),
)
_LEAN = {
    -1: 0.0,
    1: 0.22,
}  # how far its facial side falls back in the depth: the lip under the lower teeth is thin
_DEEP = {-1: 0.62, 1: 0.45}  # from the necks to the gum's deep border, upper and lower


def gum(arch: Arch) -> tuple[Floats, Ints]:
    """Vertices and quads of a jaw's gum, from the right end to the left."""
    left = np.array([_section(arch, station) for station in range(len(arch.teeth) * _PER_TOOTH + 1)])
    right = left[:0:-1] * FLIP
    left[0, :, 0] = 0
    sections = np.concatenate([right, left])
    return sections.reshape(-1, 3), tube_quads(len(sections), len(_SECTION))


def _section(arch: Arch, station: int) -> Floats:
    """One cross-section [columns, 3]; station 0 is the midline."""
    number, quarter = divmod(station, _PER_TOOTH)
    here = arch.teeth[min(number, len(arch.teeth) - 1)]
    before = arch.teeth[max(number - 1, 0)] if quarter == 0 else here
    place = arch.starts[number] + quarter / _PER_TOOTH * here.width
    centre, out = arch.at(place)
    height, depth = (here.height + before.height) / 2, (here.depth + before.depth) / 2
    neck = arch.tip(place) - arch.bite * height
    margin = neck + arch.bite * height * _MARGIN[quarter]
    deep = neck - arch.bite * _DEEP[arch.bite]
    back, share, up = np.array(_SECTION).T
    behind = back + share * depth - _OUT[quarter] * np.where(share > 0.9, -1, 1)
    behind += _LEAN[arch.bite] * (1 - up) ** 2 * (share < 0.1)
    at = centre - np.outer(behind, out)
    return np.stack([at[:, 0], deep + (margin - deep) * up, at[:, 1]], 1)

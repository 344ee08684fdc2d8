"""What the lips must not do: cross each other, or pass through a tooth. Displacements that push them apart."""

from __future__ import annotations

import numpy as np

from ..protocol.tensorfile import Array
from .posed import Pairing, TeethAt, look_up
from .profiles import LINE, ROWS
from .seal import LOWER_SHARE, at_least_zero, smoothstep

_HIDDEN = 0.25e-3  # metres that the lips may overlap behind the lip line
_ROUND = 0.05e-3
_TOOTH_SKIN = 0.4e-3  # metres kept between lip and tooth
_TOOTH_ROUND = 0.3e-3
_OVER_EDGE = 0.6e-3  # metres round the biting edge over which a tooth begins to push
_GROUPS = ((1,), (2,), (3, 4), (4, 5, 6), (6, 7))  # rows that each handle row must keep out of teeth


def lips_apart(profiles: Array, pairing: Pairing) -> Array:
    """[F, 2, 5, N - 2, 3]: columns of crossed lips move up and down until the lips touch."""
    other = pairing.other(profiles)
    allowance = np.where(np.arange(len(ROWS)) > LINE, _HIDDEN, 0.0).astype(profiles.dtype)
    lower_in_upper = _overlap(profiles[:, 1], other[:, 1], allowance, 1.0)
    upper_in_lower = _overlap(profiles[:, 0], other[:, 0], allowance, -1.0)
    own = np.stack([upper_in_lower, lower_in_upper], 1)[:, :, None, :, None]
    depth = np.maximum(own, pairing.other(own))[:, :, 0, 1:-1, 0]
    push = at_least_zero(depth, _ROUND)
    out = np.zeros((*push.shape[:2], 5, push.shape[2], 3), profiles.dtype)
    out[:, 0, :, :, 2] = (1 - LOWER_SHARE) * push[:, 0, None]
    out[:, 1, :, :, 2] = -LOWER_SHARE * push[:, 1, None]
    return out


def _overlap(own: Array, other: Array, allowance: Array, sign: float) -> Array:
    """[F, N] how far the points of one profile lie beyond the other's outline, at their own depth.

    `sign` is 1 where `own` [F, R, N, 3] is the lower lip (too high is beyond), -1 where it is the upper.
    """
    depth, height = -own[..., 1], sign * own[..., 2]
    line_depth, line_height = -other[..., 1], sign * other[..., 2]
    start, run = line_depth[:, :-1, None], np.diff(line_depth, axis=1)[:, :, None]
    run = np.where(np.abs(run) < 1e-7, 1e-7, run)
    share = (depth[:, None] - start) / run  # [F, R - 1, R, N]
    crossed = line_height[:, :-1, None] + share * np.diff(line_height, axis=1)[:, :, None]
    crossed = np.where((share >= 0) & (share <= 1), crossed, 1.0)
    beyond = height - crossed.min(1) - allowance[:, None]
    deepest: Array = beyond.max(1)
    return deepest


def off_teeth(profiles: Array, teeth: TeethAt, sign: float) -> Array:
    """[F, 2, 5, N - 2, 3]: profile points behind a row's front move forward.

    `sign` is 1 for the upper row (teeth above the edge), -1 for the lower.
    """
    points = profiles[:, :, 1:, 1:-1]
    edge, front, present = look_up(points[..., 0], teeth.edge, teeth.front, teeth.present)
    beside = smoothstep((points[..., 2] - edge) * sign, -_OVER_EDGE, _OVER_EDGE) * present
    push = beside * at_least_zero(front + _TOOTH_SKIN + points[..., 1], _TOOTH_ROUND)
    out = np.zeros((*push.shape[:2], 5, push.shape[3], 3), profiles.dtype)
    for handle, rows in enumerate(_GROUPS):
        out[:, :, handle, :, 1] = -push[:, :, [row - 1 for row in rows]].max(2)
    return out

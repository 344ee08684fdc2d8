"""What the lips must not do: cross each other, or pass through a tooth. Displacements that part them."""

from __future__ import annotations

import numpy as np

from ..protocol.tensorfile import Array
from .posed import Pairing, TeethBeside
from .profiles import LINE, ROWS
from .seal import LOWER_SHARE, at_least_zero, smoothstep

_HIDDEN = 0.1e-3  # metres that the lips may overlap behind the lip line
_MEETING = slice(1, 8)  # rows that can meet the other lip: all but the vermilion border
_ALLOWED = (np.arange(len(ROWS)) > LINE).astype(np.float32)[_MEETING, None, None] * np.float32(_HIDDEN)
_ROUND = 0.05e-3
_EDGE_BELOW = 0.3e-3  # metres that a crown's corner may lie below the edge's line
_TOOTH_ROUND = 0.15e-3
_OVER_EDGE = (-0.5e-3, 0.1e-3)  # metres above the biting edge over which a tooth begins to push
_PUSHED = np.array([0.6, 0.8, 1.0, 1.0, 1.0], np.float32)  # share of a tooth's push that each row takes
_APART = np.array([1 - LOWER_SHARE, -LOWER_SHARE], np.float32)[:, None]
_FAR = 1.0  # metres
_NO_RUN = 1e-7  # metres


def lips_apart(own: Array, other: Array, pairing: Pairing) -> Array:
    """[F, 2, N - 2] rise of each column of crossed lips until the lips touch.

    Args:
        own, other: [2, F, 2, N, R] depth and height of each lip and of the other beside it.
    """
    crossed = np.stack(
        [_overlap(own[:, :, 0], other[:, :, 0], -1.0), _overlap(own[:, :, 1], other[:, :, 1], 1.0)], 1
    )[..., None]
    deepest = np.maximum(crossed, pairing.other(crossed))[:, :, 1:-1, 0]
    rise: Array = _APART * at_least_zero(deepest, _ROUND)
    return rise


def _overlap(own: Array, other: Array, sign: float) -> Array:
    """[F, N] how far the points of one profile lie beyond the other's outline, at their own depth.

    `sign` is 1 where `own` [2, F, N, R] is the lower lip (too high is beyond), -1 where it is the upper.
    """
    depth, height = _rows(own[0]), sign * _rows(own[1])  # [R, F, N]
    line, line_height = _rows(other[0]), sign * _rows(other[1])
    run = np.diff(line, axis=0)
    run[np.abs(run) < _NO_RUN] = _NO_RUN
    half, slope = np.abs(run) / 2, np.diff(line_height, axis=0) / run
    middle, at_middle = line[:-1] + run / 2, (line_height[:-1] + line_height[1:]) / 2
    beyond = np.full(depth.shape, -_FAR, np.float32)
    for k in range(len(run)):
        ahead = depth - middle[k]
        over = height - at_middle[k]
        over -= _ALLOWED if k + _MEETING.start < LINE else np.float32(_HIDDEN)
        over -= ahead * slope[k]
        np.copyto(beyond, np.maximum(beyond, over), where=np.abs(ahead, out=ahead) <= half[k])
    deepest: Array = beyond.max(0)
    return deepest


def _rows(values: Array) -> Array:
    """[F, N, R] -> [R, F, N] of the rows that can meet the other lip."""
    return np.ascontiguousarray(np.moveaxis(values[..., _MEETING], -1, 0))


def off_teeth(depth: Array, height: Array, teeth: TeethBeside, sign: float) -> Array:
    """[F, 2, N - 2, 5] forward displacement of columns with profile points [F, 2, N, R] behind a row's front.

    A tooth moves the lip's whole thickness, and its neighbours: few ways to move make a small basis.
    `sign` is 1 for the upper row (teeth above the edge), -1 for the lower.
    """
    above = (height[..., 1:] - teeth.edge[..., 1:]) * sign
    up = np.clip((above + _EDGE_BELOW) * teeth.sharp[..., 1:], 0, 1)
    up *= 2 - up
    up *= teeth.crown[..., 1:]
    push = at_least_zero(up + teeth.keep[..., 1:] - depth[..., 1:], _TOOTH_ROUND)
    push *= smoothstep(above, *_OVER_EDGE)
    column = np.moveaxis(push, -1, 0).max(0)  # [F, 2, N]
    wide = np.maximum(column, np.maximum(_shifted(column, 1), _shifted(column, -1)))
    even = 0.4 * wide + 0.2 * (_shifted(wide, 1) + _shifted(wide, -1))
    even += 0.1 * (_shifted(wide, 2) + _shifted(wide, -2))
    return np.asarray(even[..., 1:-1, None] * _PUSHED)


def _shifted(values: Array, by: int) -> Array:
    """`values` [..., n] moved along the lip, zeros from beyond the ends."""
    result = np.zeros_like(values)
    if by > 0:
        result[..., by:] = values[..., :-by]
    else:
        result[..., :by] = values[..., -by:]
    return result

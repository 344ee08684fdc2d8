"""What the lips must not do: cross each other, or pass through a tooth. Displacements that part them."""

from __future__ import annotations

import numpy as np

from ..protocol.tensorfile import Array
from .posed import Pairing, TeethBeside
from .profiles import LINE, ROWS
from .seal import LOWER_SHARE, at_least_zero, smoothstep

_HIDDEN = 0.25e-3  # metres that the lips may overlap behind the lip line
_ALLOWED = np.where(np.arange(len(ROWS)) > LINE, _HIDDEN, 0.0).astype(np.float32)[:, None, None]
_ROUND = 0.05e-3
_EDGE_HEIGHT = 0.6e-3  # metres from the biting edge to the crown's front
_TOOTH_SKIN = 0.2e-3  # metres kept between lip and tooth
_STEEPEST = 4.0
_TOOTH_ROUND = 0.3e-3
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
    depth, height = np.moveaxis(own[0], -1, 0), sign * np.moveaxis(own[1], -1, 0)  # [R, F, N]
    line, line_height = np.moveaxis(other[0], -1, 0), sign * np.moveaxis(other[1], -1, 0)
    run = np.diff(line, axis=0)
    run[np.abs(run) < _NO_RUN] = _NO_RUN
    slope, reach = np.diff(line_height, axis=0) / run, np.abs(run)
    beyond = np.full(depth.shape, -_FAR, np.float32)
    for k in range(len(run)):
        ahead = depth - line[k]
        inside = (ahead * np.sign(run[k]) >= 0) & (np.abs(ahead) <= reach[k])
        over = height - line_height[k] - ahead * slope[k] - (_ALLOWED if k >= LINE else 0)
        np.copyto(beyond, np.maximum(beyond, over), where=inside)
    deepest: Array = beyond.max(0)
    return deepest


def off_teeth(depth: Array, height: Array, teeth: TeethBeside, sign: float) -> Array:
    """[F, 2, N - 2, 5] forward displacement of columns with profile points [F, 2, N, R] behind a row's front.

    A tooth moves the lip's whole thickness, and its neighbours: few ways to move make a small basis.
    `sign` is 1 for the upper row (teeth above the edge), -1 for the lower.
    """
    above = (height - teeth.edge) * sign
    surface = teeth.edge_depth + (teeth.front - teeth.edge_depth) * np.clip(above / _EDGE_HEIGHT, 0, 1)
    push = at_least_zero(surface + _TOOTH_SKIN * np.minimum(teeth.steep, _STEEPEST) - depth, _TOOTH_ROUND)
    push *= smoothstep(above, *_OVER_EDGE) * teeth.present
    column = np.moveaxis(push[:, :, 1:-1, 1:], -1, 0).max(0)  # [F, 2, N - 2]
    wide = np.maximum(column, np.maximum(_shifted(column, 1), _shifted(column, -1)))
    even = 0.4 * wide + 0.2 * (_shifted(wide, 1) + _shifted(wide, -1))
    even += 0.1 * (_shifted(wide, 2) + _shifted(wide, -2))
    return np.asarray(even[..., None] * _PUSHED)


def _shifted(values: Array, by: int) -> Array:
    """`values` [..., n] moved along the lip, zeros from beyond the ends."""
    result = np.zeros_like(values)
    if by > 0:
        result[..., by:] = values[..., :-by]
    else:
        result[..., :by] = values[..., -by:]
    return result

"""The posed mouth of many frames: profiles, each lip beside the other, tooth lines on an even grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..protocol.tensorfile import Array
from .profiles import ROWS
from .region import LipRegion
from .teeth import STATIONS

_STEEPNESS = 0.2  # share of height in the place along a lip: keeps it growing where the lip line is steep
_GRID = 64
_GRID_HALF = 0.036  # metres to either side; teeth beyond never meet a lip


@dataclass(frozen=True)
class Pairing:
    """For each column of one lip, where the other lip is beside it in the posed state.

    Attributes:
        index: [F, 2, 1, N, 1] the other lip's column on the right; share: the same shape, of the next column.
    """

    index: Array
    share: Array

    def other(self, values: Array) -> Array:
        """[F, 2, R, N, C] per lip and column -> the other lip's, beside each column."""
        swapped = values[:, ::-1]
        near = np.take_along_axis(swapped, self.index, 3)
        far = np.take_along_axis(swapped, self.index + 1, 3)
        beside: Array = near + self.share * (far - near)
        return beside


@dataclass(frozen=True)
class TeethAt:
    """A row of teeth per frame over the even grid of x. Depth is forward, metres.

    Attributes:
        edge: [F, G] height of the biting edge; front: [F, G] depth of the front; lip_free: [F, G] 1 where
            there are teeth.
        edge_depth: [F, G] depth of the biting edge.
    """

    edge: Array
    edge_depth: Array
    front: Array
    present: Array


def posed(lips: LipRegion, weights: Array) -> tuple[Array, Array]:
    """Profiles [F, 2, R, N, 3] and tooth lines [F, 4, STATIONS, 3] of `weights` [F, 52], f32 metres."""
    points = lips.rest.ravel() + weights.astype(np.float32) @ lips.motion
    count = 3 * 2 * len(ROWS) * lips.columns
    frames = len(weights)
    profiles = points[:, :count].reshape(frames, 2, len(ROWS), lips.columns, 3)
    return profiles, points[:, count:].reshape(frames, 4, STATIONS, 3)


def pair(line: Array) -> Pairing:
    """Pair both lip lines [F, 2, N, 3] by their place between the corners: x, and a little height."""
    step = np.abs(np.diff(line[..., 0], axis=2)) + _STEEPNESS * np.abs(np.diff(line[..., 2], axis=2))
    place = np.zeros(line.shape[:3], line.dtype)
    np.cumsum(step, axis=2, out=place[..., 1:])
    place /= place[..., -1:]
    other = place[:, ::-1]
    index = (place[..., :, None] >= other[..., None, 1:-1]).sum(-1)
    start, end = np.take_along_axis(other, index, 2), np.take_along_axis(other, index + 1, 2)
    share = np.clip((place - start) / np.maximum(end - start, 1e-9), 0, 1).astype(line.dtype)
    return Pairing(index[:, :, None, :, None], share[:, :, None, :, None])


def teeth_at(edge: Array, front: Array) -> TeethAt:
    """Put lines [F, STATIONS, 3] of one row of teeth on the grid."""
    x = np.linspace(-_GRID_HALF, _GRID_HALF, _GRID, dtype=edge.dtype)
    height, edge_depth = _on_grid(edge[..., 0], (edge[..., 2], -edge[..., 1]), x)
    (depth,) = _on_grid(front[..., 0], (-front[..., 1],), x)
    present = ((x >= front[:, :1, 0]) & (x <= front[:, -1:, 0])).astype(edge.dtype)
    return TeethAt(height, edge_depth, depth, present)


def _on_grid(at: Array, values: tuple[Array, ...], x: Array) -> list[Array]:
    """`values` [F, n] at the places `at` [F, n] (growing) -> [F, G] at `x`, constant beyond the ends."""
    index = (x[None, :, None] >= at[:, None, 1:-1]).sum(-1)
    start, end = np.take_along_axis(at, index, 1), np.take_along_axis(at, index + 1, 1)
    share = np.clip((x - start) / np.maximum(end - start, 1e-9), 0, 1)
    result = []
    for value in values:
        near = np.take_along_axis(value, index, 1)
        result.append((near + share * (np.take_along_axis(value, index + 1, 1) - near)).astype(x.dtype))
    return result


def look_up(x: Array, *grids: Array) -> list[Array]:
    """Values of `grids` [F, G] at places `x` [F, ...]."""
    frames = len(x)
    place = np.clip((x.reshape(frames, -1) + _GRID_HALF) * ((_GRID - 1) / (2 * _GRID_HALF)), 0, _GRID - 1.001)
    index = place.astype(np.int32)
    share = place - index
    flat = index + np.arange(frames, dtype=np.int32)[:, None] * _GRID
    result = []
    for grid in grids:
        cells = grid.ravel()
        near = cells[flat]
        result.append((near + share * (cells[flat + 1] - near)).reshape(x.shape))
    return result

"""The posed mouth of many frames: both lips' profiles, each beside the other, and the teeth beside them."""

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
_SHORT = 1e-9  # metres
_EDGE_HEIGHT = 2e-3  # metres from an incisor's biting edge to its front; less where the arch turns
_TOOTH_SKIN, _STEEPEST = 0.2e-3, 4.0  # metres kept between lip and tooth, off the surface; greatest `steep`
_NOWHERE = 1.0  # metres behind: where there are no teeth


@dataclass(frozen=True)
class Mouth:
    """F frames of a mouth, metres.

    Attributes:
        x, depth, height: [F, 2, N, R] profiles of the upper and lower lip, to the left, forward and up.
        teeth: [F, 3, 4, STATIONS] x, depth and height of the tooth lines.
    """

    x: Array
    depth: Array
    height: Array
    teeth: Array


def posed(lips: LipRegion, weights: Array) -> Mouth:
    """The mouth at `weights` [F, 52] without contact, f32."""
    points = (lips.rest + weights.astype(np.float32) @ lips.motion).reshape(len(weights), 3, -1)
    count = 2 * lips.columns * len(ROWS)
    x, depth, height = np.moveaxis(points[:, :, :count].reshape(-1, 3, 2, lips.columns, len(ROWS)), 1, 0)
    return Mouth(x, depth, height, points[:, :, count:].reshape(-1, 3, 4, STATIONS))


@dataclass(frozen=True)
class Pairing:
    """Which part of the other lip is beside each column in the posed state.

    Attributes:
        passed: [F, 2, N, N - 1] share of the other lip's k-th interval that lies right of the column.
    """

    passed: Array

    def other(self, values: Array) -> Array:
        """[F, 2, N, C] per lip and column -> the other lip's, beside each column."""
        swapped = values[:, ::-1]
        beside: Array = swapped[:, :, :1] + self.passed @ np.diff(swapped, axis=2)
        return beside


def pair(x: Array, height: Array) -> Pairing:
    """Pair both lip lines [F, 2, N] by their place between the corners: x, and a little height."""
    step = np.abs(np.diff(x, axis=2)) + _STEEPNESS * np.abs(np.diff(height, axis=2))
    place = np.zeros_like(x)
    np.cumsum(step, axis=2, out=place[..., 1:])
    place /= place[..., -1:]
    other = place[:, ::-1]
    start, length = other[:, :, None, :-1], np.maximum(np.diff(other, axis=2), _SHORT)[:, :, None]
    return Pairing(np.clip((place[..., None] - start) / length, 0, 1))


@dataclass(frozen=True)
class TeethBeside:
    """A row of teeth at the x of each profile point [F, 2, N, R], metres.

    Attributes:
        edge: height of the biting edge; edge_depth: its depth.
        keep: depth that the lip keeps at the edge; crown: how much further forward the crowns' front is.
        sharp: share of the crown's way forward per metre above the edge.
    """

    edge: Array
    edge_depth: Array
    keep: Array
    crown: Array
    sharp: Array


def teeth_beside(mouth: Mouth) -> tuple[TeethBeside, TeethBeside]:
    """The upper and the lower row beside every profile point."""
    frames = len(mouth.x)
    x = np.linspace(-_GRID_HALF, _GRID_HALF, _GRID, dtype=np.float32)
    columns = []
    for row in (0, 2):
        line, front = mouth.teeth[:, :, row], mouth.teeth[:, :, row + 1]
        edge, edge_depth = _on_grid(line[:, 0], (line[:, 2], line[:, 1]), x)
        (depth,) = _on_grid(front[:, 0], (front[:, 1],), x)
        steep = np.sqrt(1 + (np.gradient(depth, axis=1) / (x[1] - x[0])) ** 2)
        present = (x >= front[:, 0, :1]) & (x <= front[:, 0, -1:])
        keep = edge_depth + _TOOTH_SKIN * np.minimum(steep, _STEEPEST)
        keep = np.where(present, keep, edge_depth - _NOWHERE)
        columns += [edge, edge_depth, keep, depth - edge_depth, steep**2 / _EDGE_HEIGHT]
    grid = np.stack(columns, -1).reshape(frames * _GRID, len(columns))
    place = np.clip((mouth.x + _GRID_HALF) * ((_GRID - 1) / (2 * _GRID_HALF)), 0, _GRID - 1.001)
    index = place.astype(np.int32)
    share = (place - index)[..., None]
    index += (np.arange(frames, dtype=np.int32) * _GRID)[:, None, None, None]
    near = grid[index]
    values = np.ascontiguousarray(np.moveaxis(near + share * (grid[index + 1] - near), -1, 0))
    return TeethBeside(*values[:5]), TeethBeside(*values[5:])


def _on_grid(at: Array, values: tuple[Array, ...], x: Array) -> list[Array]:
    """`values` [F, n] at the places `at` [F, n] (growing) -> [F, G] at `x`, constant beyond the ends."""
    length = np.maximum(np.diff(at, axis=1), _SHORT)
    passed = np.clip((x[None, :, None] - at[:, None, :-1]) / length[:, None], 0, 1)
    return [value[:, :1] + (passed @ np.diff(value, axis=1)[..., None])[..., 0] for value in values]

"""Lip offsets in canonical coordinates: the same numbers mean the same movement on every face.

The contact solve moves handles: columns along the lips times rows across them, each by a depth and a height.
Counted in mouth widths and on a fixed number of columns, these are canonical offsets.
"""

from __future__ import annotations

import numpy as np

from ..protocol.tensorfile import Array
from .region import HANDLE_ROWS, LipRegion

CANONICAL_COLUMNS = 29
_PLACES = np.linspace(-1.0, 1.0, CANONICAL_COLUMNS + 2)[1:-1]  # u of the columns, corners left out
_DIRECTIONS, _LIPS = 2, 2  # depth and height; upper and lower
CANONICAL_OFFSETS = _DIRECTIONS * _LIPS * CANONICAL_COLUMNS * len(HANDLE_ROWS)
_UNIT = 1e-3  # mouth widths


def canonical_offsets(lips: LipRegion, handles: Array) -> Array:
    """Handles [F, 2, H] metres -> [F, CANONICAL_OFFSETS] f32, thousandths of mouth widths."""
    grid = handles.reshape(len(handles), _DIRECTIONS, _LIPS, -1, len(HANDLE_ROWS))
    moved = _moved_columns(grid, _places(lips), _PLACES) / (_UNIT * lips.coordinates.width)
    return np.asarray(moved.reshape(len(handles), CANONICAL_OFFSETS), np.float32)


def handles_of(lips: LipRegion, offsets: Array) -> Array:
    """Canonical offsets [F, CANONICAL_OFFSETS] -> handles [F, 2, H] f32 metres of these lips."""
    grid = offsets.reshape(len(offsets), _DIRECTIONS, _LIPS, CANONICAL_COLUMNS, len(HANDLE_ROWS))
    moved = _moved_columns(grid, _PLACES, _places(lips)) * (_UNIT * lips.coordinates.width)
    return np.asarray(moved.reshape(len(offsets), _DIRECTIONS, -1), np.float32)


def coefficients_of(lips: LipRegion, handles: Array) -> Array:
    """Handles [F, 2, H] -> [F, K] f32 coefficients of the face's lip basis nearest to them."""
    coefficients: Array = handles.reshape(len(handles), len(lips.project)) @ lips.project
    return coefficients


def _places(lips: LipRegion) -> Array:
    """[N - 2] u of the lips' own inner columns."""
    left = np.arange(len(lips.corner)) * 2 > len(lips.corner) - 1
    return np.where(left, lips.corner, -lips.corner)


def _moved_columns(grid: Array, places: Array, wanted: Array) -> Array:
    """[..., n, R] columns at growing `places` [n] -> [..., m, R] at `wanted` [m]."""
    after = np.clip(np.searchsorted(places, wanted), 1, len(places) - 1)
    share = np.clip((wanted - places[after - 1]) / (places[after] - places[after - 1]), 0.0, 1.0)[:, None]
    moved: Array = grid[..., after - 1, :] * (1 - share) + grid[..., after, :] * share
    return moved

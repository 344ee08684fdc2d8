"""The lip basis: a few fixed fields whose sums come close to what the contact solve gives."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..protocol.errors import InputError
from ..protocol.tensorfile import Array
from .region import LipRegion, projection

FIELDS = 16
_KEPT = 64  # principal fields among which the basis is sought
_ROUNDS = 25  # of giving badly met frames more weight
_LEAST = 0.1  # factor of a frame without error in a round


def to_basis(lips: LipRegion, offsets: Array) -> Array:
    """Least-squares coefficients [F, K] f32 of the face's lip basis for `offsets` [F, L, 3] metres."""
    fields = lips.basis.reshape(len(lips.basis), offsets.shape[1] * 3)
    inverse = np.linalg.pinv(fields.astype(np.float64).T)  # [K, 3 L]
    return np.asarray(offsets.reshape(len(offsets), -1) @ inverse.T, np.float32)


def from_basis(lips: LipRegion, coefficients: Array) -> Array:
    """Offsets [F, L, 3] f32 metres of `coefficients` [F, K]."""
    if coefficients.shape[1:] != lips.basis.shape[:1]:
        raise InputError(
            f"{coefficients.shape[-1]} lip coefficients for a face with {len(lips.basis)} lip fields",
            "Use the clip with the face it was made for",
        )
    return np.asarray(np.tensordot(coefficients, lips.basis, 1), np.float32)


def with_basis(lips: LipRegion, basis: Array) -> LipRegion:
    """The same lips with another basis [K, L, 3]."""
    return dataclasses.replace(
        lips, basis=basis.astype(np.float32), project=projection(basis, lips.spread.T.astype(np.float64))
    )


def fit_basis(lips: LipRegion, handles: Array, fields: int = FIELDS) -> Array:
    """[fields, L, 3] f32 metres: the principal fields of what `handles` [F, 2, H] (`solve_handles`) make.

    The mean is not taken out, so that rest stays rest. Frames and their mirror images count alike, and in
    each round badly met ones more: the largest error matters, not the mean. Fields are scaled so that the
    coefficients of `handles` lie within -1 to 1.
    """
    both = np.concatenate([handles, mirrored(lips, handles)]).astype(np.float64)
    spread = lips.spread.astype(np.float64)  # [H, L]
    root = _metric_root(spread)  # [H, H]: |h root| is the size of the field of h
    data = (both @ root).reshape(len(both), -1)
    directions = _principal(data, np.ones(len(data)), _KEPT)
    moved = np.linalg.solve(root.T, directions.reshape(2 * len(directions), -1).T).T @ spread
    moved = moved.reshape(len(directions), -1).astype(np.float32)  # [_KEPT, 2 L]
    chosen = _sharpened((data @ directions.T).astype(np.float32), moved, fields)
    depth, height = np.moveaxis((chosen @ moved).reshape(fields, 2, -1), 1, 0)
    return np.asarray(np.stack([np.zeros_like(depth), -depth, height], -1), np.float32)


def _principal(data: Array, weight: Array, count: int) -> Array:
    """[count, n] orthonormal directions that hold most of `data` [F, n], frames weighted by `weight` [F]."""
    scaled = data * np.sqrt(weight)[:, None]
    directions: Array = np.linalg.eigh(scaled.T @ scaled)[1][:, ::-1][:, :count].T
    return directions


def _sharpened(data: Array, moved: Array, fields: int) -> Array:
    """[fields, n] scaled directions of `data` [F, n], fields `moved` [n, 2 L], that keep errors low."""
    weight = np.ones(len(data), np.float32)
    best, least = np.zeros((fields, data.shape[1]), np.float32), np.inf
    for _ in range(_ROUNDS):
        chosen = _principal(data, weight, fields)
        rest = (data - (data @ chosen.T) @ chosen) @ moved
        error = np.sqrt(np.square(rest.reshape(len(rest), 2, -1)).sum(1).max(1))
        if error.max() < least:
            best, least = chosen, error.max()
        weight *= _LEAST + error / error.max()
        weight /= weight.mean()
    scaled: Array = best * np.abs(data @ best.T).max(0)[:, None]
    return scaled


def mirrored(lips: LipRegion, handles: Array) -> Array:
    """Handles [F, 2, H] of the mirror image: columns from left to right."""
    columns = handles.reshape(*handles.shape[:2], 2, lips.columns - 2, -1)
    flipped: Array = columns[:, :, :, ::-1].reshape(handles.shape)
    return flipped


def _metric_root(spread: Array) -> Array:
    """[H, H] lower triangle: |h root| = |h spread|, with a little added where handles hardly act."""
    metric = spread @ spread.T
    metric[np.diag_indices(len(metric))] += 1e-9 * np.trace(metric) / len(metric)
    return np.asarray(np.linalg.cholesky(metric))

"""Rotation vectors to Blender's Euler angles, for many frames at once."""

from __future__ import annotations

import numpy as np

from ..protocol.tensorfile import Array

_AXES = "XYZ"
_EVEN = ("XYZ", "YZX", "ZXY")


def rotation_matrices(vectors: Array) -> Array:
    """[n, 3, 3] rotation matrices of rotation vectors [n, 3], radians (Rodrigues)."""
    vectors = np.asarray(vectors, np.float64)
    angle = np.linalg.norm(vectors, axis=1)  # [n]
    axis = vectors / np.maximum(angle, 1e-12)[:, None]
    cross = np.zeros((len(vectors), 3, 3))
    cross[:, 2, 1], cross[:, 0, 2], cross[:, 1, 0] = axis.T
    cross -= cross.transpose(0, 2, 1)
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    turned: Array = np.eye(3) + sine * cross + (1.0 - cosine) * (cross @ cross)
    return turned


def euler_angles(matrices: Array, order: str, before: Array | None = None) -> Array:
    """[n, 3] x, y and z angles of rotation matrices [n, 3, 3], in one of Blender's Euler orders.

    They go on without leaps of 2 pi, from the angles `before` [3] on if there are any. The second angle of
    the order stays within a quarter turn.
    """
    i, j, k = (_AXES.index(letter) for letter in order)
    sign = 1.0 if order in _EVEN else -1.0
    angles = np.empty((len(matrices), 3))
    angles[:, i] = np.arctan2(sign * matrices[:, k, j], matrices[:, k, k])
    angles[:, j] = np.arcsin(np.clip(-sign * matrices[:, k, i], -1.0, 1.0))
    angles[:, k] = np.arctan2(sign * matrices[:, j, i], matrices[:, i, i])
    if before is None:
        return np.unwrap(angles, axis=0)
    return np.unwrap(np.vstack([before, angles]), axis=0)[1:]

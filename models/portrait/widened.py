"""Identity fields for what a face file's own cannot say: smooth displacements, each unlikely to be large.

They are the main modes of a Gaussian process over the face at rest, mirrored and uneven ones apart, so that a
head follows a face that no mixture of its named parameters resembles. Eyeballs move as a whole.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array

from .points import MeshPoints, landmark_points

# Kernel: lengths in metres and typical displacements in metres, our choice by `training.evaluate.portrait`.
_LENGTHS, _SIZES = (0.06, 0.03), (0.0010, 0.0010)
_UNEVEN = 0.35  # size of what differs between the sides, beside what is alike
_PLACES = 60  # points of the half face that carry the modes
_MODES, _UNEVEN_MODES = 18, 10  # per axis
_LIPS = (61, 291, 13, 14)  # landmarks: corners and middles
_MOUTH_HELD, _MOUTH_SIZE = (
    0.95,
    0.05,
)  # share of the fields that the mouth lacks, and how far round it, metres
_LIMIT = 3.0  # standard deviations


def widened(face: FaceFile) -> FaceFile:
    """`face` with further identity fields behind its own."""
    points = landmark_points(face)
    places = _spread_places(points.of(face.vertices.astype(np.float64)))
    at = _with_whole_eyes(face)
    even, odd = (_modes(at, places, sign) for sign in (1.0, -1.0))  # [V, modes]
    waves = [
        *_along(odd, 0, _MODES, 1.0),
        *_along(even, 1, _MODES, 1.0),
        *_along(even, 2, _MODES, 1.0),
        *_along(even, 0, _UNEVEN_MODES, _UNEVEN),
        *_along(odd, 1, _UNEVEN_MODES, _UNEVEN),
        *_along(odd, 2, _UNEVEN_MODES, _UNEVEN),
    ]
    still = _beside_mouth(at, points)[:, None]
    fields = _without_motion(np.array(waves) * still, at, points)
    count, own = len(fields), len(face.identity_names)
    correlation = np.eye(own + count, dtype=np.float32)
    correlation[:own, :own] = face.identity_correlation
    limits = np.tile(np.array([-_LIMIT, _LIMIT], np.float32), (count, 1))
    return replace(
        face,
        identity_names=(*face.identity_names, *(f"rest{n}" for n in range(count))),
        identity=np.concatenate([face.identity, fields.astype(np.float32)]),
        identity_limits=np.concatenate([face.identity_limits, limits]),
        identity_correlation=correlation,
    )


def _beside_mouth(at: Array, points: MeshPoints) -> Array:
    """[V] 1 far from the mouth, less near it: what a smile moves is no other person."""
    mouth = points.of(at)[list(_LIPS)].mean(0)
    near = np.exp(-((at - mouth) ** 2).sum(1) / (2 * _MOUTH_SIZE**2))
    return np.asarray(1 - _MOUTH_HELD * near)


def _without_motion(fields: Array, at: Array, points: MeshPoints) -> Array:
    """`fields` [n, V, 3] less what of them turns, moves or scales the face: that is the camera's to say."""
    place, moves = points.of(at), points.of(fields)  # [478, 3], [n, 478, 3]
    motions = _motions(place)  # [7, 478, 3]
    flat = motions.reshape(len(motions), -1)
    amounts = np.linalg.lstsq(flat.T, moves.reshape(len(fields), -1).T, rcond=None)[0]  # [7, n]
    return np.asarray(fields - np.tensordot(amounts.T, _motions(at), 1))


def _motions(at: Array) -> Array:
    """[7, V, 3] shifts, turns and growth."""
    axes = np.eye(3)
    shifts = [np.broadcast_to(axis, at.shape) for axis in axes]
    return np.stack([*shifts, *(np.cross(axis, at) for axis in axes), at])


def _spread_places(points: Array) -> Array:
    """[n, 3] places of the left half, as far apart as they can be."""
    half = points * np.sign(points[:, :1] + 1e-9) ** [1, 0, 0]
    chosen = [0]
    apart = np.linalg.norm(half - half[0], axis=1)
    while len(chosen) < _PLACES:
        chosen.append(int(apart.argmax()))
        apart = np.minimum(apart, np.linalg.norm(half - half[chosen[-1]], axis=1))
    return np.asarray(half[chosen])


def _with_whole_eyes(face: FaceFile) -> Array:
    """[V, 3] where each vertex reads a field: eyeballs at their centre."""
    at = face.vertices.astype(np.float64)
    for bone in face.bones:
        if bone.name in ("eye.L", "eye.R") and bone.name in face.region_names:
            at[face.region == face.region_names.index(bone.name)] = bone.head
    return at


def _modes(at: Array, places: Array, sign: float) -> Array:
    """[V, n] scalar modes of unit variance, metres, even (`sign` 1) or odd (-1) in x; the largest first."""
    value, vector = np.linalg.eigh(_kernel(places, places, sign))
    order = np.argsort(-value)[:_MODES]
    modes: Array = _kernel(at, places, sign) @ (vector[:, order] / np.sqrt(value[order]))
    return modes


def _kernel(one: Array, other: Array, sign: float) -> Array:
    """[n, m] covariance of displacements, square metres."""
    total = np.zeros((len(one), len(other)))
    for mirror, share in ((1.0, 0.5), (-1.0, 0.5 * sign)):
        square = ((one[:, None] - other[None] * (mirror, 1, 1)) ** 2).sum(2)
        for length, size in zip(_LENGTHS, _SIZES, strict=True):
            total += share * size**2 * np.exp(-square / (2 * length**2))
    return total


def _along(modes: Array, axis: int, count: int, size: float) -> list[Array]:
    fields = np.zeros((count, len(modes), 3), np.float32)
    fields[:, :, axis] = size * modes[:, :count].T
    return list(fields)

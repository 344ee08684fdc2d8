"""Other people from one face file: drawing identity weights, and the face that weights describe."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import Bone, FaceFile
from blender_addon.protocol.tensorfile import Array

_MOST_DRAWS = 10_000  # before limits and correlation are called contradictory
_LID_LAYER = 0.0025  # metres over the eyeball within which skin keeps its clearance
_LID_FADE = 0.005  # and the height where it no longer needs to
_SIDES = (("Left", "eye.L", "L"), ("Right", "eye.R", "R"))


def sample_identity(face: FaceFile, seed: int | np.random.Generator) -> Array:
    """Weights [I] of a random person: correlated as the face says, every one within its limits."""
    _require_fields(face)
    random = np.random.default_rng(seed)
    factor = np.linalg.cholesky(face.identity_correlation.astype(np.float64))
    low, high = face.identity_limits.T
    for _ in range(_MOST_DRAWS):
        weights = factor @ random.standard_normal(len(factor))
        if (weights >= low).all() and (weights <= high).all():
            return weights.astype(np.float32)
    raise InputError(f"the identity limits of {face.id} exclude nearly everyone", "Widen identity_limits")


def named_identity(face: FaceFile, settings: Mapping[str, float], others: Array | None = None) -> Array:
    """Weights [I] with some parameters set by name, in standard deviations; others as in `others`, or 0."""
    _require_fields(face)
    weights = np.zeros(len(face.identity_names), np.float32) if others is None else others.copy()
    for name, value in settings.items():
        if name not in face.identity_names:
            near = difflib.get_close_matches(name, face.identity_names, 3) or face.identity_names[:3]
            raise InputError(f"{face.id} has no identity parameter {name!r}", f"Try {', '.join(near)}")
        column = face.identity_names.index(name)
        low, high = face.identity_limits[column]
        if not low <= value <= high:
            raise InputError(
                f"{name}={value:g} is out of range", f"Give {low:g} to {high:g} standard deviations"
            )
        weights[column] = value
    return weights


def with_identity(face: FaceFile, weights: Array) -> FaceFile:
    """`face` as the person of `weights` [I].

    Vertices, bones and pivot move. Lids keep their clearance over the eyeball, and the blinks are bent so
    that the lids of the new eyes close on it. Names, polygons and everything else stay.
    """
    _require_fields(face)
    if weights.shape != (len(face.identity_names),):
        raise InputError(
            f"identity weights have shape {weights.shape}, expected ({len(face.identity_names)},)",
            "Give one weight per identity parameter of the face",
        )
    if not np.isfinite(weights).all():
        raise InputError("identity weights are not finite", "Give standard deviations, 0 for the average")
    rest = face.vertices.astype(np.float64)
    moved = rest + np.tensordot(weights.astype(np.float64), face.identity.astype(np.float64), 1)
    shapes = face.shapes.copy()
    bones = {bone.name: bone for bone in face.bones}
    for side, name, letter in _SIDES:
        if name in bones and name in face.region_names and f"lid_upper.{letter}" in face.rings:
            eye = _Eye(face, rest, moved, bones[name], letter)
            moved = eye.draped(rest, moved)
            row = ARKIT_INDEX[f"eyeBlink{side}"]
            shapes[row] = eye.blink(rest, moved, shapes[row].astype(np.float64))
    place = _Place(rest, moved)
    return replace(
        face,
        vertices=moved.astype(np.float32),
        shapes=shapes,
        pivot=place.of(face.pivot),
        bones=tuple(_moved_bone(face, bone, rest, moved, place) for bone in face.bones),
    )


def _require_fields(face: FaceFile) -> None:
    if not face.identity_names:
        raise InputError(f"{face.id} has no identity fields", "Use a face file with identity parameters")


class _Place:
    """Where a point inside the head goes: with the skin round it, on the midline where it was there."""

    _NEAREST = 200

    def __init__(self, rest: Array, moved: Array) -> None:
        self._move = moved - rest
        self._tree = cKDTree(rest)

    def of(self, point: tuple[float, float, float]) -> tuple[float, float, float]:
        """`point` moved by the mean of the nearest vertices on both sides, metres."""
        both = np.array([point, (-point[0], point[1], point[2])])
        ids = self._tree.query(both, self._NEAREST)[1]
        shift = (self._move[ids[0]].mean(0) + self._move[ids[1]].mean(0) * [-1, 1, 1]) / 2
        x, y, z = np.array(point) + shift
        return (float(x), float(y), float(z))


def _moved_bone(face: FaceFile, bone: Bone, rest: Array, moved: Array, place: _Place) -> Bone:
    ball = np.zeros(len(rest), bool)
    if bone.name in face.region_names:
        ball = face.region == face.region_names.index(bone.name)
    if ball.any():
        centre, _ = _sphere_motion(rest[ball], moved[ball], np.array(bone.head))
        shift = centre - bone.head
        x, y, z = bone.head + shift
        u, v, w = bone.tail + shift
        return replace(bone, head=(float(x), float(y), float(z)), tail=(float(u), float(v), float(w)))
    return replace(bone, head=place.of(bone.head), tail=place.of(bone.tail))


def _sphere_motion(rest: Array, moved: Array, centre: Array) -> tuple[Array, float]:
    """New centre [3] and scale of an eyeball that was shifted and scaled, by least squares."""
    arm = rest - centre
    mean = arm.mean(0)
    spread = arm - mean
    scale = float((spread * (moved - moved.mean(0))).sum() / (spread**2).sum())
    return moved.mean(0) - scale * mean, scale


class _Eye:
    """One eye before (`old`) and after an identity, and the skin that lies on it."""

    def __init__(self, face: FaceFile, rest: Array, moved: Array, bone: Bone, letter: str) -> None:
        ball = face.region == face.region_names.index(bone.name)
        self._old = np.array(bone.head)
        self._centre, self._scale = _sphere_motion(rest[ball], moved[ball], self._old)
        behind = ball & (rest[:, 1] > self._old[1])  # the half without iris and cornea
        self._radius = float(np.linalg.norm(rest[behind] - self._old, axis=1).mean())
        self._upper, self._lower = face.rings[f"lid_upper.{letter}"], face.rings[f"lid_lower.{letter}"]
        regions = [
            face.region_names.index(n) for n in ("eyelids", "face", "lashes") if n in face.region_names
        ]
        reach = np.linalg.norm(rest - self._old, axis=1)
        self._ids = np.flatnonzero(np.isin(face.region, regions) & (reach < 3 * self._radius))

    def draped(self, rest: Array, moved: Array) -> Array:
        """`moved` [V, 3] with the skin next to the ball as far from it as at rest."""
        ids, result = self._ids, moved.copy()
        result[ids] = self._cleared(rest[ids], moved[ids])
        return result

    def _cleared(self, before: Array, after: Array) -> Array:
        """`after` [n, 3] at the height over the new ball that `before` had over the old one."""
        height = np.linalg.norm(before - self._old, axis=1) - self._radius
        ray = after - self._centre
        length = np.linalg.norm(ray, axis=1)
        near = 1 - np.clip((height - _LID_LAYER) / (_LID_FADE - _LID_LAYER), 0, 1)
        wanted = self._radius * self._scale + height
        cleared: Array = self._centre + ray * (1 + near * (wanted / length - 1))[:, None]
        return cleared

    def blink(self, rest: Array, moved: Array, shape: Array) -> Array:
        """The blink [V, 3] f32 that closes the new eye as `shape` closed the old one."""
        result = shape.copy()
        result[self._ids] += self._toward_closed(rest, moved, shape)
        ids = self._ids[np.abs(shape[self._ids]).max(1) > 0]
        closed = self._cleared(rest[ids] + shape[ids], moved[ids] + result[ids])
        result[ids] = closed - moved[ids]
        return result.astype(np.float32)

    def _toward_closed(self, rest: Array, moved: Array, shape: Array) -> Array:
        """What the lids lack to meet [n, 3], carried from the upper margin into the lid."""
        upper, lower, ids = self._upper, self._lower, self._ids
        apart = _over(rest[upper] + shape[upper], rest[lower] + shape[lower])
        now = _over(moved[upper] + shape[upper], moved[lower] + shape[lower])
        lack = apart - now  # [margin, 3]
        reach = np.linalg.norm(shape[upper], axis=1)
        nearest = cKDTree(rest[upper]).query(rest[ids])[1]
        share = np.linalg.norm(shape[ids], axis=1) / np.maximum(reach[nearest], 1e-5)
        share = np.clip(share, 0, 1) * (shape[ids, 2] < 0)
        carried: Array = share[:, None] * lack[nearest]
        return carried


def _over(upper: Array, lower: Array) -> Array:
    """How far [n, 3] the points of one lid margin lie from the other margin at the same sideways place."""
    order = np.argsort(lower[:, 0])
    below = np.stack([np.interp(upper[:, 0], lower[order, 0], lower[order, k]) for k in range(3)], 1)
    apart: Array = upper - below
    return apart

"""A face as its landmarks see it: where each landmark lies, and how identity and expression move it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.face import EYE_LOOK_DEGREES, FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.deform import eye_turn
from models.render.raster import vertex_normals
from models.render.triangles import Triangles

from .landmarks import IRIS_LEFT, IRIS_RIGHT
from .points import landmark_points

_EYES = (("eye.L", IRIS_LEFT), ("eye.R", IRIS_RIGHT))
# Gaze angle (column of a clip's gaze) -> the shapes of its positive and negative side.
_LOOKS = (
    ("eyeLookUpLeft", "eyeLookDownLeft"),
    ("eyeLookOutLeft", "eyeLookInLeft"),
    ("eyeLookUpRight", "eyeLookDownRight"),
    ("eyeLookInRight", "eyeLookOutRight"),
)
LOOK_SHAPES = tuple(ARKIT_INDEX[name] for pair in _LOOKS for name in pair)


@dataclass(frozen=True)
class PointModel:
    """Landmarks of a face; metres in the face's rest frame.

    Attributes:
        mean: [478, 3]; normal: [478, 3] unit.
        identity: [I, 478, 3] per standard deviation.
        shapes: [52, 478, 3] at weight 1.
        eyes: [2, 3] centres of the left and the right eyeball; eyes_identity: [I, 2, 3].
        limits: [I, 2]; precision: [I, I] of the identity weights' normal distribution.
        known: [478] bool.
    """

    mean: Array
    normal: Array
    identity: Array
    shapes: Array
    eyes: Array
    eyes_identity: Array
    limits: Array
    precision: Array
    known: Array

    @staticmethod
    def of(face: FaceFile) -> PointModel:
        """The landmarks of `face`. Raises `InputError` where they are not known."""
        points = landmark_points(face)
        every = Triangles.of(face)
        normal = points.of(vertex_normals(face.vertices, every.ids[: every.fronts]).astype(np.float64))
        eyes = [_eye(face, name) for name, _ in _EYES]
        correlation = face.identity_correlation.astype(np.float64)
        return PointModel(
            points.of(face.vertices.astype(np.float64)),
            normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9),
            np.ascontiguousarray(points.of(face.identity), np.float64),
            np.ascontiguousarray(points.of(face.shapes), np.float64),
            np.array([centre for centre, _ in eyes]),
            np.stack([moves for _, moves in eyes], 1),
            face.identity_limits.astype(np.float64),
            np.linalg.inv(correlation) if len(correlation) else correlation,
            points.known,
        )

    def at(self, identity: Array) -> PointModel:
        """The same of one person: no identity left to find. Lids keep the head's own shape."""
        count, empty = len(self.mean), np.zeros((0, 0))
        return replace(
            self,
            mean=self.mean + np.tensordot(identity, self.identity, 1),
            identity=np.zeros((0, count, 3)),
            eyes=self.eyes + np.tensordot(identity, self.eyes_identity, 1),
            eyes_identity=np.zeros((0, 2, 3)),
            limits=np.zeros((0, 2)),
            precision=empty,
        )

    def place(self, identity: Array, weights: Array, gaze: Array) -> Array:
        """[478, 3] the landmarks of a person, an expression and a gaze [4]; `weights` without eyeLook*."""
        whole = weights + look_weights(gaze)
        points: Array = self.mean + np.tensordot(whole, self.shapes, 1)
        if len(identity):
            points += np.tensordot(identity, self.identity, 1)
        centres = self.eyes + np.tensordot(identity, self.eyes_identity, 1) if len(identity) else self.eyes
        for side, (_, ids) in enumerate(_EYES):
            turn = eye_turn(gaze[2 * side], gaze[2 * side + 1])
            rows = list(ids)
            points[rows] = centres[side] + (points[rows] - centres[side]) @ turn.T
        return points

    @cached_property
    def fields(self) -> Array:
        """[478, 3, I + 52] what identity and expression move, landmark by landmark."""
        return np.ascontiguousarray(np.concatenate([self.identity, self.shapes]).transpose(1, 2, 0))


def look_weights(gaze: Array) -> Array:
    """[52] the eyeLook* weights of a gaze [4]: the inverse of `eye_rotation`."""
    weights = np.zeros(len(ARKIT_INDEX))
    for angle, pair in zip(gaze, _LOOKS, strict=True):
        name = pair[0] if angle > 0 else pair[1]
        weights[ARKIT_INDEX[name]] = abs(angle) / look_angle(name)
    return weights


def look_angle(name: str) -> float:
    """Radians at weight 1 of a shape eyeLook*."""
    return float(np.radians(next(d for key, d in EYE_LOOK_DEGREES.items() if key in name)))


def look_shapes(gaze: Array) -> list[tuple[int, float]]:
    """Per angle of a gaze [4]: the shape that it moves, and by how much per radian."""
    names = [pair[0] if angle > 0 else pair[1] for angle, pair in zip(gaze, _LOOKS, strict=True)]
    signs = [1.0 if angle > 0 else -1.0 for angle in gaze]
    return [(ARKIT_INDEX[name], sign / look_angle(name)) for name, sign in zip(names, signs, strict=True)]


def _eye(face: FaceFile, name: str) -> tuple[Array, Array]:
    """Centre [3] of an eyeball, and how identity moves it [I, 3]: as `with_identity` finds it."""
    centre = next((np.array(bone.head) for bone in face.bones if bone.name == name), None)
    ball = face.region == face.region_names.index(name) if name in face.region_names else None
    if centre is None or ball is None or not ball.any():
        rows = list(dict(_EYES)[name])
        points = landmark_points(face)
        return points.of(face.vertices.astype(np.float64))[rows].mean(0), points.of(face.identity)[
            :, rows
        ].mean(1)
    arm = face.vertices[ball].astype(np.float64) - centre
    spread, fields = arm - arm.mean(0), face.identity[:, ball].astype(np.float64)
    middle = fields.mean(1)
    scale = (spread * (fields - middle[:, None])).sum((1, 2)) / (spread**2).sum()
    return centre, middle - scale[:, None] * arm.mean(0)

"""From weights, lip coefficients and head pose to vertices: shapes and lip offsets first, then the bones."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import NECK_SHARE, FaceFile, eye_rotation
from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel

_STILL = 1e-7  # metres; displacements below this are not stored


class Deformer:
    """A face prepared for many frames: its shapes stored sparsely, its bones looked up once."""

    def __init__(self, face: FaceFile) -> None:
        self.face = face
        moving = np.abs(face.shapes).max(2) > _STILL  # [52, V]
        self._start = np.concatenate([[0], np.cumsum(moving.sum(1))]).astype(np.int64)
        self._vertex = np.nonzero(moving)[1].astype(np.int32)
        self._delta = face.shapes[moving].astype(np.float32)
        self._bone = {bone.name: i for i, bone in enumerate(face.bones)}
        self._weights = np.ascontiguousarray(face.bone_weights, np.float32)

    def shape(self, weights: Array, lip: Array | None = None) -> Array:
        """Vertices [V, 3] f32 before the bones, from `weights` [52] and `lip` [K]."""
        check_weights(weights)
        vertices: Array = self.face.vertices.astype(np.float32)
        _add_shapes(vertices, weights.astype(np.float32), self._start, self._vertex, self._delta)
        if lip is not None and len(lip):
            if len(lip) != len(self.face.lip_basis):
                raise InputError(
                    f"{len(lip)} lip coefficients for a face with {len(self.face.lip_basis)} lip fields",
                    "Use the clip with the face it was made for",
                )
            vertices[self.face.lip_index] += np.tensordot(lip, self.face.lip_basis, 1).astype(np.float32)
        return vertices

    def __call__(self, weights: Array, lip: Array | None = None, pose: Array | None = None) -> Array:
        """Deformed vertices [V, 3] f32 from `weights` [52], `lip` [K] and `pose` [6]."""
        vertices = self.shape(weights, lip)
        _skin(vertices, self._weights, self.bone_transforms(weights, pose))
        return vertices

    def bone_transforms(self, weights: Array, pose: Array | None) -> Array:
        """World transforms [bones, 3, 4] f32 relative to rest: the neck takes a share of the pose."""
        pose = np.zeros(6) if pose is None else np.asarray(pose, float)
        pivot = np.array(self.face.pivot)
        gaze = eye_rotation(weights)
        head = about(pivot, rotation(pose[:3]), pose[3:])
        neck = about(pivot, rotation(NECK_SHARE * pose[:3]), NECK_SHARE * pose[3:])
        result = np.tile(np.eye(3, 4), (len(self.face.bones), 1, 1))
        for name, i in self._bone.items():
            if name == "neck":
                result[i] = neck
            elif name in ("eye.L", "eye.R"):
                pitch, yaw = gaze[:2] if name == "eye.L" else gaze[2:]
                turn = about(np.array(self.face.bones[i].head), eye_turn(pitch, yaw), np.zeros(3))
                result[i] = compose(head, turn)
            else:
                result[i] = head
        return result.astype(np.float32)


def deform(face: FaceFile, weights: Array, lip: Array | None = None, pose: Array | None = None) -> Array:
    """Deformed vertices in metres. For many calls with one face keep a `Deformer`.

    Args:
        weights: [52] or [F, 52]; lip: [K] or [F, K]; pose: [6] or [F, 6], rotation vector (radians) and
            translation (metres) about the face's pivot.

    Returns:
        [V, 3] f32, or [F, V, 3] where `weights` has frames.
    """
    deformer = Deformer(face)
    if weights.ndim == 1:
        return deformer(weights, lip, pose)
    frames = [
        deformer(row, None if lip is None else lip[f], None if pose is None else pose[f])
        for f, row in enumerate(weights)
    ]
    return np.stack(frames) if frames else np.zeros((0, *face.vertices.shape), np.float32)


def eye_turn(pitch: float, yaw: float) -> Array:
    """Rotation [3, 3] of an eye that looks along -Y at rest."""
    return rotation(np.array([0.0, 0.0, yaw])) @ rotation(np.array([-pitch, 0.0, 0.0]))


def rotation(vector: Array) -> Array:
    """Rotation matrix [3, 3] of a rotation vector (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turned: Array = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turned


def about(point: Array, turn: Array, shift: Array) -> Array:
    """Affine [3, 4]: rotate by `turn` about `point`, then move by `shift`."""
    return np.column_stack([turn, point + shift - turn @ point])


def compose(outer: Array, inner: Array) -> Array:
    """Affine [3, 4] that applies `inner` first."""
    return np.column_stack([outer[:, :3] @ inner[:, :3], outer[:, :3] @ inner[:, 3] + outer[:, 3]])


def check_weights(weights: Array) -> None:
    """Raise `InputError` unless `weights` is one frame of ARKit weights."""
    if weights.shape != (len(ARKIT_NAMES),):
        raise InputError(f"expression weights have shape {weights.shape}, expected ({len(ARKIT_NAMES)},)")


@kernel
def _add_shapes(vertices: Array, weights: Array, start: Array, vertex: Array, delta: Array) -> None:
    for shape in range(weights.shape[0]):
        weight = weights[shape]
        if weight == 0.0:
            continue
        for row in range(start[shape], start[shape + 1]):
            v = vertex[row]
            vertices[v, 0] += weight * delta[row, 0]
            vertices[v, 1] += weight * delta[row, 1]
            vertices[v, 2] += weight * delta[row, 2]


@kernel
def _skin(vertices: Array, weights: Array, transforms: Array) -> None:
    """v += sum of weight * (transform(v) - v); what a row lacks to 1 stays with the collar."""
    for v in range(vertices.shape[0]):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        for axis in range(3):
            rest = vertices[v, axis]
            moved = rest
            for bone in range(weights.shape[1]):
                w = weights[v, bone]
                if w != 0.0:
                    m = transforms[bone, axis]
                    moved += w * (m[0] * x + m[1] * y + m[2] * z + m[3] - rest)
            vertices[v, axis] = moved

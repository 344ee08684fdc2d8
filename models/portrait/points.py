"""Where the landmarks lie on a face file's mesh."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array, read_tensors

from .landmarks import LANDMARKS

POINTS_ASSET = Path(__file__).resolve().parents[1] / "assets" / "landmark-points.safetensors"
_RING = "mediapipe"


@dataclass(frozen=True)
class MeshPoints:
    """Points on a mesh, one per landmark.

    Attributes:
        ids: [478, 3] i32 vertices; weights: [478, 3] f32, rows sum to 1.
        known: [478] bool.
    """

    ids: Array
    weights: Array
    known: Array

    def of(self, values: Array) -> Array:
        """Per-vertex `values` [..., V, C] at the points, [..., 478, C]."""
        taken: Array = (values[..., self.ids, :] * self.weights[..., None]).sum(-2)
        return taken


@dataclass(frozen=True)
class LandmarkTable:
    """What is known of the landmarks, whatever the mesh.

    Attributes:
        mirror: [478] i32 each landmark's twin on the other side.
        spread: [478] f32 how far the detector strays on drawn people, in inter-ocular distances (median).
    """

    mirror: Array
    spread: Array


def landmark_points(face: FaceFile) -> MeshPoints:
    """The landmarks on `face`: by its ring `mediapipe`, or by our table for the built-in head's topology.

    Raises:
        InputError: the face has neither.
    """
    ring = face.rings.get(_RING)
    if ring is not None and len(ring) == LANDMARKS:
        ids = np.repeat(np.asarray(ring, np.int32)[:, None], 3, 1)
        return MeshPoints(
            ids, np.tile(np.array([1, 0, 0], np.float32), (LANDMARKS, 1)), np.ones(LANDMARKS, bool)
        )
    content = read_tensors(POINTS_ASSET)
    if content.metadata["topology"] != topology(face):
        raise InputError(
            f"it is not known where the landmarks lie on {face.id}",
            "Use the built-in head, or a FaceVerse import with MediaPipe keypoints",
        )
    return MeshPoints(content.tensors["ids"], content.tensors["weights"], np.ones(LANDMARKS, bool))


def landmark_table() -> LandmarkTable:
    """The table that `python -m training.portrait_points` wrote."""
    tensors = read_tensors(POINTS_ASSET).tensors
    return LandmarkTable(tensors["mirror"], tensors["spread"])


def topology(face: FaceFile) -> str:
    """A name that two faces share if their polygons are the same."""
    polygons = np.ascontiguousarray(face.polygons, np.int32)
    return f"{len(face.vertices)}-{hashlib.sha256(polygons.tobytes()).hexdigest()[:16]}"

"""Heads from FaceVerse files talk in Blender: v2, v3 and v4, each in one of its versions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_coefficients
from blender_addon.protocol.arkit import sided_indices
from blender_addon.protocol.clip import ClipInfo, MotionClip, expression_clip, write_clip
from blender_addon.protocol.face import FaceFile, write_face
from blender_addon.protocol.tensorfile import Array
from models.face import deform
from tests.models import faceverse_files

from .conftest import Blender

FACEVERSE_IN = {"4.2.23": 2, "4.5.15": 3, "5.0.1": 4}
# Weights of a frame, and its lip contact.
FRAMES: tuple[tuple[dict[str, float], float], ...] = (
    ({}, 0.0),
    ({"jawOpen": 0.6}, 0.0),
    ({"jawOpen": 0.25, "mouthPress": 0.3}, 1.0),
    ({"jawOpen": 0.2, "mouthPucker": 0.7, "mouthFunnel": 0.4}, 0.0),
    ({"mouthSmile": 0.8, "jawOpen": 0.15}, 1.0),
    ({"eyeBlink": 1.0, "eyeLookUp": 0.4, "browInnerUp": 0.6}, 0.0),
)
SHUT = (2, 4)
NEAR = 4e-4  # metres: bone weights have steps of 1/255 in Blender


def talk(face: FaceFile) -> MotionClip:
    """A clip with lips that meet, solved on the face's own mesh, and a head that turns."""
    weights, contact = np.zeros((len(FRAMES), 52), np.float32), np.zeros((len(FRAMES), 2), np.float32)
    for frame, (named, touch) in enumerate(FRAMES):
        for name, value in named.items():
            weights[frame, sided_indices(name)] = value
        contact[frame, 0] = touch
    pose = np.zeros((len(FRAMES), 6), np.float32)
    pose[:, 0], pose[:, 2], pose[:, 3] = 0.1, np.linspace(-0.4, 0.4, len(FRAMES)), 0.01
    lip = solve_coefficients(prepare_lips(face), weights, contact, contact[:, 0])
    plain = expression_clip(ClipInfo(fps=24.0, face_id=face.id), weights, contact)
    return replace(plain, lip=lip, pose=pose)


def gap(vertices: Array, face: FaceFile) -> float:
    """Greatest height between the lips' lines, corners aside, millimetres."""
    upper, lower = (vertices[face.rings[f"lip_{lip}"]].astype(float) for lip in ("upper", "lower"))
    nearest = np.linalg.norm(upper[3:-3, None] - lower[None], axis=-1).min(1)
    return float(nearest.max()) * 1000


def test_a_head_talks(blender: Blender, tmp_path: Path) -> None:
    face = faceverse_files.imported(FACEVERSE_IN[blender.version]).face
    clip = talk(face)
    write_face(tmp_path / "face.safetensors", face)
    write_clip(tmp_path / "clip.safetensors", clip)
    extra = {"FACE": str(tmp_path / "face.safetensors"), "CLIP": str(tmp_path / "clip.safetensors")}
    blender.run("imported.talks", tmp_path, extra)
    shown = np.load(tmp_path / "vertices.npy")
    wanted = deform(face, clip.weights, clip.lip, clip.pose)
    assert np.linalg.norm(shown - wanted, axis=-1).max() < NEAR
    gaps = [gap(vertices, face) for vertices in shown]
    assert gaps[1] > 8
    assert max(gaps[frame] for frame in SHUT) < 1.5

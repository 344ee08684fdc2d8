"""A real head's pose, tracked in a video of one face: what `evaluate pose --video` lays beside ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from blender_addon.protocol.tensorfile import Array

from .mouth_track import EYE_DISTANCE, PUPILS, RIGID, FaceTrack, seen_frames, similarity, track_face

# From the pivot to the mean of the landmarks that are fitted, metres, on the built-in head.
_TO_FACE = np.array([0.0, -0.085, 0.03])
_FIELD_OF_VIEW = np.radians(63.0)  # vertical, what MediaPipe takes an unknown camera to have
_AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # right, down, away -> the face's
_PASSES = 4


@dataclass(frozen=True)
class HeadTrack:
    """A tracked head; frame i is at i / fps seconds.

    Attributes:
        pose: [F, 6] as in a clip, relative to the median pose: rotations as seen from the camera. Depth is
            a guess, from the size of the picture of the face.
        seen: [F] bool; elsewhere the pose is interpolated.
    """

    fps: float
    pose: Array
    seen: Array


def track_head(video: Path) -> HeadTrack:
    """Track the head of a video's face. Raises as `track_face` and `seen_frames` do."""
    return head_of(track_face(video), str(video))


def head_of(face: FaceTrack, where: str) -> HeadTrack:
    """The pose by fitting what is rigid of the face to its own mean shape."""
    seen = seen_frames(face.landmarks, where)
    points = face.landmarks[seen] @ _AXES.T
    marks = points[:, RIGID]
    centres = marks.mean(1)
    turns, sizes = _fitted(marks - centres[:, None])
    eyes = np.median(np.linalg.norm(points[:, PUPILS[0]] - points[:, PUPILS[1]], axis=1) / sizes)
    metres = EYE_DISTANCE / (eyes * sizes)[:, None]  # to a pixel at the face's distance
    focal = face.height / 2.0 / np.tan(_FIELD_OF_VIEW / 2.0)
    place = (centres - np.median(centres, axis=0)) * metres
    place[:, 1] = focal * metres[:, 0]
    shift = place - turns.apply(_TO_FACE)
    pose = np.concatenate([turns.as_rotvec(), shift], axis=1)
    frames, known = np.arange(len(seen)), np.flatnonzero(seen)
    pose = np.stack([np.interp(frames, known, column) for column in pose.T], axis=1)
    return HeadTrack(face.fps, pose - np.median(pose, axis=0), seen)


def _fitted(marks: Array) -> tuple[Rotation, Array]:
    """Centred [F, n, 3] -> how each frame is turned, and its size, relative to the mean shape."""
    shape = marks[0]
    for _ in range(_PASSES):
        fits = [similarity(frame, shape) for frame in marks]
        shape = np.mean([frame @ fit for frame, fit in zip(marks, fits, strict=True)], axis=0)
    scale = np.array([np.cbrt(np.linalg.det(fit)) for fit in fits])
    turns = Rotation.from_matrix(np.stack(fits) / scale[:, None, None])  # of rows: the reverse of columns'
    return turns * turns.mean().inv(), 1.0 / scale

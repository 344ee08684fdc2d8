"""Real heads: the pose of a head tracked in a video of one face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import butter, sosfiltfilt
from scipy.spatial.transform import Rotation

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.face.load import load_head

from .mouth_track import EYE_DISTANCE, PUPILS, RIGID, SEEN_SHARE, similarity

# Ids of the face mesh's landmarks: outer corners of the eyes, top of the forehead, chin. The last two are one
# above the other in a head that is held straight, within a degree.
_RIGHT_EYE, _LEFT_EYE, _FOREHEAD, _CHIN = 33, 263, 10, 152
_DISTANCE = 0.6  # metres from the camera, for what a face's size says of its depth; our choice
_PASSES = 3
_PASS_HZ = 7.0  # rapid head movements of speech end here, tremor begins (Hadar et al. 1983)


@dataclass(frozen=True)
class HeadTrack:
    """A tracked head; frame i is at i / fps seconds.

    Attributes:
        pose: [F, 6] rotation vector (radians) and translation (metres) about the pivot of the built-in head,
            in that head's axes, relative to the mean pose. Depth (column 4) is the least certain: it comes
            from the face's size, as if it were 0.6 m away.
        seen: [F] bool; elsewhere the pose is interpolated.
    """

    fps: float
    pose: Array
    seen: Array

    def at(self, rate: float) -> Array:
        """[T, 6] f32 poses at `rate` per second without what is faster than head gestures: the tracker's
        noise."""
        low_pass = butter(4, min(_PASS_HZ, 0.45 * rate), fs=self.fps, output="sos")
        times = np.arange(len(self.pose)) / self.fps
        smooth = CubicSpline(times, sosfiltfilt(low_pass, self.pose, axis=0), axis=0)
        count = int(np.floor(times[-1] * rate + 1e-6)) + 1
        return np.asarray(smooth(np.arange(count) / rate), np.float32)


def head_of(landmarks: Array, fps: float, where: str) -> HeadTrack:
    """Landmarks [F, 478, 3] of a face mesh (right, down, away; any unit), NaN where no face was seen.

    What is rigid of the face is turned, moved and scaled onto its own mean. The camera is taken to be far
    away: a head that moves across the picture seems to turn a little.
    """
    seen = np.isfinite(landmarks).all((1, 2))
    if seen.mean() < SEEN_SHARE:
        raise InputError(
            f"{where} shows a face in {seen.mean():.0%} of its frames", "Give a video of one face"
        )
    shown = landmarks[seen]
    mean, turns, scales = _fitted(shown)
    axes = _axes(mean)
    shift = _pivot_path(shown, mean, turns, scales, axes)
    vectors = Rotation.from_matrix(axes @ turns @ axes.T).as_rotvec()
    pose = np.concatenate([vectors, shift - shift.mean(0)], axis=1)
    frames, known = np.arange(len(landmarks)), np.flatnonzero(seen)
    whole = np.stack([np.interp(frames, known, column) for column in pose.T], axis=1)
    return HeadTrack(fps, whole, seen)


def _fitted(landmarks: Array) -> tuple[Array, Array, Array]:
    """[n, 478, 3] -> mean face [478, 3], and what turns it [n, 3, 3] and scales it [n] to each frame."""
    centred = landmarks - landmarks[:, RIGID].mean(1, keepdims=True)
    mean = centred[0]
    for _ in range(_PASSES):
        maps = np.stack([similarity(frame[list(RIGID)], mean[list(RIGID)]) for frame in centred])
        mean = (centred @ maps).mean(0)
    scales = 1.0 / np.cbrt(np.linalg.det(maps))
    turns = maps * scales[:, None, None]
    usual = Rotation.from_matrix(turns).mean().as_matrix()
    size = scales.mean()
    return size * mean @ usual.T, turns @ usual.T, scales / size


def _axes(mean: Array) -> Array:
    """[3, 3] rows: left, back and up of a face, in the camera's axes."""
    left = mean[_LEFT_EYE] - mean[_RIGHT_EYE]
    left = left / np.linalg.norm(left)
    up = mean[_FOREHEAD] - mean[_CHIN]
    up = up - left * (left @ up)
    up = up / np.linalg.norm(up)
    return np.stack([left, np.cross(up, left), up])


def _pivot_path(landmarks: Array, mean: Array, turns: Array, scales: Array, axes: Array) -> Array:
    """[n, 3] metres: where the pivot is, in the face's axes."""
    metres = EYE_DISTANCE / np.linalg.norm(mean[PUPILS[0]] - mean[PUPILS[1]])
    head = load_head()
    eyes = np.mean([bone.head for bone in head.bones if bone.name.startswith("eye")], axis=0)
    below_eyes = (np.array(head.pivot) - eyes) @ axes  # in the camera's axes
    from_centre = mean[list(PUPILS)].mean(0) * metres + below_eyes
    centre = landmarks[:, RIGID].mean(1) * metres
    centre = (centre - centre.mean(0)) / scales[:, None]
    centre[:, 2] = _DISTANCE / scales  # a face mesh has no depth of its own
    return np.asarray((centre + from_centre @ turns.transpose(0, 2, 1)) @ axes.T)

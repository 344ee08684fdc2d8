"""Where what is fixed to the skull lies in the portrait: the way back from a driven frame."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.face.deform import about, rotation

from .view import Reference


def way_back(reference: Reference, pose: Array, points: Array) -> Array:
    """[2, 3] f64 from a frame's pixels to the portrait's for `points` [n, 3] that follow `pose` [6]."""
    camera, pose = reference.camera, np.asarray(pose, float)
    move = about(np.array(reference.face.pivot), rotation(pose[:3]), pose[3:])
    then = camera.project(points)[:, :2].astype(float)
    now = camera.project(points @ move[:, :3].T + move[:, 3])[:, :2].astype(float)
    about_now, about_then = now - now.mean(0), then - then.mean(0)
    turn = np.linalg.solve(about_now.T @ about_now, about_now.T @ about_then).T
    return np.column_stack([turn, then.mean(0) - turn @ now.mean(0)])


def in_box(back: Array, left: int, top: int) -> Array:
    """`back` [2, 3] between pixel places for pixel indices of a box, as cv2's warps want them."""
    shifted: Array = back.astype(float).copy()
    shifted[:, 2] += back[:, 0] * (left + 0.5) + back[:, 1] * (top + 0.5) - 0.5
    return shifted

"""How the eyes must turn in a head that moves, to look where the gaze is."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.face import EYE_LOOK_DEGREES
from blender_addon.protocol.tensorfile import Array

VIEWER_DISTANCE = 1.0  # metres from the eyes to what they look at; our choice
# The left eye's centre relative to the pivot of a head, metres, as in the built-in head; another head's eyes
# are a few millimetres elsewhere, which turns gaze by some tenths of a degree.
EYE_PLACE = np.array([0.0315, -0.0755, 0.0328])
# Degrees up to which an eye turns freely and which it never exceeds: people turn the head beyond about 20
# (Stahl 1999), the oculomotor range is wider upright than across lids; the vertical ones are our choice.
_SIDE, _UP, _DOWN = (20.0, 31.0), (12.0, 21.0), (15.0, 26.0)


def eye_angles(target: Array, head: Array) -> Array:
    """Gaze [n, 4] in radians (left pitch, left yaw, right pitch, right yaw) before any limit.

    Args:
        target: [n, 2] degrees (left, up) seen from between the eyes of the head at rest, at 1 m.
        head: [n, 6] the head's pose, rotation vector (radians) and translation (metres).
    """
    left, up = np.radians(np.asarray(target, np.float64)).T
    toward = np.stack([np.sin(left) * np.cos(up), -np.cos(left) * np.cos(up), np.sin(up)], axis=1)
    middle = EYE_PLACE * (0.0, 1.0, 1.0)
    point = middle + VIEWER_DISTANCE * toward - np.asarray(head[:, 3:], np.float64)  # [n, 3]
    seen = Rotation.from_rotvec(np.asarray(head[:, :3], np.float64)).inv().apply(point)
    angles = []
    for side in (1.0, -1.0):
        x, y, z = (seen - EYE_PLACE * (side, 1.0, 1.0)).T
        angles += [np.arctan2(z, np.hypot(x, y)), np.arctan2(x, -y)]
    return np.stack(angles, axis=1)


def comfortable(angles: Array) -> Array:
    """[n, 4] radians, with what lies beyond a comfortable turn pressed together smoothly."""
    degrees = np.degrees(angles)
    pitch, yaw = degrees[:, 0::2], degrees[:, 1::2]
    degrees[:, 0::2] = np.where(pitch > 0, _pressed(pitch, *_UP), -_pressed(-pitch, *_DOWN))
    degrees[:, 1::2] = np.sign(yaw) * _pressed(np.abs(yaw), *_SIDE)
    return np.asarray(np.radians(degrees))


def look_weights(gaze: Array) -> Array:
    """[n, 52] f32 eyeLook* weights that turn the eyes by `gaze` [n, 4]; see `face.deform.eye_rotation`."""
    weights = np.zeros((len(gaze), len(ARKIT_NAMES)))
    degrees = np.degrees(gaze)
    for side, column, outward in (("Left", 0, 1.0), ("Right", 2, -1.0)):
        pitch, yaw = degrees[:, column], outward * degrees[:, column + 1]
        for name, angle in (("Up", pitch), ("Down", -pitch), ("Out", yaw), ("In", -yaw)):
            weights[:, ARKIT_INDEX[f"eyeLook{name}{side}"]] = np.maximum(angle, 0.0) / EYE_LOOK_DEGREES[name]
    return weights.astype(np.float32)


def _pressed(angle: Array, free: float, most: float) -> Array:
    over = np.maximum(angle - free, 0.0) / (most - free)
    return np.asarray(np.minimum(angle, free) + (most - free) * np.tanh(over))

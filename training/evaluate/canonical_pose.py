"""A head's turn by another model than ours: mediapipe's canonical face, by OpenCV's perspective solver."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.render.camera import Pinhole

# Places of landmarks on mediapipe's canonical face model (canonical_face_model.obj, Apache-2.0), centimetres:
# +x subject's left, +y up, +z out of the face. Landmarks on the bone of brow, nose, eye corners and cheeks.
_CANONICAL = {
    1: (0.0, -1.127, 7.476),
    4: (0.0, -0.463, 7.587),
    6: (0.0, 2.473, 5.789),
    168: (0.0, 3.271, 5.236),
    197: (0.0, 1.728, 6.317),
    2: (0.0, -2.089, 6.058),
    10: (0.0, 8.262, 4.482),
    151: (0.0, 6.545, 5.027),
    9: (0.0, 4.886, 5.385),
    8: (0.0, 4.019, 5.285),
    33: (-4.446, 2.664, 3.173),
    263: (4.446, 2.664, 3.173),
    133: (-1.856, 2.585, 3.758),
    362: (1.856, 2.585, 3.758),
    127: (-7.743, 2.365, -2.005),
    356: (7.743, 2.365, -2.005),
    234: (-7.664, 0.673, -2.436),
    454: (7.664, 0.673, -2.436),
    50: (-4.766, -0.702, 3.535),
    280: (4.766, -0.702, 3.535),
}
_FOCAL = 1.6  # sides of the picture; our choice, near the median of our own fits


def canonical_turn(landmarks: Array, size: tuple[int, int]) -> tuple[float, float]:
    """Yaw and pitch in degrees (to the picture's right, up) of a face of `landmarks` [478, 3]."""
    import cv2

    focal = _FOCAL * max(size)
    lens = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
    places = np.array(list(_CANONICAL.values())) * (1, -1, -1)
    seen = landmarks[list(_CANONICAL), :2].astype(np.float64)
    _, vector, _ = cv2.solvePnP(places, seen, lens, None, flags=cv2.SOLVEPNP_SQPNP)
    ahead = cv2.Rodrigues(vector)[0] @ np.array([0.0, 0.0, -1.0])
    return _yaw_pitch(ahead)


def head_pitch(camera: Pinhole) -> float:
    """Degrees by which a head looks up."""
    return _yaw_pitch(camera.rotation @ np.array([0.0, -1.0, 0.0]))[1]


def _yaw_pitch(ahead: Array) -> tuple[float, float]:
    right, down, forward = ahead
    yaw, pitch = np.arctan2(right, -forward), -np.arctan2(down, np.hypot(right, forward))
    return float(np.degrees(yaw)), float(np.degrees(pitch))

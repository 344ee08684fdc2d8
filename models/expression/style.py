"""What a face and a person's way of speaking tell the network: numbers around 0 for the average."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array

GEOMETRY_NAMES: tuple[str, ...] = ("mouth_width", "lip_thickness", "lower_face", "face_height")
# Each measure is the logarithm of a sum of distances over another distance, so that size and units do not
# matter: mouth over face width, both lips over mouth, lower face over face height, face height over width.
_RATIOS: tuple[tuple[tuple[tuple[str, str], ...], tuple[str, str]], ...] = (
    ((("mouth_corner.L", "mouth_corner.R"),), ("cheekbone.L", "cheekbone.R")),
    (
        (("lip_upper_border", "lip_upper_middle"), ("lip_lower_border", "lip_lower_middle")),
        ("mouth_corner.L", "mouth_corner.R"),
    ),
    ((("subnasale", "chin"),), ("nasion", "chin")),
    ((("nasion", "chin"),), ("cheekbone.L", "cheekbone.R")),
)
# Of the built-in head, and the deviations of 400 people drawn by `sample_identity`: tests measure them again.
_AVERAGE = np.array([-0.8726, -0.9774, -0.7403, -0.1706])
_DEVIATION = np.array([0.0449, 0.1419, 0.0559, 0.0672])
_FARTHEST = 3.0  # standard deviations: what lies outside is a cartoon, not a person


def geometry_descriptor(face: FaceFile) -> Array:
    """[4] f32 proportions of a face, `GEOMETRY_NAMES` order, in standard deviations of people.

    0 is the built-in head, and what a face without the landmarks is taken for. At most 3.
    """
    at = {name: face.vertices[index].astype(np.float64) for name, index in face.landmarks.items()}
    result = np.zeros(len(_RATIOS), np.float32)
    for i, (parts, whole) in enumerate(_RATIOS):
        if all(name in at for pair in (*parts, whole) for name in pair):
            length = sum(_apart(at, pair) for pair in parts) / max(_apart(at, whole), 1e-9)
            result[i] = (np.log(max(length, 1e-9)) - _AVERAGE[i]) / _DEVIATION[i]
    return np.clip(result, -_FARTHEST, _FARTHEST)


def _apart(at: dict[str, Array], pair: tuple[str, str]) -> float:
    return float(np.linalg.norm(at[pair[0]] - at[pair[1]]))

"""What a face and a person's way of speaking tell the network: numbers around 0 for the average."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from blender_addon.protocol.arkit import ARKIT_NAMES, sided_indices
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.controls import MotionStyle
from blender_addon.protocol.errors import InputError
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

# What a style scales, and how much one unit of sharpness adds to what is measured there: quicker articulators
# reach farther. From 300 articulated texts with known styles, as is the gain of sharpness itself.
_STYLED: tuple[tuple[str, tuple[str, ...], float], ...] = (
    ("jaw", ("jawOpen",), 0.39),
    ("rounding", ("mouthPucker", "mouthFunnel"), 0.16),
    ("spread", ("mouthStretch", "mouthSmile"), 0.27),
    ("effort", ("mouthPress", "mouthRollLower", "mouthRollUpper"), -0.07),
)
_QUICK = ("jawOpen", "mouthPucker", "mouthStretch")
_SHARPNESS_GAIN = 3.7
_SMOOTHING = 0.03  # seconds, deviation; keeps a tracker's noise from looking sharp; our choice
_LEFT = [i for i, n in enumerate(ARKIT_NAMES) if n[:5] == "mouth" and n[-4:] == "Left" and n != "mouthLeft"]
_RIGHT = [i + 1 for i in _LEFT]  # Apple's order
_LEAN = 0.35  # of the corpus: at asymmetry 1 one side moves 1.35 times as far, the other 0.65 times
_STILL = 0.01  # standard deviation of weights that are not moved


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


def estimate_style(reference: MotionClip, neutral: Array) -> MotionStyle:
    """How the person of `reference` speaks, compared with the average speaker saying the same.

    A group of shapes that the sound hardly uses counts as average, as does one that never moves: then the
    reference does not have it.

    Args:
        reference: motion of a real or animated mouth.
        neutral: [F, 52] weights that the model gives in the average style for the clip's own sound, at the
            clip's frame rate.

    Raises:
        InputError: the two are not equally long, or too short to compare.
    """
    weights = reference.weights
    if abs(len(weights) - len(neutral)) > 1 or len(neutral) < reference.info.fps:
        raise InputError(
            f"a style cannot be told from {len(weights)} frames of motion and {len(neutral)} frames of sound",
            "Give a clip with its own sound, of a second at least",
        )
    frames = min(len(weights), len(neutral))
    reach = _SMOOTHING * reference.info.fps
    found, usual = (gaussian_filter1d(w[:frames].astype(np.float64), reach, 0) for w in (weights, neutral))
    sharpness = _SHARPNESS_GAIN * _quicker(found, usual)
    values = {"sharpness": sharpness, "asymmetry": _asymmetry(found) - _asymmetry(usual)}
    sharpness = float(np.clip(sharpness, -1.0, 1.0))
    for name, shapes, carried in _STYLED:
        farther = _spread(found, shapes) / max(_spread(usual, shapes), _STILL)
        if min(_spread(found, shapes), _spread(usual, shapes)) > _STILL:
            values[name] = 2.0 * float(np.log2(farther)) - carried * sharpness
    return MotionStyle(**{name: float(np.clip(value, -1.0, 1.0)) for name, value in values.items()})


def _spread(weights: Array, shapes: tuple[str, ...]) -> float:
    """Standard deviation over time of the mean of `shapes`."""
    return float(weights[:, sided_indices(*shapes)].mean(1).std())


def _quicker(found: Array, usual: Array) -> float:
    """By how many octaves the mean frequency of the shapes that both move is higher in `found`."""
    moved = [name for name in _QUICK if min(_spread(found, (name,)), _spread(usual, (name,))) > _STILL]
    return float(np.mean([_octaves(found, name) - _octaves(usual, name) for name in moved])) if moved else 0.0


def _octaves(weights: Array, name: str) -> float:
    """Speed of a shape over its size, as a logarithm."""
    curve = weights[:, sided_indices(name)].mean(1)
    return float(np.log2(np.diff(curve).std() / curve.std()))


def _asymmetry(weights: Array) -> float:
    """How much more the left of the mouth moves, in units of the style."""
    left, right = float(weights[:, _LEFT].sum()), float(weights[:, _RIGHT].sum())
    total = left + right
    return 0.0 if total < _STILL * len(weights) else (left - right) / total / _LEAN

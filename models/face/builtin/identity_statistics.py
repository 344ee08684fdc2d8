"""How identity weights vary and go together: limits in standard deviations, and named couplings.

The signs follow what anthropometry and everyday observation agree on (men's heads are larger with heavier
brows and jaws; noses and ears lengthen and lids sink with age; soft tissue fills with weight; parts of one
bone grow together). The amounts are our judgement, not taken from a table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .mesh import Floats

_LIMIT = 2.5
# Where one direction soon stops looking human, or has no meaning (fewer bags than none).
_LIMITS: dict[str, tuple[float, float]] = {
    "masculine": (-2.0, 2.0),
    "age": (-1.5, 2.5),
    "weight": (-1.8, 2.5),
    "eyeBags": (-1.5, 2.5),
    "lidFold": (-1.8, 2.5),
    "noseHump": (-1.8, 2.5),
    "eyeOpening": (-2.0, 2.0),
    "upperLipFullness": (-2.0, 2.5),
    "lowerLipFullness": (-2.0, 2.5),
    "earFlare": (-1.8, 2.5),
    "nasolabialFold": (-1.5, 2.5),
    "tearTrough": (-1.5, 2.5),
    "jowls": (-1.5, 2.5),
    "doubleChin": (-1.5, 2.5),
    "frownLines": (-1.2, 2.5),
    "foreheadLines": (-1.2, 2.5),
}

_Couplings = dict[tuple[str, str], float]
# Sex, age and weight: beyond what their own fields already move.
_SEX: _Couplings = {
    ("masculine", "size"): 0.45,
    ("masculine", "lowerFaceLength"): 0.25,
    ("masculine", "noseLength"): 0.25,
    ("masculine", "noseProjection"): 0.25,
    ("masculine", "larynx"): 0.45,
    ("masculine", "shoulderWidth"): 0.5,
    ("masculine", "foreheadHeight"): 0.15,
    ("masculine", "cheekboneForward"): -0.15,
}
_AGE: _Couplings = {
    ("age", "weight"): 0.15,
    ("age", "noseTipRotation"): -0.3,
    ("age", "lipProjection"): -0.2,
    ("age", "templeFullness"): -0.3,
    ("age", "mouthCornerHeight"): -0.25,
}
_WEIGHT: _Couplings = {
    ("weight", "faceWidth"): 0.3,
    ("weight", "templeFullness"): 0.3,
    ("weight", "eyeDepth"): -0.15,
    ("weight", "cheekboneForward"): -0.15,
}
_SIZE: _Couplings = {
    ("size", "neckWidth"): 0.25,
    ("size", "earSize"): 0.25,
    ("size", "shoulderWidth"): 0.3,
    ("size", "eyeSize"): -0.3,  # eyeballs vary far less than heads
}
# Parts of one bone, cartilage or muscle.
_PARTS: _Couplings = {
    ("headWidth", "foreheadWidth"): 0.4,
    ("headWidth", "faceWidth"): 0.35,
    ("headLength", "cranialHeight"): 0.2,
    ("cranialHeight", "foreheadHeight"): 0.35,
    ("faceWidth", "cheekboneWidth"): 0.4,
    ("faceWidth", "jawWidth"): 0.3,
    ("faceWidth", "eyeSpacing"): 0.3,
    ("faceWidth", "mouthWidth"): 0.25,
    ("midfaceLength", "noseLength"): 0.4,
    ("lowerFaceLength", "chinHeight"): 0.35,
    ("lowerFaceLength", "philtrumLength"): 0.3,
    ("browRidge", "eyeDepth"): 0.4,
    ("browRidge", "browHeight"): -0.35,
    ("browRidge", "foreheadSlope"): 0.3,
    ("browHeight", "lidFold"): -0.35,
    ("eyeOpening", "lidFold"): -0.35,
    ("eyeOpening", "eyeSize"): 0.35,
    ("eyeTilt", "browTilt"): 0.3,
    ("noseBridgeHeight", "noseProjection"): 0.4,
    ("noseBridgeHeight", "noseHump"): 0.25,
    ("noseBridgeHeight", "noseWidth"): -0.3,
    ("noseBridgeWidth", "noseWidth"): 0.35,
    ("noseWidth", "noseTipWidth"): 0.4,
    ("noseWidth", "nostrilFlare"): 0.4,
    ("noseHump", "noseTipRotation"): -0.3,
    ("noseLength", "noseTipRotation"): -0.3,
    ("jawWidth", "jawAngle"): 0.25,
    ("jawWidth", "chinWidth"): 0.35,
    ("jawWidth", "neckWidth"): 0.25,
    ("cheekFullness", "jawWidth"): 0.2,
    ("upperLipFullness", "lowerLipFullness"): 0.6,
    ("upperLipFullness", "lipProjection"): 0.35,
    ("lowerLipFullness", "lipProjection"): 0.3,
    ("upperLipFullness", "philtrumLength"): -0.25,
    ("lipProjection", "chinProjection"): -0.2,
    ("earSize", "earFlare"): 0.15,
    ("neckWidth", "shoulderWidth"): 0.35,
    ("neckWidth", "neckLength"): -0.25,
    ("nasolabialFold", "jowls"): 0.3,
    ("tearTrough", "eyeBags"): 0.3,
    ("frownLines", "foreheadLines"): 0.3,
    ("doubleChin", "neckWidth"): 0.25,
}
COUPLINGS: _Couplings = _SEX | _AGE | _WEIGHT | _SIZE | _PARTS
_LEAST_EIGENVALUE = 0.05


def limits(names: Sequence[str]) -> Floats:
    """Least and greatest sensible weight [I, 2] of the fields `names`."""
    return np.array([_LIMITS.get(name, (-_LIMIT, _LIMIT)) for name in names])


def correlation(names: Sequence[str]) -> Floats:
    """Correlation [I, I] of the fields `names`: the couplings, made positive definite where they conflict."""
    place = {name: i for i, name in enumerate(names)}
    matrix = np.eye(len(names))
    for (one, other), amount in COUPLINGS.items():
        matrix[place[one], place[other]] = matrix[place[other], place[one]] = amount
    values, vectors = np.linalg.eigh(matrix)
    matrix = vectors * np.maximum(values, _LEAST_EIGENVALUE) @ vectors.T
    matrix = (matrix + matrix.T) / 2
    scale = 1 / np.sqrt(np.diag(matrix))
    result: Floats = matrix * scale * scale[:, None]
    return result

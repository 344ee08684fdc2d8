"""What a picture says of the albedo of each vertex, and how far it is to be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array

from .basis_look import of_region
from .light import harmonics
from .seen import Seen, blurred, sampled
from .spread import MeshSpread
from .tones import Tone, hair_tone, skin_tone

# Our choices. Cosines to the camera between which a surface begins to be believed; power of the light that
# is taken out and its limits; metres over which a vertex's colour is taken; metres from the face's outline
# within which colours that are neither skin nor hair are not believed; metres from where lips or lids meet.
_FACING = (0.20, 0.55)
_GENTLE, _SHADE_LIMITS = 0.9, (0.35, 2.5)
_SOFT = 0.0012
_OUTLINE = (0.004, 0.018)
_LIP_LINE, _LID_LINE = (0.0005, 0.0020), (0.0004, 0.0014)
_EVEN = 3  # rounds of smoothing that take the edge off what is believed
_SHOWING = ("face", "scalp", "nose", "eyelids", "upper_lip", "lower_lip")  # where landmarks hold the fit
DARKEST = 2e-3  # linear albedo


@dataclass(frozen=True)
class Evidence:
    """Per vertex of a fitted head.

    Attributes:
        points: [V, 2] pixels.
        shade: [V, 3] light of the picture against its mean on the face, to be divided by.
        color: [V, 3] logarithm of the linear albedo, averaged over a millimetre.
        trust: [V] 0-1.
        skin, hair: how much `color` is like the person's skin, hair, [V] 0-1.
        hair_tone: of the scalp as far as it is seen, or None.
    """

    points: Array
    shade: Array
    color: Array
    trust: Array
    skin: Array
    hair: Array
    hair_tone: Tone | None


def gathered(face: FaceFile, view: Seen, mesh: MeshSpread, radiance: Array, light: Array) -> Evidence:
    """The evidence of a picture, linear [H, W, 3], under `light` [9, 3]."""
    trust = _seen_well(face, view, mesh)
    front = trust * of_region(face, "face", "nose")
    shade = np.maximum(harmonics(view.normals) @ light, 1e-3)
    mean = np.average(shade, axis=0, weights=front) if front.any() else shade.mean(0)
    shade = np.clip(shade / mean, *_SHADE_LIMITS) ** _GENTLE
    soft = blurred(radiance, _SOFT * view.pixels_per_metre)
    color = np.log(np.maximum(sampled(soft, view.points) / shade, DARKEST))
    scalp = of_region(face, "scalp")
    skin, hair = skin_tone(color[front > 0.5]), hair_tone(color[scalp & (trust > 0.3)])
    like_skin = np.zeros(len(color)) if skin is None else skin.likeness(color)
    like_hair = np.zeros(len(color)) if hair is None else hair.likeness(color) * scalp
    inner = _inside_outline(face)
    trust = mesh.smoothed(trust * (inner + (1 - inner) * np.maximum(like_skin, like_hair)), 1)
    return Evidence(view.points, shade, color, trust, like_skin, like_hair, hair)


def smoothstep(value: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    result: Array = t * t * (3 - 2 * t)
    return result


def _seen_well(face: FaceFile, view: Seen, mesh: MeshSpread) -> Array:
    """[V] 0-1: turned to the camera, not hidden, away from where skin parts."""
    trust = view.visible * smoothstep(view.facing, *_FACING) * of_region(face, *_SHOWING)
    even = np.clip(2 * mesh.smoothed(trust.astype(float), _EVEN) - 1, 0, 1)
    trust = np.minimum(trust, even) * _away_from(face, _LIP_LINE, "lip_upper", "lip_lower")
    for side in "LR":
        trust = trust * _away_from(face, _LID_LINE, f"lid_upper.{side}", f"lid_lower.{side}")
    return trust


def _away_from(face: FaceFile, fade: tuple[float, float], *rings: str) -> Array:
    """[V] 0 on the rings, 1 away from them."""
    lines = [face.vertices[face.rings[name]] for name in rings if name in face.rings]
    if not lines:
        return np.ones(len(face.vertices))
    return smoothstep(cKDTree(np.concatenate(lines)).query(face.vertices)[0], *fade)


def _inside_outline(face: FaceFile) -> Array:
    """[V] 1 on the face's middle, 0 at the hairline, ears and jaw."""
    outside = of_region(face, "scalp", "ears", "neck")
    if not outside.any():
        return np.ones(len(outside))
    return smoothstep(cKDTree(face.vertices[outside]).query(face.vertices)[0], *_OUTLINE)

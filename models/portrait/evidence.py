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
from .tones import Tone, alike, hair_tone, skin_tone

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
_FRINGE = (0.03, 0.06)  # metres from the scalp to which hair hangs into the face
_BALD = 0.15  # share of the scalp's seen part that is covered, below which the head is bald
_SKIN_LEVELS = (0.03, 0.48)  # linear brightness of skin; a picture outside is badly exposed
LUMA = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709
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
        hair_zone: where hair may be, [V] 0-1.
        hair_tone: of the scalp as far as it is seen, or None.
    """

    points: Array
    shade: Array
    color: Array
    trust: Array
    skin: Array
    hair: Array
    hair_zone: Array
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
    skin = skin_tone(color[front > 0.5])
    color, shade, like_skin = _exposed(color, shade, skin)
    hair = _hair_in_sight(face, color, trust, like_skin)
    zone = _hair_zone(face)
    like_hair, like_both = np.zeros(len(color)), like_skin
    if hair is not None and skin is not None:
        like_hair = alike(color, hair.color, hair.color)
        like_both = np.maximum(like_skin, alike(color, hair.color, skin.color) * zone)
    inner = _inside_outline(face)
    trust = mesh.smoothed(trust * (inner + (1 - inner) * like_both), 1)
    return Evidence(view.points, shade, color, trust, like_skin, like_hair, zone, hair)


def smoothstep(value: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    result: Array = t * t * (3 - 2 * t)
    return result


def _exposed(color: Array, shade: Array, skin: Tone | None) -> tuple[Array, Array, Array]:
    """Colours and shade with the skin brought to a possible albedo, and the likeness to skin."""
    if skin is None:
        return color, shade, np.zeros(len(color))
    level = float(np.exp(skin.color) @ LUMA)
    over = np.log(level / np.clip(level, *_SKIN_LEVELS))
    return color - over, shade * np.exp(over), skin.likeness(color)


def _hair_in_sight(face: FaceFile, color: Array, trust: Array, like_skin: Array) -> Tone | None:
    """The tone of what covers the scalp; of its skin where hardly anything does."""
    scalp = of_region(face, "scalp") & (trust > 0.3)
    covered = scalp & (like_skin < 0.5)
    bald = covered.sum() < _BALD * scalp.sum()
    return hair_tone(color[scalp if bald else covered])


def _hair_zone(face: FaceFile) -> Array:
    """[V] 1 on the scalp and near it above the eyes, fading out below."""
    scalp = of_region(face, "scalp")
    eyes = [bone.head[2] for bone in face.bones if bone.name in ("eye.L", "eye.R")]
    if not scalp.any() or not eyes:
        return scalp.astype(float)
    away = cKDTree(face.vertices[scalp]).query(face.vertices)[0]
    above = smoothstep(face.vertices[:, 2] - max(eyes), 0.0, 0.015)
    near: Array = np.maximum(scalp, above * (1 - smoothstep(away, *_FRINGE)))
    return near


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

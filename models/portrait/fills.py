"""Colours for what a picture does not show: the head's other half, else the basis in the person's tones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array

from .basis_look import BasisLook, of_region
from .evidence import DARKEST, Evidence
from .spread import MeshSpread

_ANCHOR = 30.0  # how strongly a seen vertex holds its colour against its neighbours' (our choice)
_BARE = ("face", "nose", "eyelids", "neck", "ears")
_INSIDE = 0.2  # how strongly the mouth's inside keeps its own colour
_BROW_DARK = 30  # percentile of brightness at brow hairs that is a brow's colour (our choice)


@dataclass(frozen=True)
class Fills:
    """Per vertex; gains are logarithms of linear factors.

    Attributes:
        twin: [V] i64 the vertex whose colours stand in.
        twin_gain: [V, 3] what brings them to the level of their new neighbours; twin_trust: [V] 0-1.
        skin_gain: [V, 3] from the basis' skin to the person's; hair_gain: [V, 3] the same of hair.
        more_hair: [V] what is added to the basis' share of hair, -1 to 1.
    """

    twin: Array
    twin_gain: Array
    twin_trust: Array
    skin_gain: Array
    hair_gain: Array
    more_hair: Array


def fills_for(face: FaceFile, basis: BasisLook, found: Evidence, mesh: MeshSpread, twin: Array) -> Fills:
    """Gains that continue seamlessly what is seen."""
    other = found.trust[twin]
    gain = mesh(found.color - found.color[twin], _ANCHOR * np.minimum(found.trust, other), np.zeros(3))
    from_twin = (1 - found.trust) * other
    known = found.trust + from_twin
    person = found.trust[:, None] * found.color + from_twin[:, None] * (found.color[twin] + gain)
    person = person / np.maximum(known, 1e-6)[:, None]
    skin = _skin_gain(face, basis, found, mesh, person, known)
    hair = _hair_gain(face, basis, found, mesh, person, skin)
    return Fills(twin, gain, other, skin, hair, _more_hair(basis, found, mesh))


def bound_brows(face: FaceFile, found: Evidence) -> Evidence:
    """`found` with brow hairs lit and believed as the skin under them: they show the picture too."""
    hairs = np.flatnonzero(of_region(face, "brows"))
    skin = np.flatnonzero(of_region(face, "face", "nose", "eyelids"))
    if not len(hairs) or not len(skin):
        return found
    roots = skin[cKDTree(face.vertices[skin]).query(face.vertices[hairs])[1]]
    shade, trust = found.shade.copy(), found.trust.copy()
    shade[hairs], trust[hairs] = shade[roots], trust[roots]
    return replace(found, shade=shade, trust=trust)


def brow_gain(face: FaceFile, found: Evidence) -> Array:
    """[3] from the basis' brow hairs to the person's brows; 0 where no brow is seen."""
    hairs = of_region(face, "brows")
    shown = found.color[hairs & (found.trust > 0.5)]
    if not len(shown):
        return np.zeros(3)
    level = shown.mean(1)
    dark = shown[level <= np.percentile(level, _BROW_DARK)].mean(0)
    gain: Array = dark - np.log(np.maximum(face.color[hairs].mean(0), DARKEST))
    return gain


def _skin_gain(
    face: FaceFile, basis: BasisLook, found: Evidence, mesh: MeshSpread, person: Array, known: Array
) -> Array:
    lips = of_region(face, "upper_lip", "lower_lip")
    sure = known * np.where(lips, 1.0, found.skin * of_region(face, *_BARE))
    gain = person - np.log(np.maximum(basis.skin_color, DARKEST))
    face_sure = sure * ~lips
    inside = of_region(face, "inner_mouth")  # lipstick ends there
    gain[inside], sure[inside] = 0.0, _INSIDE
    mean = np.average(gain, axis=0, weights=face_sure) if face_sure.any() else np.zeros(3)
    return mesh(gain, _ANCHOR * sure, mean)


def _hair_gain(
    face: FaceFile, basis: BasisLook, found: Evidence, mesh: MeshSpread, person: Array, skin: Array
) -> Array:
    if found.hair_tone is None:  # no hair in sight: as the basis has it
        return np.zeros_like(skin)
    mean = found.hair_tone.color - np.log(np.maximum(basis.hair_color, DARKEST))
    gain = person - np.log(np.maximum(face.color, DARKEST))
    sure = found.trust * found.hair * (1 - found.skin) * (basis.hair_share > 0.8)
    return mesh(gain, _ANCHOR * sure, mean)


def _more_hair(basis: BasisLook, found: Evidence, mesh: MeshSpread) -> Array:
    """[V] hair that goes on beyond what is seen of it, or that ends where the basis has some."""
    here = found.hair * (1 - found.skin)
    sure = found.trust * found.hair_zone * (found.hair + found.skin > 0.5)
    more = mesh((here - basis.hair_share)[:, None], _ANCHOR * sure, np.zeros(1))[:, 0]
    result: Array = np.clip(more, -1, 1) * found.hair_zone
    return result

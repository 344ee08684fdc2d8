"""What the basis head looks like of itself: bare skin, painted hair, and where each is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import zoom
from scipy.spatial import cKDTree

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.regions import SKIN_REGIONS

from .seen import linear
from .spread import MeshSpread
from .texels import Texels

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709
_DARK = (0.50, 0.80)  # brightness against bare skin: all hair below, none above (our choice)
_HAIR_REACH = 0.035  # metres round the scalp in which dark paint is hair (our choice)
_BROW_REACH = 0.012  # metres round the roots of brow hairs


def of_region(face: FaceFile, *names: str) -> Array:
    """[V] bool: vertices of the named regions, none for a region that the face lacks."""
    wanted = [number for number, name in enumerate(face.region_names) if name in names]
    chosen: Array = np.isin(face.region, wanted)
    return chosen


def of_material(face: FaceFile, texels: Texels, *names: str) -> Array:
    """[N] bool: texels of the named materials."""
    wanted = [number for number, name in enumerate(face.material_names) if name in names]
    chosen: Array = np.isin(texels.material, wanted)
    return chosen


def base_albedo(face: FaceFile, texels: Texels) -> Array:
    """[size, size, 3] f32 linear: the face's own texture, or its vertex colours."""
    own = face.textures.get("albedo")
    if own is None:
        flat = np.zeros((texels.size * texels.size, 3), np.float32)
        return texels.painted(flat.reshape(texels.size, texels.size, 3), texels.of_vertices(face.color))
    image = linear(own[..., :3])
    factor = texels.size / image.shape[0]
    return image if factor == 1 else zoom(image, (factor, factor, 1), order=1, grid_mode=True, mode="nearest")


@dataclass(frozen=True)
class BasisLook:
    """The basis' albedo taken apart, linear.

    Attributes:
        image: [size, size, 3] f32 as it is.
        color: [N, 3] f32 the same at the texels; skin: [N, 3] f32 without painted hair.
        hair: [N] f32 how much of a texel is painted hair, 0-1; brows do not count.
        skin_color: [V, 3] bare skin; hair_color: [3] mean of the painted hair.
        hair_share: [V] 0-1.
    """

    image: Array
    color: Array
    skin: Array
    hair: Array
    skin_color: Array
    hair_color: Array
    hair_share: Array

    @staticmethod
    def of(face: FaceFile, texels: Texels, mesh: MeshSpread) -> BasisLook:
        """Take the look of `face` apart; without a region `scalp` there is no hair."""
        skin = of_region(face, *SKIN_REGIONS) & ~of_region(face, "inner_mouth", "upper_lip", "lower_lip")
        light = face.color @ _LUMA
        middle = float(np.median(light[of_region(face, "face")])) if of_region(face, "face").any() else 0.3
        bare_vertex = skin & (light > 0.8 * middle)
        zone = _near(face, of_region(face, "scalp"), _HAIR_REACH)
        brow = _near(face, of_region(face, "brows"), _BROW_REACH)
        zone *= 1 - brow
        bare = face.color.astype(float)
        paint = (zone + brow > 0) & skin
        if paint.any():
            filled = mesh(
                np.log(np.maximum(bare, 1e-3)), 50.0 * bare_vertex, np.log(bare[bare_vertex].mean(0))
            )
            bare[paint] = np.exp(filled)[paint]
        image = base_albedo(face, texels)
        color = image.reshape(-1, 3)[texels.place]
        at = texels.of_vertices(np.column_stack([bare, zone, np.maximum(zone, brow), paint]))
        dark = _darkness((color @ _LUMA) / np.maximum(at[:, :3] @ _LUMA, 1e-4))
        covered = (dark * at[:, 4] * (at[:, 5] > 0))[:, None]
        hair_share = _darkness(light / np.maximum(bare @ _LUMA, 1e-4)) * zone * skin
        dyed = hair_share > 0.9
        return BasisLook(
            image,
            color,
            color + covered * (at[:, :3] - color),
            dark * at[:, 3],
            bare,
            face.color[dyed].mean(0) if dyed.any() else np.full(3, 0.05),
            hair_share,
        )


def _darkness(ratio: Array) -> Array:
    t = np.clip((_DARK[1] - ratio) / (_DARK[1] - _DARK[0]), 0, 1)
    result: Array = t * t * (3 - 2 * t)
    return result


def _near(face: FaceFile, chosen: Array, reach: float) -> Array:
    """[V] 1 on and near the chosen vertices, fading out at `reach` metres; 0 where there are none."""
    if not chosen.any():
        return np.zeros(len(chosen))
    away = cKDTree(face.vertices[chosen]).query(face.vertices)[0]
    result: Array = np.clip(2 - 2 * away / reach, 0, 1)
    return result

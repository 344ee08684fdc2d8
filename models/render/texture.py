"""A face's textures as the preview samples them."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.srgb import srgb_to_linear

from .shade import TEXEL_STEP

MATT = 0.5  # the roughness at which a material shines as its constants say
_SHINE = (0.6, 1.4)  # least and greatest factor


def surface_texture(face: FaceFile) -> Array:
    """[h, w, 4] f32 linear albedo and shine of `face`, first row at v = 1; h = 0 for one without albedo."""
    albedo = face.textures.get("albedo")
    if albedo is None or albedo.shape[2] != 3:
        return np.zeros((0, 0, 4), np.float32)
    light = srgb_to_linear(np.arange(256) / 255.0).astype(np.float32)
    height, width = albedo.shape[:2]
    shine = np.ones((height, width), np.float32)
    if "roughness" in face.textures:
        rough = face.textures["roughness"]
        rows = np.arange(height) * rough.shape[0] // height
        columns = np.arange(width) * rough.shape[1] // width
        shine = np.clip(MATT * 255.0 / np.maximum(rough[rows][:, columns, 0], 1.0), *_SHINE)
    return np.concatenate([light[albedo], shine[..., None].astype(np.float32)], 2)


def reduced(texture: Array, texels_per_pixel: float) -> Array:
    """`texture` [h, w, 4] halved as long as a pixel covers more than 1.5 of its texels."""
    while texels_per_pixel > 1.5 and min(texture.shape[:2]) >= 4:
        height, width = texture.shape[0] // 2 * 2, texture.shape[1] // 2 * 2
        texture = texture[:height, :width].reshape(height // 2, 2, width // 2, 2, 4).mean((1, 3))
        texels_per_pixel /= 2
    return texture


def texels(texture: Array) -> Array:
    """`texture` [h, w, 4] as the shader holds it: u8 square roots of light."""
    coded: Array = np.round(np.sqrt(texture) / TEXEL_STEP).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(coded)


def texels_per_pixel(points: Array, triangles: Array, uv: Array, texture: Array) -> float:
    """Texels that a pixel covers along an edge, on the middle of what faces the camera.

    Args:
        points: [V, 3] in pixels of the picture; triangles: [T, 3]; uv: [T, 3, 2] in 0-1.
    """
    screen = _twice_area(points[triangles][..., :2])
    facing = screen < 0  # y runs down
    if not facing.any():
        return 1.0
    texels = np.abs(_twice_area(uv[facing])) * texture.shape[0] * texture.shape[1]
    order = np.argsort(texels / screen[facing])
    middle = np.searchsorted(np.cumsum(screen[facing][order]) / screen[facing].sum(), 0.5)
    return float(np.sqrt(np.abs((texels / screen[facing])[order][middle])))


def _twice_area(corners: Array) -> Array:
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area: Array = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    return area

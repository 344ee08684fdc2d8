"""A portrait's colours on the texture of its fitted head.

Each texel is a mixture of three: the picture, its light taken out; the picture at the texel's mirror image;
the basis' own albedo. The second and third are first brought to the level of what they continue, by gains
that follow the seen parts' borders and spread smoothly over the mesh, so that no seam shows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.deform import Deformer
from models.render.texture import texels_per_pixel
from models.render.triangles import Triangles

from .basis_look import BasisLook, of_material
from .evidence import LUMA, Evidence, gathered, smoothstep
from .fills import Fills, bound_brows, brow_gain, fills_for
from .fit import PortraitFit
from .irises import iris_color
from .seen import coded, linear, mirrored, sampled, seen
from .spread import MeshSpread
from .texels import Texels

SIZES = (1024, 2048)  # texels a side
_MARGIN = 8  # pixels of the picture kept round the head
_COARSE = 0.8  # texels per pixel of the picture below which the larger size is taken (our choice)
_PAINTED = ("skin", "lips", "scalp", "mouth", "brows")
_BELIEVED = 0.002  # below this share the picture is not looked at
_LIGHT_HAIR = 1.5  # times its mean, the lightest that the basis' painted hair is; the rest is skin between it
_WHITE = (0.25, 0.45)  # linear brightness between which a cornea shows iris or white
_IRIS_LIMITS = (0.15, 6.0)  # factors of the basis' iris colour (our choice)


def textured(fit: PortraitFit, picture: Array) -> FaceFile:
    """`fit.face` with the albedo of the person in `picture` [H, W, 3] u8 sRGB, as texture and vertex colours.

    Raises:
        InputError: the picture is not the one that was fitted.
    """
    if picture.shape[:2] != (fit.size[1], fit.size[0]):
        raise InputError(
            f"the picture has {picture.shape[1]} x {picture.shape[0]} pixels, the fitted one "
            f"{fit.size[0]} x {fit.size[1]}",
            "Give the picture that was fitted",
        )
    face = fit.face
    fit, radiance = _close(fit, picture)
    view = seen(fit, face)
    mesh = MeshSpread(face.vertices, face.polygons)
    texels = Texels.of(face, SIZES[_texels_per_pixel(fit, SIZES[0]) < _COARSE])
    basis = BasisLook.of(face, texels, mesh)
    found = bound_brows(face, gathered(face, view, mesh, radiance, fit.light))
    fills = fills_for(face, basis, found, mesh, mirrored(face))
    colors = basis.color.copy()
    painted = of_material(face, texels, *_PAINTED)
    filled = _filled(face, texels, basis, fills, brow_gain(face, found))
    colors[painted] = _composed(texels.chosen(painted), filled[painted], found, fills, radiance)
    colors = _dyed(face, texels, colors, iris_color(fit, radiance))
    albedo = coded(texels.painted(basis.image, colors))
    return replace(
        face, textures=dict(face.textures) | {"albedo": albedo}, color=_vertex_colors(face, linear(albedo))
    )


def _close(fit: PortraitFit, picture: Array) -> tuple[PortraitFit, Array]:
    """The part of a picture that the head covers, linear [h, w, 3], no finer than the texture; its fit."""
    points = fit.camera.project(Deformer(fit.face)(fit.weights))[:, :2]
    left, top = np.clip(np.floor(points.min(0)).astype(int) - _MARGIN, 0, np.array(fit.size) - 1)
    right, bottom = np.clip(np.ceil(points.max(0)).astype(int) + _MARGIN, (left + 1, top + 1), fit.size)
    factor = min(max(int(1 / _texels_per_pixel(fit, SIZES[1])), 1), right - left, bottom - top)
    width, height = (right - left) // factor, (bottom - top) // factor
    part = linear(picture[top : top + height * factor, left : left + width * factor])
    radiance = part.reshape(height, factor, width, factor, 3).mean((1, 3))
    marks = (fit.landmarks - (left, top, 0)) / factor
    camera = fit.camera.cropped(float(left), float(top), 1 / factor)
    return replace(fit, camera=camera, landmarks=marks, size=(width, height)), radiance


def _texels_per_pixel(fit: PortraitFit, size: int) -> float:
    drawn = Triangles.of(fit.face)
    points = fit.camera.project(fit.face.vertices)
    return texels_per_pixel(points, drawn.ids, drawn.uv, np.empty((size, size, 0)))


def _filled(face: FaceFile, texels: Texels, basis: BasisLook, fills: Fills, brow: Array) -> Array:
    """[N, 3] linear colours where nothing is seen."""
    at = texels.of_vertices(np.column_stack([fills.skin_gain, fills.hair_gain, fills.more_hair]))
    gain, share = np.exp(at[:, :6]), basis.hair[:, None]
    hair = basis.hair_color + share * (
        np.minimum(basis.color, _LIGHT_HAIR * basis.hair_color) - basis.hair_color
    )
    colors: Array = basis.skin * gain[:, :3]
    colors += np.clip(share + at[:, 6:], 0, 1) * (hair * gain[:, 3:] - colors)
    hairs = of_material(face, texels, "brows")
    colors[hairs] = basis.color[hairs] * np.exp(brow)
    return colors


def _composed(texels: Texels, filled: Array, found: Evidence, fills: Fills, radiance: Array) -> Array:
    """[N, 3] linear: `filled`, over it the mirrored picture, over it the picture itself."""
    twin, still = fills.twin, np.zeros_like(fills.twin_gain)
    shade = np.log(found.shade)
    layers = (
        (found.points[twin], fills.twin_gain - shade[twin], fills.twin_trust),
        (found.points, still - shade, found.trust),
    )
    mixed = np.sqrt(filled)  # mixed as the eye sees them, not as light adds up
    for points, gain, trust in layers:
        at = texels.of_vertices(np.column_stack([trust, points, gain]))
        use = at[:, 0] > _BELIEVED
        shown = sampled(radiance, at[use, 1:3]) * np.exp(at[use, 3:])
        mixed[use] += at[use, :1] * (np.sqrt(shown) - mixed[use])
    result: Array = np.square(mixed)
    return result


def _dyed(face: FaceFile, texels: Texels, colors: Array, color: Array | None) -> Array:
    """`colors` [N, 3] with irises, and corneas that show them, of another mean colour, their pattern kept."""
    iris, cornea = (of_material(face, texels, name) for name in ("iris", "cornea"))
    if color is None or not iris.any():
        return colors
    gain = np.clip(color / np.maximum(colors[iris].mean(0), 1e-3), *_IRIS_LIMITS)
    clear = smoothstep(colors @ LUMA, *_WHITE) * cornea
    amount = (iris + cornea * (1 - clear))[:, None]
    dyed: Array = colors * (1 + amount * (gain - 1))
    return dyed


def _vertex_colors(face: FaceFile, albedo: Array) -> Array:
    """[V, 3] f32: `face.color` with the texture's [H, W, 3] on what was painted."""
    names = [i for i, name in enumerate(face.material_names) if name in (*_PAINTED, "iris")]
    rows = np.isin(face.material, names)
    corners, uv = face.polygons[rows], face.uv[rows]
    whole = corners >= 0
    height, width = albedo.shape[:2]
    x = np.clip(uv[whole][:, 0] * width, 0, width - 1).astype(int)
    y = np.clip((1 - uv[whole][:, 1]) * height, 0, height - 1).astype(int)
    color = face.color.copy()
    color[corners[whole]] = albedo[y, x]
    return color

"""What a picture shows of each vertex of a fitted head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.deform import Deformer
from models.render.camera import Pinhole
from models.render.raster import Raster, rasterize, vertex_normals
from models.render.triangles import TWO_SIDED, Triangles
from models.render.visible import visible_points
from models.srgb import linear_to_srgb, srgb_to_linear

from .fit import PortraitFit

_VIEW = 640  # pixels; size at which hidden vertices are found (our choice)
_CLEAR = ("cornea", *TWO_SIDED)  # materials that hide nothing


@dataclass(frozen=True)
class Seen:
    """The head in the picture, with the portrait's own expression.

    Attributes:
        points: [V, 2] pixels of the picture.
        facing: [V] cosine between the normal and the way to the camera.
        visible: [V] bool, in the picture and not hidden.
        normals: [V, 3] unit, rest axes.
        pixels_per_metre: at the face's distance.
    """

    points: Array
    facing: Array
    visible: Array
    normals: Array
    pixels_per_metre: float


def seen(fit: PortraitFit, face: FaceFile) -> Seen:
    """Where `face`, `fit.face` or one aligned to the picture, is seen."""
    vertices = Deformer(face)(fit.weights)
    triangles = Triangles.of(face)
    normals = vertex_normals(vertices, triangles.ids[: triangles.fronts])
    camera = fit.camera
    position = -camera.rotation.T @ camera.translation
    toward: Array = position - vertices
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    clear = [i for i, name in enumerate(face.material_names) if name in _CLEAR]
    solid = np.ascontiguousarray(triangles.ids[~np.isin(triangles.material, clear)])
    points = camera.project(vertices)
    inside = (points[:, :2] >= 0).all(1) & (points[:, :2] <= np.array(fit.size)).all(1)
    distance = camera.view(np.array([face.pivot]))[0, 2]
    return Seen(
        points[:, :2].astype(float),
        (normals * toward).sum(1),
        inside & _unhidden(camera, vertices, solid),
        normals,
        float(camera.focal / distance),
    )


def _unhidden(camera: Pinhole, vertices: Array, triangles: Array) -> Array:
    points = camera.project(vertices)
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    close = camera.cropped(float(low[0]), float(low[1]), _VIEW / float((high - low).max()))
    points = close.project(vertices)
    raster = Raster.empty(_VIEW, _VIEW)
    rasterize(points, triangles, raster)
    visible = np.empty(len(vertices), bool)
    visible_points(points, triangles, raster.triangle, visible)
    return visible


def mirrored(face: FaceFile) -> Array:
    """[V] i64 for each vertex the nearest one to its mirror image, which faces the same way mirrored."""
    triangles = Triangles.of(face)
    normals = vertex_normals(face.vertices, triangles.ids[: triangles.fronts])
    keys = np.column_stack([face.vertices, 1e-3 * normals])  # a turned surface counts as a millimetre away
    nearest: Array = cKDTree(keys).query(keys * (-1, 1, 1, -1, 1, 1))[1]
    return nearest


def linear(picture: Array) -> Array:
    """u8 sRGB as f32 linear light 0-1."""
    table = srgb_to_linear(np.arange(256) / 255.0).astype(np.float32)
    values: Array = table[picture]
    return values


def coded(light: Array) -> Array:
    """Linear light as u8 sRGB."""
    values: Array = np.round(linear_to_srgb(np.clip(light, 0, 1)) * 255).astype(np.uint8)
    return values


def blurred(light: Array, sigma: float) -> Array:
    """[H, W, 3] with a Gaussian of `sigma` pixels."""
    if sigma < 0.3:
        return light
    result: Array = gaussian_filter(light, (sigma, sigma, 0), mode="nearest", truncate=2.5)
    return result


def sampled(light: Array, points: Array) -> Array:
    """`light` [H, W, 3] at `points` [N, 2] pixels (centres at +0.5), between pixels linearly: [N, 3]."""
    at = (points - 0.5)[:, ::-1].T
    return np.stack([map_coordinates(light[..., c], at, order=1, mode="nearest") for c in range(3)], 1)

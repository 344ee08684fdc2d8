"""Light on a fitted face, from the skin's pixels."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.deform import deform
from models.render import rasterize_batch, visibility
from models.render.camera import Pinhole
from models.render.raster import vertex_normals
from models.render.triangles import Triangles
from models.srgb import srgb_to_linear

from .light import measured_light

_PIXELS = 256  # side of the square in which visibility is found
_REGIONS = ("face", "nose")
_FACING = 0.25  # cosine from which skin is trusted


def skin_light(picture: Array, face: FaceFile, weights: Array, camera: Pinhole) -> Array:
    """[9, 3] light under which the albedo of `face` looks like the picture [H, W, 3] u8 sRGB."""
    vertices = deform(face, weights.astype(np.float32))
    every = Triangles.of(face)
    normals = vertex_normals(vertices, every.ids[: every.fronts]).astype(np.float64)
    points = camera.project(vertices)
    rows = _skin(face)
    low, high = points[rows, :2].min(0), points[rows, :2].max(0)
    view = camera.cropped(float(low[0]), float(low[1]), _PIXELS / max(float((high - low).max()), 1.0))
    small = view.project(vertices)[None]
    seen = visibility(rasterize_batch(small, every.ids, (_PIXELS, _PIXELS)), small, every.ids)[0]
    away = camera.rotation.T @ -camera.translation - vertices
    facing = (normals * away).sum(1) / np.linalg.norm(away, axis=1)
    height, width = picture.shape[:2]
    inside = ((points[:, :2] >= 0) & (points[:, :2] < (width, height))).all(1)
    rows = rows[(seen & inside & (facing > _FACING))[rows]]
    if not len(rows):
        return np.zeros((9, 3), np.float32)
    x, y = np.floor(points[rows, :2]).astype(int).T
    trust = facing[rows]
    return measured_light(
        normals[rows], face.color[rows].astype(np.float64), srgb_to_linear(picture[y, x] / 255.0), trust
    ).astype(np.float32)


def _skin(face: FaceFile) -> Array:
    regions = [face.region_names.index(name) for name in _REGIONS if name in face.region_names]
    part = np.isin(face.region, regions)
    return np.flatnonzero(part) if part.any() else np.arange(len(face.vertices))

"""Portraits of which all is known: a person of the built-in head, drawn under known light."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import map_coordinates

from blender_addon.protocol.face import FaceFile
from models.face import load_head
from models.face.deform import Deformer
from models.face.identity import sample_identity, with_identity
from models.portrait.fit import PortraitFit
from models.portrait.light import harmonics
from models.render.camera import Camera, Pinhole
from models.render.raster import Raster, interpolate, rasterize, vertex_normals
from models.render.triangles import Triangles

BACKGROUND = (0.10, 0.22, 0.16)


@dataclass(frozen=True)
class DrawnPortrait:
    """`picture` [H, W, 3] u8, the fit that it was drawn from, and the head with its true albedo."""

    picture: np.ndarray
    fit: PortraitFit
    truth: FaceFile


def drawn_portrait(
    seed: int, yaw: float = 0.0, pitch: float = 0.0, size: int = 512, weights: np.ndarray | None = None
) -> DrawnPortrait:
    """A random person with a complexion of their own; `yaw`, `pitch` as in `Camera`, degrees."""
    rng = np.random.default_rng(seed)
    basis = load_head(None)
    identity = sample_identity(basis, rng)
    person = with_identity(basis, identity)
    truth = replace(person, textures=dict(person.textures) | {"albedo": complexion(basis, rng)})
    weights = np.zeros(52) if weights is None else weights
    camera = pinhole(Camera(yaw=yaw, pitch=pitch, span=0.34), size)
    light = random_light(rng)
    picture = drawn(truth, weights, camera, light, size)
    marks = np.zeros((478, 3), np.float32)
    fit = PortraitFit(person, identity, weights, np.zeros(4), camera, light, marks, (size, size), 0.0)
    return DrawnPortrait(picture, replace(fit, landmarks=_with_irises(fit, basis)), truth)


def complexion(face: FaceFile, rng: np.random.Generator) -> np.ndarray:
    """The face's albedo in other colours, with moles, one cheek redder, and darker or lighter all over."""
    albedo = decoded(face.textures["albedo"])
    height, width = albedo.shape[:2]
    albedo = albedo ** rng.uniform(0.8, 1.6) * rng.uniform(0.75, 1.05) * rng.uniform(0.85, 1.15, 3)
    y, x = np.mgrid[:height, :width] / height
    for _ in range(25):
        u, v = rng.uniform(0.25, 0.75), rng.uniform(0.1, 0.62)
        spot = np.exp(-((x - u) ** 2 + (y - v) ** 2) / rng.uniform(0.003, 0.012) ** 2)
        albedo *= 1 - 0.6 * spot[..., None]
    albedo[..., 1:] *= 1 - 0.25 * np.exp(-((x - 0.7) ** 2 + (y - 0.4) ** 2) / 0.08**2)[..., None]
    return encoded(albedo)


def random_light(rng: np.random.Generator) -> np.ndarray:
    """[9, 3]: one soft light from before and aside, and more or less from all around."""
    toward = np.array([rng.uniform(-0.8, 0.8), -1.0, rng.uniform(0.0, 0.8)])
    toward /= np.linalg.norm(toward)
    shares = np.array([3.14, *[2.09] * 3, *[0.785] * 5])  # a clamped cosine's bands (Ramamoorthi)
    lamp = harmonics(toward[None])[0] * shares * rng.uniform(0.15, 0.35)
    around = np.eye(9)[0] * rng.uniform(1.2, 2.0)
    light = lamp[:, None] * rng.uniform(0.9, 1.1, 3) + around[:, None]
    # Exposed so that what faces the camera is as bright as its albedo.
    return np.asarray(light / (harmonics(np.array([[0.0, -1.0, 0.0]])) @ light).mean())


def pinhole(camera: Camera, size: int) -> Pinhole:
    """The same view as `camera`'s of a square picture."""
    axes = camera.axes()
    focal = size * camera.distance / camera.span
    return Pinhole(axes, -axes @ camera.position(), focal, (size / 2, size / 2))


def drawn(face: FaceFile, weights: np.ndarray, camera: Pinhole, light: np.ndarray, size: int) -> np.ndarray:
    """[size, size, 3] u8: albedo times light, at twice the size and averaged."""
    vertices = Deformer(face)(weights)
    triangles = Triangles.of(face)
    raster = Raster.empty(2 * size, 2 * size)
    solid = np.ones(len(triangles.ids), bool)
    for name in ("cornea", "brows", "lashes"):
        solid &= triangles.material != face.material_names.index(name)
    ids = np.ascontiguousarray(triangles.ids[solid])
    rasterize(camera.cropped(0, 0, 2.0).project(vertices), ids, raster)
    normals = interpolate(raster, ids, vertex_normals(vertices, triangles.ids[: triangles.fronts]))
    normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-6)
    corners = np.arange(3 * len(ids), dtype=np.int32).reshape(-1, 3)
    uv = interpolate(raster, corners, triangles.uv[solid].reshape(-1, 2))
    image = decoded(face.textures["albedo"])
    at = np.stack([(1 - uv[..., 1]) * image.shape[0] - 0.5, uv[..., 0] * image.shape[1] - 0.5])
    albedo = np.stack([map_coordinates(image[..., c], at, order=1, mode="nearest") for c in range(3)], -1)
    shade = (harmonics(normals.reshape(-1, 3)) @ light).reshape(normals.shape).clip(0.02)
    radiance = np.where(raster.triangle[..., None] >= 0, albedo * shade, BACKGROUND)
    return encoded(radiance.reshape(size, 2, size, 2, 3).mean((1, 3)))


def decoded(code: np.ndarray) -> np.ndarray:
    """u8 sRGB -> linear."""
    code = code / 255.0
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def encoded(light: np.ndarray) -> np.ndarray:
    """Linear -> u8 sRGB."""
    light = np.clip(light, 0, 1)
    code = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(code * 255).astype(np.uint8)


def _with_irises(fit: PortraitFit, basis: FaceFile) -> np.ndarray:
    """Landmarks of which only the irises are given: the subject's right, then left; centre and four sides."""
    marks = fit.landmarks.copy()
    face = fit.face
    iris = face.polygons[face.material == face.material_names.index("iris")]
    for name, first in (("eye.R", 468), ("eye.L", 473)):
        region = face.region_names.index(name)
        own = np.unique(iris[(face.region[iris] == region).all(1)])
        points = fit.camera.project(face.vertices[own])
        centre, radius = points.mean(0), np.ptp(points[:, 0]) / 2
        around = np.array([[0, 0], [radius, 0], [0, -radius], [-radius, 0], [0, radius]])
        marks[first : first + 5, :2] = centre[:2] + around
    return marks

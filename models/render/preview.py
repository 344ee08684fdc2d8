"""A shaded talking head on the CPU: one picture per frame of motion."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.deform import Deformer

from .camera import Camera
from .cavity import CavityLight
from .look import backdrop, materials, studio_lights
from .occlusion import ShadowMap, light_and_occlusion
from .raster import Raster, rasterize, vertex_normals
from .shade import SAMPLES, Drawn, Scene, shade_frame, srgb_table
from .texture import reduced, surface_texture, texels, texels_per_pixel
from .triangles import Triangles

BLOCK_METRES = 0.002  # size of the occlusion buffers' blocks at the head's distance
_SMALLEST, _LARGEST = 16, 8192


class PreviewRenderer:
    """Draws one face in one picture size. Not for use from two threads at once; processes are independent."""

    def __init__(self, face: FaceFile, size: tuple[int, int], camera: Camera | None = None) -> None:
        """`size` is (width, height) in pixels."""
        if min(size) < _SMALLEST or max(size) > _LARGEST:
            raise InputError(
                f"a preview cannot have {size[0]} x {size[1]} pixels",
                f"Choose {_SMALLEST} to {_LARGEST} pixels a side",
            )
        self._width, self._height = size
        self._camera = Camera() if camera is None else camera
        self._deformer = Deformer(face)
        triangles = Triangles.of(face)
        self._triangles, self._material = triangles.ids, triangles.material
        self._fronts = triangles.ids[: triangles.fronts]
        self._backed, self._rows = _attribute_rows(triangles, len(face.vertices))
        self._texture, self._uv = self._sampled(face, triangles.uv)
        self._lights, self._materials = studio_lights(), materials(face.material_names)
        self._cavity = CavityLight(face)
        self._surface = np.insert(face.color, 3, 1.0, axis=1).astype(np.float32)
        self._lids = _upper_lids(face)
        self._raster = Raster.empty(SAMPLES * self._width, SAMPLES * self._height)
        self._shadow = ShadowMap.toward(self._lights.toward[0].astype(float))
        self._background = backdrop(self._width, self._height)
        self._srgb = srgb_table()

    def frame(self, weights: Array, pose: Array | None = None, lip: Array | None = None) -> Array:
        """The picture [H, W, 3] u8 sRGB of `weights` [52], `pose` [6] and `lip` [K]."""
        return self.draw(self._deformer(weights, lip, pose))

    def materials_seen(self, vertices: Array) -> Array:
        """Material index [2H, 2W] i32 of each sample of deformed `vertices` [V, 3], -1 on the background."""
        points = self._camera.project(vertices, SAMPLES * self._width, SAMPLES * self._height)
        rasterize(points, self._triangles, self._raster)
        return np.where(self._raster.triangle >= 0, self._material[self._raster.triangle], -1)

    def draw(self, vertices: Array) -> Array:
        """The picture [H, W, 3] u8 sRGB of deformed `vertices` [V, 3]."""
        points = self._camera.project(vertices, SAMPLES * self._width, SAMPLES * self._height)
        rasterize(points, self._triangles, self._raster)
        out = np.empty((self._height, self._width, 3), np.uint8)
        shade_frame(self._drawn(vertices), self._scene(vertices), self._srgb, out)
        return out

    def _drawn(self, vertices: Array) -> Drawn:
        normals = vertex_normals(vertices, self._fronts)
        cavity = self._cavity(vertices)[:, None]
        fronts = np.concatenate([vertices, normals, self._surface, cavity], 1)
        backs = fronts[self._backed]
        backs[:, 3:6] *= -1
        attributes = np.concatenate([fronts, backs])
        raster = self._raster
        return Drawn(
            raster.depth,
            raster.triangle,
            raster.bary,
            self._rows,
            self._material,
            attributes,
            self._uv,
            self._texture,
        )

    def _sampled(self, face: FaceFile, uv: Array) -> tuple[Array, Array]:
        """The texture at the size this picture needs, and the corners' `uv` [T, 3, 2] in its pixels."""
        texture = surface_texture(face)
        points = self._camera.project(face.vertices, self._width, self._height)
        if len(texture):
            texture = reduced(texture, texels_per_pixel(points, self._triangles, uv, texture))
        size = np.array([texture.shape[1], texture.shape[0]], np.float32)
        return texels(texture), np.ascontiguousarray((uv * (1, -1) + (0, 1)) * size, np.float32)

    def _scene(self, vertices: Array) -> Scene:
        self._shadow.draw(vertices, self._triangles)
        samples_per_metre = min(self._width, self._height) * SAMPLES / self._camera.span
        block = max(round(BLOCK_METRES * samples_per_metre), 2)
        soft = light_and_occlusion(
            self._raster,
            self._shadow,
            self._shadow.project(vertices),
            self._triangles,
            block,
            samples_per_metre / block,
        )
        return Scene(
            self._lights,
            self._materials,
            soft,
            vertices[self._lids],
            self._camera.position().astype(np.float32),
            self._background,
        )


def _attribute_rows(triangles: Triangles, vertices: int) -> tuple[Array, Array]:
    """Vertices [n] with a back, whose attributes follow all others', and the corners' rows [T, 3]."""
    backed, place = np.unique(triangles.ids[triangles.fronts :], return_inverse=True)
    rows = triangles.ids.copy()
    rows[triangles.fronts :] = vertices + place.reshape(-1, 3)
    return backed, rows


def _upper_lids(face: FaceFile) -> Array:
    """Vertex ids of the upper lid margins; none for a face without them."""
    names = [name for name in ("lid_upper.L", "lid_upper.R") if name in face.rings]
    return np.concatenate([face.rings[name] for name in names] or [np.zeros(0, np.int32)])

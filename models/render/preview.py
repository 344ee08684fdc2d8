"""A shaded talking head on the CPU: one picture per frame of motion."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.deform import Deformer

from .camera import Camera
from .cavity import CavityLight
from .occlusion import ShadowMap, light_and_occlusion
from .raster import Raster, rasterize, vertex_normals
from .shade import (
    GROUND,
    LIGHT_COLORS,
    LIGHT_DIRECTIONS,
    SKY,
    Surfaces,
    backdrop,
    shade_frame,
    srgb_table,
)

SAMPLES = 2  # per pixel and axis
BLOCK = 4  # samples per block of the occlusion buffers
TWO_SIDED = ("brows", "lashes")


class PreviewRenderer:
    """Draws one face in one picture size. Not for use from two threads at once; processes are independent."""

    def __init__(self, face: FaceFile, size: tuple[int, int], camera: Camera | None = None) -> None:
        """`size` is (width, height) in pixels."""
        self._width, self._height = size
        if min(size) < 16 or max(size) > 8192:
            raise InputError(f"a preview of {size[0]} x {size[1]} pixels", "Choose 16 to 8192 pixels a side")
        self._camera = Camera() if camera is None else camera
        self._deformer = Deformer(face)
        self._triangles, self._material = triangulate(face)
        self._surfaces = Surfaces.of(face.material_names)
        self._cavity = CavityLight(face)
        self._albedo = face.color.astype(np.float32)
        self._lids = np.concatenate(
            [face.rings[name] for name in ("lid_upper.L", "lid_upper.R") if name in face.rings]
            or [np.zeros(0, np.int32)]
        )
        self._raster = Raster.empty(SAMPLES * self._width, SAMPLES * self._height)
        self._shadow = ShadowMap.toward(LIGHT_DIRECTIONS[0].astype(float))
        self._background = backdrop(self._width, self._height)
        self._srgb = srgb_table()

    def frame(self, weights: Array, pose: Array | None = None, lip: Array | None = None) -> Array:
        """The picture [H, W, 3] u8 sRGB of `weights` [52], `pose` [6] and `lip` [K]."""
        return self.draw(self._deformer(weights, lip, pose))

    def draw(self, vertices: Array) -> Array:
        """The picture [H, W, 3] u8 sRGB of deformed `vertices` [V, 3]."""
        raster, triangles = self._raster, self._triangles
        points = self._camera.project(vertices, SAMPLES * self._width, SAMPLES * self._height)
        rasterize(points, triangles, raster)
        self._shadow.draw(vertices, triangles)
        blocks_per_metre = min(self._width, self._height) * SAMPLES / BLOCK / self._camera.span
        soft = light_and_occlusion(
            raster, self._shadow, self._shadow.project(vertices), triangles, BLOCK, blocks_per_metre
        )
        attributes = np.concatenate(
            [
                vertices,
                vertex_normals(vertices, triangles),
                self._albedo,
                self._cavity(vertices)[:, None],
            ],
            axis=1,
        ).astype(np.float32)
        out = np.empty((self._height, self._width, 3), np.uint8)
        shade_frame(
            raster.depth,
            raster.triangle,
            raster.bary,
            triangles,
            self._material,
            attributes,
            vertices[self._lids],
            self._surfaces.table,
            self._surfaces.eye,
            soft,
            self._background,
            LIGHT_DIRECTIONS,
            LIGHT_COLORS,
            SKY,
            GROUND,
            self._camera.position().astype(np.float32),
            self._srgb,
            out,
        )
        return out


def triangulate(face: FaceFile) -> tuple[Array, Array]:
    """Triangles [T, 3] i32 and their material [T] i32; hair ribbons are drawn from both sides."""
    quads = face.polygons
    whole = quads[:, 3] >= 0
    triangles = np.concatenate([quads[:, :3], quads[whole][:, [0, 2, 3]]])
    material = np.concatenate([face.material, face.material[whole]]).astype(np.int32)
    ribbon = np.isin(material, [i for i, name in enumerate(face.material_names) if name in TWO_SIDED])
    triangles = np.concatenate([triangles, triangles[ribbon][:, ::-1]])
    return np.ascontiguousarray(triangles, np.int32), np.concatenate([material, material[ribbon]])

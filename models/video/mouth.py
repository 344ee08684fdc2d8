"""A portrait's mouth inside: the driven mesh's teeth, gums, tongue and cavity in the picture's light."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.render.cavity import CavityLight
from models.render.raster import Raster, rasterize, vertex_normals

from .mouth_kernel import shade_mouth
from .mouth_opening import Opening, Outline
from .tones import Tones, encoded
from .view import Driven, Overlay, Reference

SAMPLES = 2  # per pixel and axis
_PARTS = ("inner_mouth", "upper_teeth", "lower_teeth", "gums", "tongue")
# Linear albedo under white light, our choice after photographs of teeth: darker and warmer than one thinks.
_ALBEDO = {
    "upper_teeth": (0.50, 0.43, 0.33),
    "lower_teeth": (0.42, 0.355, 0.265),
    "gums": (0.36, 0.115, 0.105),
    "tongue": (0.36, 0.120, 0.110),
    "inner_mouth": (0.22, 0.050, 0.045),
}
_WET = {"upper_teeth": 0.10, "lower_teeth": 0.08, "gums": 0.06, "tongue": 0.05, "inner_mouth": 0.02}
_TEXTURED = 0.8  # how much of the head's own painted variation shows
_BEHIND_LIPS = 8  # rings of the lips from here on are inside
_LARGEST = 400  # pixels of the mouth's width drawn with several samples


class InnerMouth:
    """The mouth of one portrait."""

    def __init__(self, reference: Reference, tones: Tones) -> None:
        face = reference.face
        self._reference, self._tones = reference, tones
        names = list(face.region_names)
        regions = [names.index(n) for n in _PARTS if n in names]
        chosen = np.isin(face.region, regions)
        for ring, ids in face.rings.items():
            part, _, number = ring.partition(".")
            if part in ("lip_upper", "lip_lower") and number.isdigit() and int(number) >= _BEHIND_LIPS:
                chosen[ids] = True
        triangles = reference.triangles[chosen[reference.triangles].all(1)]
        self._vertices, inverse = np.unique(triangles, return_inverse=True)
        self._triangles = np.ascontiguousarray(inverse.reshape(-1, 3).astype(np.int32))
        self._albedo, self._wet = self._surfaces(regions)
        self._cavity = CavityLight(face)
        self._opening = Opening(face)
        self._raster = Raster.empty(8, 8)
        self.notes: tuple[str, ...] = ()

    def _surfaces(self, regions: list[int]) -> tuple[Array, Array]:
        """Albedo in the picture's white [n, 3] linear, and how wet [n]."""
        face, tones = self._reference.face, self._tones
        names = np.array(face.region_names)[face.region[self._vertices]]
        albedo = np.tile(np.array(_ALBEDO["inner_mouth"]), (len(names), 1))
        wet = np.full(len(names), _WET["inner_mouth"])
        for name in _PARTS:
            rows = names == name
            if rows.any():
                painted = face.color[self._vertices[rows]].astype(float)
                relative = painted / np.maximum(np.median(painted, 0), 1e-3)
                albedo[rows] = np.array(_ALBEDO[name]) * relative ** (_TEXTURED * (1 - tones.flat))
                wet[rows] = _WET[name]
        behind = np.char.find(names.astype(str), "lip") >= 0
        albedo[behind] = 0.55 * tones.skin / np.maximum(tones.white, 1e-3) * np.array([0.9, 0.45, 0.45])
        wet *= 1 - tones.flat
        return (albedo * tones.white).astype(np.float32), (wet * tones.white.mean()).astype(np.float32)

    def draw(self, driven: Driven) -> Overlay | None:
        """The mouth of a frame; None where the lips are closed."""
        size = self._reference.picture.shape[:2]
        outline = self._opening.outline(driven.points)
        box = outline.box(size)
        if box is None:
            return None
        coverage = outline.coverage(box)
        if coverage.max() <= 0:
            return None
        color = self._shaded(driven, outline, box)
        return Overlay(*box[:2], color * coverage[..., None], coverage)

    def _shaded(self, driven: Driven, outline: Outline, box: tuple[int, int, int, int]) -> Array:
        """[h, w, 3] f32 sRGB code of the box."""
        left, top, right, bottom = box
        samples = SAMPLES if right - left < _LARGEST else 1
        width, height = (right - left) * samples, (bottom - top) * samples
        raster = self._buffers(width, height)
        points = driven.points[self._vertices].copy()
        points[:, :2] = (points[:, :2] - np.array([left, top], np.float32)) * np.float32(samples)
        rasterize(points, self._triangles, raster)
        color = np.empty((bottom - top, right - left, 3), np.float32)
        radiance = self._radiance(driven)
        shade_mouth(raster.triangle, raster.bary, self._triangles, radiance, self._dark(), samples, color)
        return encoded(color)

    def _buffers(self, width: int, height: int) -> Raster:
        whole = self._raster
        if whole.depth.shape[0] < height or whole.depth.shape[1] < width:
            tall, wide = np.maximum(whole.depth.shape, (height, width)).tolist()
            self._raster = whole = Raster.empty(wide, tall)
        if whole.depth.shape == (height, width):
            return whole
        self._raster = Raster.empty(width, height)
        return self._raster

    def _radiance(self, driven: Driven) -> Array:
        """[n, 3] f32 linear light that the vertices send to the camera."""
        vertices = driven.vertices[self._vertices]
        normals = vertex_normals(vertices, self._triangles)
        arrives = self._cavity(driven.vertices)[self._vertices]
        lit = self._tones.lit(normals) * arrives
        toward = -self._reference.camera.rotation[2].astype(np.float32)
        facing = np.clip(normals @ toward, 0, 1)
        shine = self._wet * facing**24 * arrives
        radiance: Array = self._albedo * lit[:, None] + shine[:, None]
        return np.ascontiguousarray(radiance, np.float32)

    def _dark(self) -> Array:
        return 0.3 * self._tones.dark * np.array([1.0, 0.8, 0.75], np.float32)

"""A portrait's mouth inside: the driven mesh's teeth, gums, tongue and cavity in the picture's light."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.deform import rotation
from models.render.raster import Raster, rasterize, vertex_normals

from .mouth_kernel import MouthSurface, mouth_radiance, shade_mouth
from .mouth_light import Entrance
from .mouth_opening import Opening
from .own_mouth import Box, OwnMouth
from .tones import Tones, encoded
from .view import Driven, Overlay, Reference

SAMPLES = 2  # per pixel and axis
_PARTS = ("inner_mouth", "upper_teeth", "lower_teeth", "gums", "tongue")
# Linear albedo under white light, our choice after photographs of teeth: darker and warmer than one thinks.
_ALBEDO = {
    "upper_teeth": (0.60, 0.52, 0.41),
    "lower_teeth": (0.50, 0.43, 0.33),
    "gums": (0.36, 0.115, 0.105),
    "tongue": (0.46, 0.165, 0.150),
    "inner_mouth": (0.22, 0.050, 0.045),
}
_WET = {"upper_teeth": 0.10, "lower_teeth": 0.08, "gums": 0.06, "tongue": 0.05, "inner_mouth": 0.02}
_TEXTURED = 0.8  # how much of the head's own painted variation shows
_BEHIND_LIPS = 8  # rings of the lips from here on are inside
_MATCH = (0.6, 1.7)  # how far the picture's own teeth may differ from usual ones
_SHADOW = np.array([0.30, 0.24, 0.22])  # of the picture's darkest colour
_FLAT_CAVITY = np.array([0.20, 0.06, 0.06])  # of the skin's colour
_GROOVE, _GROOVE_DEPTH = 0.002, 0.3  # metres, and how dark: the middle of the tongue
_BACK = 0.35  # of a normal, +Y is backward: teeth that turn away farther are not drawn
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
        triangles = triangles[_seen_from_before(face, triangles)]
        used, inverse = np.unique(triangles, return_inverse=True)
        self._vertices = used.astype(np.int32)
        self._triangles = np.ascontiguousarray(inverse.reshape(-1, 3).astype(np.int32))
        tongue = (
            face.region == names.index("tongue") if "tongue" in names else np.zeros(len(face.region), bool)
        )
        self._tongue, self._of_tongue = np.flatnonzero(tongue), tongue[reference.triangles].all(1)
        self._names = np.array(names)[face.region[self._vertices]]
        self._surface = self._surfaces()
        self._entrance = Entrance(face)
        self._opening = Opening(face)
        self._own = self._found()
        if self._own is not None and self._own.open:
            self._match(self._own)

    @property
    def open(self) -> bool:
        """Whether the picture's own mouth is open."""
        return self._own is not None and self._own.open

    def _found(self) -> OwnMouth | None:
        """The picture's own inside of the mouth, if it shows one."""
        outline = self._opening.outline(self._reference.points)
        box = outline.box(self._reference.picture.shape[:2])
        if box is None:
            return None
        rim = int(0.1 * outline.frame.width)
        high, wide = self._reference.picture.shape[:2]
        left, top, right, bottom = box
        wider = (max(left - rim, 0), max(top - rim, 0), min(right + rim, wide), min(bottom + rim, high))
        return OwnMouth(self._reference, outline, wider)

    def _match(self, own: OwnMouth) -> None:
        """Give the drawn teeth the colour that the picture's own have."""
        rows = np.isin(self._names, ("upper_teeth", "lower_teeth"))
        usual = np.array(_ALBEDO["upper_teeth"]) * self._tones.white
        self._surface.albedo[rows] *= np.clip(own.teeth / np.maximum(usual, 1e-3), *_MATCH).astype(np.float32)

    def _surfaces(self) -> MouthSurface:
        """What every vertex is made of, in the picture's light."""
        face, tones = self._reference.face, self._tones
        names = self._names
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
        wet *= (1 - tones.flat) * tones.white.mean()
        rest = face.vertices[self._vertices].astype(np.float32)
        groove = (names == "tongue") * np.exp(-((rest[:, 0] / _GROOVE) ** 2))
        albedo *= (1 - _GROOVE_DEPTH * groove)[:, None]
        return MouthSurface(
            vertex_normals(rest, self._triangles),
            (albedo * tones.white).astype(np.float32),
            wet.astype(np.float32),
            tones.light,
            -self._reference.camera.rotation[2].astype(np.float32),
            float(tones.flat),
        )

    def draw(self, driven: Driven) -> Overlay | None:
        """The mouth of a frame; None where the lips are closed."""
        size = self._reference.picture.shape[:2]
        outline = self._opening.outline(driven.points)
        box = outline.box(size)
        out = driven.motion.weights[ARKIT_INDEX["tongueOut"]] > 0
        if out:
            box = self._with_tongue(driven, box, size)
        if box is None:
            return None
        coverage = outline.coverage(box)
        if out:
            coverage = np.maximum(coverage, self._tongue_cover(driven, box))
        if coverage.max() <= 0:
            return None
        color = self._shaded(driven, box)
        if self._own is not None:
            self._own.over(driven, outline, color, box)
        return Overlay(*box[:2], color * coverage[..., None], coverage)

    def _with_tongue(self, driven: Driven, box: Box | None, size: tuple[int, ...]) -> Box | None:
        """`box` with the tongue in it."""
        places = driven.points[self._tongue, :2]
        if len(places) == 0:
            return box
        low, high = np.floor(places.min(0)).astype(int) - 2, np.ceil(places.max(0)).astype(int) + 3
        left, top, right, bottom = box or (size[1], size[0], 0, 0)
        left, top = max(min(left, int(low[0])), 0), max(min(top, int(low[1])), 0)
        right, bottom = min(max(right, int(high[0])), size[1]), min(max(bottom, int(high[1])), size[0])
        return (left, top, right, bottom) if right > left and bottom > top else None

    def _tongue_cover(self, driven: Driven, box: Box) -> Array:
        """[h, w] f32: where the tongue is before the lips."""
        import cv2

        left, top, right, bottom = box
        triangle = driven.raster.triangle[top:bottom, left:right]
        seen = (triangle >= 0) & self._of_tongue[triangle]
        cover: Array = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), 0.7)
        return cover

    def _shaded(self, driven: Driven, box: Box) -> Array:
        """[h, w, 3] f32 sRGB code of the box."""
        import cv2

        left, top, right, bottom = box
        samples = SAMPLES if right - left < _LARGEST else 1
        width, height = (right - left) * samples, (bottom - top) * samples
        raster = Raster.empty(width, height)
        points = driven.points[self._vertices].copy()
        points[:, :2] = (points[:, :2] - np.array([left, top], np.float32)) * np.float32(samples)
        rasterize(points, self._triangles, raster)
        color = np.empty((bottom - top, right - left, 3), np.float32)
        radiance = self._radiance(driven)
        shade_mouth(raster.triangle, raster.bary, self._triangles, radiance, self._dark(), samples, color)
        return encoded(cv2.GaussianBlur(color, (0, 0), self._tones.soft))

    def _radiance(self, driven: Driven) -> Array:
        """[n, 3] f32 linear light that the vertices send to the camera."""
        turn = rotation(driven.motion.pose[:3].astype(float)).astype(np.float32)
        arrives = self._entrance.light(driven.vertices, self._vertices)
        return mouth_radiance(self._surface, arrives, turn)

    def _dark(self) -> Array:
        """[3] f32 linear light of the cavity where nothing is drawn; in flat drawings a dark red."""
        tones = self._tones
        dark = _SHADOW * tones.dark + tones.flat * (_FLAT_CAVITY * tones.skin - _SHADOW * tones.dark)
        return np.asarray(dark, np.float32)


def _seen_from_before(face: FaceFile, triangles: Array) -> Array:
    """[T] bool: false for the backs of teeth, which no camera before the face sees."""
    corners = face.vertices[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    backward = normal[:, 1] > _BACK * np.linalg.norm(normal, axis=1)
    teeth = [n for n, name in enumerate(face.region_names) if name.endswith("_teeth")]
    seen: Array = ~(backward & np.isin(face.region[triangles], teeth).all(1))
    return seen

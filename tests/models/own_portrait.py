"""Pictures of our own head whose fit is exactly known, as the portrait renderer gets them."""

from __future__ import annotations

import functools

import numpy as np

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.face import eye_rotation
from blender_addon.protocol.tensorfile import Array
from models.face import load_head
from models.face.deform import Deformer, eye_turn
from models.face.identity import sample_identity, with_identity
from models.portrait.fit import PortraitFit
from models.portrait.light import measured_light
from models.render.camera import Camera, Pinhole
from models.render.preview import PreviewRenderer
from models.render.raster import Raster, rasterize, vertex_normals
from models.render.triangles import Triangles
from models.video.inside import Inside
from models.video.motion import FrameMotion
from models.video.prepare import make_reference, recession
from models.video.view import Driven, Overlay

SIZE = 320
_BROWS = {"R": (46, 53, 52, 65, 55), "L": (276, 283, 282, 295, 285)}
# Points of an iris on an eye that looks along -Y, metres from the eye's centre: middle, then its rim.
_IRIS = np.array(
    [
        (0, -0.0103, 0),
        (0.0058, -0.0103, 0),
        (0, -0.0103, 0.0058),
        (-0.0058, -0.0103, 0),
        (0, -0.0103, -0.0058),
    ]
)


def weights(**named: float) -> Array:
    """[52] f32; `eyeBlink=1` sets both sides."""
    row = np.zeros(52, np.float32)
    for name, value in named.items():
        for full in [name] if name in ARKIT_INDEX else [name + "Left", name + "Right"]:
            row[ARKIT_INDEX[full]] = value
    return row


class OwnPortrait:
    """A person of our head, drawn by the preview with the expression `own`."""

    def __init__(self, seed: int | None, own: Array) -> None:
        face = load_head() if seed is None else with_identity(load_head(), sample_identity(load_head(), seed))
        camera = Camera(yaw=-4.0, span=0.24)
        self.drawn = PreviewRenderer(face, (SIZE, SIZE), camera)
        self.deformer = Deformer(face)
        axes = camera.axes()
        shift = np.array([0, 0, camera.distance]) - axes @ np.array(camera.target)
        pinhole = Pinhole(axes, shift, SIZE * camera.distance / camera.span, (SIZE / 2, SIZE / 2))
        picture, gaze = self.drawn.frame(own), eye_rotation(own)
        self.landmarks = self._landmarks(pinhole, own, gaze)
        light = self._light(picture, pinhole, own)
        identity = np.zeros(len(face.identity_names), np.float32)
        fit = PortraitFit(face, identity, own, gaze, pinhole, light, self.landmarks, (SIZE, SIZE), 0.0)
        self.reference = make_reference(fit, face, pinhole, picture)
        self.inside = Inside(self.reference, self.landmarks)

    def driven(self, row: Array, gaze: Array | None = None, pose: Array | None = None) -> Driven:
        """A frame of motion; lids and lips as `row` [52] says."""
        pose = np.zeros(6) if pose is None else pose
        vertices = self.deformer(row, None, pose)
        points = self.reference.camera.project(vertices)
        raster = Raster.empty(SIZE, SIZE)
        shown = points + recession(self.reference.face)[:, None] * np.array([0, 0, 1], np.float32)
        rasterize(shown, self.reference.triangles, raster)
        motion = FrameMotion(row, np.zeros(0), pose, np.zeros(0) if gaze is None else gaze)
        return Driven(motion, vertices, points, raster)

    def painted(self, driven: Driven) -> Array:
        """[SIZE, SIZE, 3] f32: the layers over the unmoved picture."""
        picture = self.reference.picture.astype(np.float32)
        for layer in self.inside.draw(driven):
            lay(picture, layer)
        return picture

    def iris_marks(self, gaze: Array, camera: Pinhole | None = None) -> Array:
        """[478, 3] f32 with the irises' landmarks of a gaze [4]."""
        camera = self.reference.camera if camera is None else camera
        marks = np.zeros((478, 3), np.float32)
        for n, (letter, first) in enumerate((("L", 473), ("R", 468))):
            bone = next(b for b in self.deformer.face.bones if b.name == f"eye.{letter}")
            turn = eye_turn(float(gaze[2 * n]), float(gaze[2 * n + 1]))
            marks[first : first + 5] = camera.project(np.array(bone.head) + _IRIS @ turn.T)
        return marks

    def _landmarks(self, camera: Pinhole, own: Array, gaze: Array) -> Array:
        face, marks = self.deformer.face, self.iris_marks(gaze, camera)
        points = camera.project(self.deformer(own))
        for letter in "LR":
            outer, middle, inner = (
                points[face.landmarks[f"brow_{k}.{letter}"]] + (0, 3, 0) for k in ("outer", "middle", "inner")
            )
            marks[list(_BROWS[letter])] = [outer, (outer + middle) / 2, middle, (middle + inner) / 2, inner]
        return marks

    def _light(self, picture: Array, camera: Pinhole, own: Array) -> Array:
        face = self.deformer.face
        vertices, drawn = self.deformer(own), Triangles.of(face)
        normals = vertex_normals(vertices, drawn.ids[: drawn.fronts])
        points = camera.project(vertices)
        shown = (normals @ -camera.rotation[2] > 0.4) & (face.region == face.region_names.index("face"))
        shown &= (points[:, :2] > 0).all(1) & (points[:, :2] < SIZE - 1).all(1)
        x, y = points[shown, :2].astype(int).T
        seen = (picture[y, x] / 255.0) ** 2.2
        return measured_light(normals[shown], face.color[shown], seen, np.ones(len(seen))).astype(np.float32)


def lay(picture: Array, layer: Overlay) -> None:
    """Lay one layer over `picture` [H, W, 3] f32 in place."""
    height, width = layer.coverage.shape
    part = picture[layer.top : layer.top + height, layer.left : layer.left + width]
    part[:] = part * (1 - layer.coverage[..., None]) + layer.color


@functools.lru_cache(maxsize=4)
def portrait(seed: int | None = None, **own: float) -> OwnPortrait:
    """The same portrait for all tests that ask for it."""
    return OwnPortrait(seed, weights(**own))

"""What is drawn in a portrait's crop: the reference, one driven frame, and what is painted over it."""

from __future__ import annotations

from dataclasses import dataclass

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.render.camera import Pinhole
from models.render.raster import Raster

from .motion import FrameMotion

# Kinds of triangles.
SKIN, INSIDE, EYE = 0, 1, 2  # from the picture; mouth inside, teeth, gums, tongue; eyeballs


@dataclass(frozen=True)
class Reference:
    """The portrait as it is, in the crop's pixels; made once.

    Attributes:
        face: the fitted head, moved in the image plane onto the detected landmarks.
        weights: [52] the portrait's own expression; gaze: [4] radians; light: [9, 3] as in `PortraitFit`.
        camera: the crop's camera.
        picture: [S, S, 3] u8 sRGB.
        vertices: [V, 3] f32 with the own expression; points: [V, 3] f32 pixels and depth.
        normals: [V, 3] f32 unit, in the face's rest frame.
        triangles: [T, 3] i32 that are drawn (no hair ribbons); kind: [T] u8, `SKIN`, `INSIDE` or `EYE`.
        raster: the triangles drawn at `points`.
    """

    face: FaceFile
    weights: Array
    gaze: Array
    light: Array
    camera: Pinhole
    picture: Array
    vertices: Array
    points: Array
    normals: Array
    triangles: Array
    kind: Array
    raster: Raster


@dataclass(frozen=True)
class Driven:
    """One frame in the crop's pixels.

    Attributes:
        motion: what drives it, after limits.
        vertices: [V, 3] f32 deformed and posed, eyeballs turned with the eyeLook weights only.
        points: [V, 3] f32 pixels and depth.
        raster: the reference's triangles drawn at `points`; valid until the next frame is drawn.
    """

    motion: FrameMotion
    vertices: Array
    points: Array
    raster: Raster


@dataclass(frozen=True)
class Overlay:
    """Something painted over the warped picture, within a box of the crop.

    Attributes:
        left, top: the box's place, pixels.
        color: [h, w, 3] f32 sRGB 0-255, premultiplied by the coverage.
        coverage: [h, w] f32 0-1.
    """

    left: int
    top: int
    color: Array
    coverage: Array

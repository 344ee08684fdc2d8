"""What is known of a person in a picture."""

from __future__ import annotations

from dataclasses import dataclass

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.render.camera import Pinhole


@dataclass(frozen=True)
class PortraitFit:
    """A head fitted to the face in a picture.

    Attributes:
        face: the person's neutral head; its texture is that of the basis until `textured` paints it.
        identity: [I] standard deviations of the basis that `face` was made from.
        weights: [52] the portrait's own expression, 0-1.
        gaze: [4] the portrait's own gaze, as a clip's `gaze`, radians.
        camera: the picture's camera, which holds the head's pose too: `face` at rest, seen by it, lies on the
            picture.
        light: [9, 3] spherical harmonics of the light on the skin (bands 0-2, linear RGB, world axes of
            `face`): radiance = albedo * (basis(normal) @ light).
        landmarks: [478, 3] pixels, as detected.
        size: width and height of the picture, pixels.
        error: mean distance of landmarks that the fit did not use, in inter-ocular distances.
        notes: what a person should know of the picture, one line each (several faces, a small face, ...).
    """

    face: FaceFile
    identity: Array
    weights: Array
    gaze: Array
    camera: Pinhole
    light: Array
    landmarks: Array
    size: tuple[int, int]
    error: float
    notes: tuple[str, ...] = ()

"""A portrait whose truth is known: our own head in the studio, with the fit that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face.deform import Deformer
from models.face.load import load_head
from models.render.camera import Camera, Pinhole
from models.render.look import studio_lights
from models.render.preview import PreviewRenderer

from .fit import PortraitFit
from .light import harmonics
from .points import landmark_points

_VIEW = Camera(yaw=0.0, pitch=0.0, span=0.4)
_DIRECTIONS = 2000  # random normals to which the studio's light is fitted


@dataclass(frozen=True)
class StudioPortrait:
    """A drawn picture [S, S, 3] u8 sRGB with its exact fit, and what draws the same head in motion."""

    picture: Array
    fit: PortraitFit
    renderer: PreviewRenderer

    def true_frame(self, weights: Array, pose: Array | None = None, lip: Array | None = None) -> Array:
        """How the head really looks: [S, S, 3] u8 with `weights` [52], `pose` [6] and `lip` [K]."""
        return self.renderer.frame(weights, pose, lip)


def studio_portrait(side: int = 512, face: FaceFile | None = None) -> StudioPortrait:
    """The built-in head, or `face`, from the front at rest, `side` pixels wide and high."""
    face = load_head() if face is None else face
    renderer = PreviewRenderer(face, (side, side), _VIEW)
    own = np.zeros(52, np.float32)
    camera = pinhole(_VIEW, side)
    fit = PortraitFit(
        face=face,
        identity=np.zeros(len(face.identity_names), np.float32),
        weights=own,
        gaze=np.zeros(4),
        camera=camera,
        light=studio_light(),
        landmarks=landmark_points(face).of(camera.project(Deformer(face)(own))),
        size=(side, side),
        error=0.0,
    )
    return StudioPortrait(renderer.frame(own), fit, renderer)


def pinhole(camera: Camera, side: int) -> Pinhole:
    """`camera` for a square picture of `side` pixels."""
    rotation = camera.axes()
    shift = np.array([0.0, 0.0, camera.distance]) - rotation @ np.array(camera.target)
    return Pinhole(rotation, shift, side * camera.distance / camera.span, (side / 2, side / 2))


def studio_light() -> Array:
    """[9, 3] the studio's lamps as spherical harmonics, without their shadows."""
    lights = studio_lights()
    normals = np.random.default_rng(0).normal(size=(_DIRECTIONS, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    radiance = lights.ground + (lights.sky - lights.ground) * (0.5 + 0.5 * normals[:, 2:])
    for toward, color in zip(lights.toward, lights.color, strict=True):
        radiance = radiance + np.maximum(normals @ toward, 0)[:, None] * color
    light: Array = np.linalg.lstsq(harmonics(normals), radiance, rcond=None)[0]
    return light

"""Projected textures (VividTalk, arXiv 2312.01841): the 3D motion drawn in 2D, for a renderer that learns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.render.raster import Raster, interpolate
from models.render.surface import ncc

from .field import MotionField, Scratch
from .motion import FrameMotion
from .paste import resized
from .prepare import Layers
from .regions import in_regions
from .view import Reference
from .warp import composed

# What the head's mesh models in a portrait; its scalp, ears and neck lie under hair and collars.
_FACE = (
    *("face", "nose", "nostrils", "eyelids", "upper_lip", "lower_lip", "inner_mouth", "eye.L", "eye.R"),
    *("upper_teeth", "lower_teeth", "gums", "tongue"),
)


@dataclass(frozen=True)
class ProjectedTexture:
    """What a renderer sees of one frame; a pixel shows the face or what is outside it.

    Attributes:
        texture: [S, S, 3] f32 0-1. On the face, normalised coordinates (NCC) of the surface that is seen;
            outside it the portrait's own sRGB pixels: hair, neck, body, background.
        face: [S, S] f32 1 on the face, 0 elsewhere.
        person: [S, S] f32 0-1 the person's coverage.
    """

    texture: Array
    face: Array
    person: Array


class TextureProjector:
    """Projects one portrait's motion. It never sees a driven picture: nothing of it can leak."""

    def __init__(self, reference: Reference, field: MotionField, layers: Layers, canonical: FaceFile) -> None:
        """`canonical`: the face whose rest mesh gives the colours, of the same polygons as the portrait's."""
        self._reference, self._field, self._layers = reference, field, layers
        self._ncc = ncc(canonical)
        self._face = in_regions(reference.face, *_FACE)[reference.triangles].all(1)

    def reference(self) -> ProjectedTexture:
        """Of the portrait as it is."""
        outside = self._reference.picture.astype(np.float32) / 255
        return self._joined(
            self._reference.raster, outside, resized(self._layers.person[..., 3], len(outside))
        )

    def driven(self, motion: FrameMotion) -> ProjectedTexture:
        """Of a driven frame: the outside is the portrait's, moved by the spread motion of the head."""
        scratch = Scratch.of(len(self._layers.plate))
        frame = self._field.fill(motion, scratch)
        scratch.flow[..., 4] = 1.0
        composed(
            self._layers.person,
            self._layers.still,
            self._layers.plate,
            self._layers.empty,
            scratch.flow,
            scratch.image,
        )
        outside = np.clip(scratch.image[..., :3] / 255, 0, 1)
        return self._joined(frame.raster, outside, scratch.image[..., 3].copy())

    def _joined(self, raster: Raster, outside: Array, person: Array) -> ProjectedTexture:
        inside = interpolate(raster, self._reference.triangles, self._ncc)
        face = ((raster.triangle >= 0) & self._face[raster.triangle]).astype(np.float32)
        return ProjectedTexture(np.where(face[..., None] > 0, inside, outside), face, person)

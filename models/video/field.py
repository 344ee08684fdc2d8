"""From motion to where every pixel of a driven frame comes from in the portrait."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.face.deform import Deformer
from models.render.raster import Raster, rasterize

from .extend import CELL, Sheet, filled
from .flow import blended, cell_means, known_flow, placed, trusted
from .light import TurningLight
from .lip_edge import LipEdge
from .motion import FrameMotion
from .prepare import Trust, recession
from .view import Driven, Reference


@dataclass(frozen=True)
class Scratch:
    """One thread's buffers for crops of S pixels a side.

    Attributes:
        flow: [S, S, 5] what `MotionField` leaves: backward flow in pixels, trust in the exact, trust for
            spreading, gain of the light.
        image: [S, S, 4] f32 for whoever draws.
    """

    raster: Raster
    flow: Array
    values: Array
    weight: Array
    image: Array

    @staticmethod
    def of(side: int) -> Scratch:
        """Buffers for one thread."""
        nodes = side // CELL
        return Scratch(
            Raster.empty(side, side),
            np.zeros((side, side, 5), np.float32),
            np.zeros((nodes, nodes, 2), np.float32),
            np.zeros((nodes, nodes), np.float32),
            np.zeros((side, side, 4), np.float32),
        )


class MotionField:
    """The exact motion of the face, and a smooth one of what is round it."""

    def __init__(self, reference: Reference, trust: Trust, sheet: Sheet) -> None:
        self._reference, self._trust, self._sheet = reference, trust, sheet
        self._deformer = Deformer(reference.face)
        self._light = TurningLight(reference.light, reference.normals)
        self._lip_edge = LipEdge(reference.face, reference.vertices, reference.points)
        view = np.column_stack([reference.camera.rotation, reference.camera.translation]).astype(np.float32)
        lens = np.array([reference.camera.focal, *reference.camera.centre], np.float32)
        self._lens, self._recede = (view, lens), recession(reference.face)
        self._axis = -reference.camera.rotation[2].astype(np.float32)
        self._bones = [bone.name for bone in reference.face.bones]

    def fill(self, motion: FrameMotion, scratch: Scratch) -> Driven:
        """Leave the flow of `motion` in `scratch`."""
        reference, raster = self._reference, scratch.raster
        vertices = self._deformer(motion.weights, motion.lip, motion.pose)
        points, behind = np.empty_like(vertices), np.empty_like(vertices)
        placed(vertices, *self._lens, self._recede, points, behind)
        rasterize(behind, reference.triangles, raster)
        transforms = self._deformer.bone_transforms(motion.weights, motion.pose)
        neck, head = self._transform("neck", transforms), self._transform("head", transforms)
        source = self._source(vertices, head[:, :3])
        known_flow(raster.triangle, raster.bary, reference.triangles, reference.kind, source, scratch.flow)
        base = self._sheet.motion(neck, head, reference.camera)
        cell_means(scratch.flow, base, scratch.values, scratch.weight)
        blended(scratch.flow, base + filled(scratch.values, scratch.weight))
        return Driven(motion, vertices, points, raster)

    def _source(self, vertices: Array, turn: Array) -> Array:
        """[V, 5] f32: where each vertex is in the portrait, its two trusts, the light's gain."""
        trust, reference = self._trust, self._reference
        axis = (turn.T @ self._axis).astype(np.float32)
        source = np.empty((len(vertices), 5), np.float32)
        source[:, :2] = reference.points[:, :2]
        self._lip_edge(vertices, source)
        trusted(reference.normals, axis, trust, source)
        source[:, 4] = self._light.gain(turn)
        return source

    def _transform(self, bone: str, transforms: Array) -> Array:
        result: Array = (
            transforms[self._bones.index(bone)] if bone in self._bones else np.eye(3, 4, dtype=np.float32)
        )
        return result

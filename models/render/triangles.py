"""A face file's polygons as the triangles that are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array

TWO_SIDED = ("brows", "lashes")  # materials of hair ribbons, which have no inside


@dataclass(frozen=True)
class Triangles:
    """Polygons' first halves, the second halves of the quads, then the backs of hair ribbons.

    Attributes:
        ids: [T, 3] i32 vertices.
        uv: [T, 3, 2] f32 of the corners.
        material: [T] i32.
        fronts: how many come before the backs. Only these make normals: a back cancels its front.
    """

    ids: Array
    uv: Array
    material: Array
    fronts: int

    @staticmethod
    def of(face: FaceFile) -> Triangles:
        """The triangles of `face`."""
        whole = face.polygons[:, 3] >= 0
        second = [0, 2, 3]
        ids = np.concatenate([face.polygons[:, :3], face.polygons[whole][:, second]])
        uv = np.concatenate([face.uv[:, :3], face.uv[whole][:, second]])
        material = np.concatenate([face.material, face.material[whole]]).astype(np.int32)
        named = [i for i, name in enumerate(face.material_names) if name in TWO_SIDED]
        ribbon = np.isin(material, named)
        return Triangles(
            np.concatenate([ids, ids[ribbon][:, ::-1]]).astype(np.int32),
            np.concatenate([uv, uv[ribbon][:, ::-1]]).astype(np.float32),
            np.concatenate([material, material[ribbon]]),
            len(ids),
        )

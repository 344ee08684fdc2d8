"""A face's texture coordinates as a list of texels, each with its place on the mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel
from models.render.surface import texel_raster
from models.render.triangles import Triangles

_GUTTER = 8  # texels round an island that repeat its border, for filtering


@dataclass(frozen=True)
class Texels:
    """The texels that lie on the mesh, N of them.

    Attributes:
        size: width and height of the image.
        place: [N] i64 index into the image's rows, one after the other.
        ids: [N, 3] i32 vertices of the triangle; weights: [N, 3] f32.
        material: [N] i32.
    """

    size: int
    place: Array
    ids: Array
    weights: Array
    material: Array

    @staticmethod
    def of(face: FaceFile, size: int) -> Texels:
        """The texels of a `size` by `size` image for `face`."""
        drawn = Triangles.of(face)
        count = drawn.fronts
        raster = texel_raster(drawn.uv[:count], (size, size))
        triangle = raster.triangle.ravel()
        place = np.flatnonzero(triangle >= 0)
        first = raster.bary.reshape(-1, 2)[place]
        weights = np.column_stack([first, 1 - first.sum(1)]).astype(np.float32)
        triangle = triangle[place]
        return Texels(size, place, drawn.ids[triangle], weights, drawn.material[triangle])

    def of_vertices(self, values: Array) -> Array:
        """Per-vertex `values` [V, C] at the texels, [N, C] f32."""
        result = np.empty((len(self.ids), values.shape[1]), np.float32)
        _interpolate(self.ids, self.weights, np.ascontiguousarray(values, np.float32), result)
        return result

    def chosen(self, keep: Array) -> Texels:
        """The texels where `keep` [N] holds."""
        return Texels(self.size, self.place[keep], self.ids[keep], self.weights[keep], self.material[keep])

    def painted(self, image: Array, values: Array) -> Array:
        """A copy of `image` [size, size, C] with `values` [N, C] on the texels and round their islands."""
        flat = image.reshape(-1, image.shape[2]).copy()
        flat[self.place] = values
        covered = np.zeros(self.size * self.size, bool)
        covered[self.place] = True
        away, near = distance_transform_edt(~covered.reshape(self.size, self.size), return_indices=True)
        rows, columns = np.nonzero((away > 0) & (away <= _GUTTER))
        flat[rows * self.size + columns] = flat[near[0][rows, columns] * self.size + near[1][rows, columns]]
        result: Array = flat.reshape(image.shape)
        return result


@kernel
def _interpolate(ids: Array, weights: Array, values: Array, out: Array) -> None:
    for n in range(ids.shape[0]):
        i, j, k = np.uint32(ids[n, 0]), np.uint32(ids[n, 1]), np.uint32(ids[n, 2])
        a, b, c = weights[n, 0], weights[n, 1], weights[n, 2]
        for channel in range(values.shape[1]):
            out[n, channel] = a * values[i, channel] + b * values[j, channel] + c * values[k, channel]

"""One rasteriser for arrays and tensors: a batch of meshes with common triangles, by the backend that fits.

    backend      runs on       chosen by "auto" for
    numba        CPU           NumPy arrays and CPU tensors
    torch        CPU, CUDA     CUDA tensors
    pytorch3d    CPU, CUDA     nothing (extra `pytorch3d`)
    nvdiffrast   CUDA          nothing (installed by its own instructions)

All give `raster`'s conventions and agree but for pixels whose centre lies on an edge or where two surfaces
meet; the tests say how many. Depth, weights and attributes of tensors are differentiable in the points and
the attributes, whichever backend found the triangles. One call uses one CPU thread and holds no lock: split a
batch over threads to use more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

import numpy as np

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array

from .draw import LARGEST_SIDE
from .raster import Raster, interpolate, rasterize, vertex_normals
from .visible import visible_points

if TYPE_CHECKING:
    from torch import Tensor

Backend = Literal["auto", "numba", "torch", "pytorch3d", "nvdiffrast"]
Data = TypeVar("Data", Array, "Tensor")


@dataclass(frozen=True)
class RasterBatch(Generic[Data]):
    """What was drawn; arrays or tensors as the points were.

    Attributes:
        depth: [B, H, W] f32 distance along the view axis; infinity where nothing was drawn.
        triangle: [B, H, W] i32 triangle index, -1 where nothing was drawn.
        bary: [B, H, W, 2] f32 perspective-correct weights of the first and second corner.
    """

    depth: Data
    triangle: Data
    bary: Data


def rasterize_batch(
    points: Data, triangles: Data, size: tuple[int, int], *, backend: Backend = "auto"
) -> RasterBatch[Data]:
    """Draw `triangles` [T, 3] i32 of each item's screen `points` [B, V, 3] f32 (see `raster`).

    Args:
        size: width and height in pixels.

    Raises:
        InputError: shapes do not fit, an index points outside, or the backend cannot draw this.
        MissingExtraError: the backend's package is not installed.
    """
    _check(points, triangles, size)
    if not isinstance(points, np.ndarray):
        from .torch_batch import draw_tensors

        return draw_tensors(points, triangles, size, backend)
    if backend in ("auto", "numba"):
        return _draw_arrays(points, triangles, size)
    import torch

    from .torch_batch import draw_tensors

    drawn = draw_tensors(torch.tensor(points), torch.tensor(triangles), size, backend)
    return RasterBatch(drawn.depth.numpy(), drawn.triangle.numpy(), drawn.bary.numpy())


def interpolate_batch(raster: RasterBatch[Data], triangles: Data, attributes: Data) -> Data:
    """Perspective-correct per-pixel `attributes` [B or 1, V, C] -> [B, H, W, C], zero on the background.

    `triangles` [T, 3] index `attributes`: values per corner come as [1, 3 T, C] with their own indices.
    """
    if not isinstance(attributes, np.ndarray):
        from .torch_raster import interpolated

        return interpolated(raster.triangle, raster.bary, triangles, attributes)
    out = np.empty((*raster.triangle.shape, attributes.shape[2]), np.float32)
    for n, item in enumerate(_items(raster)):
        interpolate(item, triangles, attributes[n if len(attributes) > 1 else 0], out[n])
    return out


def visibility(raster: RasterBatch[Data], points: Data, triangles: Data) -> Data:
    """[B, V] bool: the vertex is in the picture, touches a drawn side, and nothing drawn hides it.

    `points` and `triangles` are those that were drawn. Known to a pixel only: on the head at 256 x 256 about
    2% of the skin's vertices, near outlines, and 16% of brows and lashes come out otherwise than by rays.
    """
    if not isinstance(points, np.ndarray):
        from .torch_raster import visible

        return visible(raster.triangle, points, triangles)
    out = np.empty(points.shape[:2], bool)
    for n, item in enumerate(points.astype(np.float32, copy=False)):
        visible_points(item, triangles, raster.triangle[n], out[n])
    return out


def normals_batch(vertices: Data, triangles: Data) -> Data:
    """Area-weighted unit normals of `vertices` [B, V, 3] -> [B, V, 3] f32; zero for a vertex without area."""
    if not isinstance(vertices, np.ndarray):
        from .torch_raster import normals

        return normals(vertices, triangles)
    return np.stack([vertex_normals(item, triangles) for item in vertices.astype(np.float32, copy=False)])


def _check(points: Data, triangles: Data, size: tuple[int, int]) -> None:
    if points.ndim != 3 or points.shape[2] != 3 or triangles.ndim != 2 or triangles.shape[1] != 3:
        raise InputError(
            f"cannot draw points {tuple(points.shape)} with triangles {tuple(triangles.shape)}",
            "Give points [B, V, 3] and triangles [T, 3]",
        )
    if not all(0 < side < LARGEST_SIDE for side in size):
        raise InputError(
            f"cannot draw {size[0]} x {size[1]} pixels", f"Choose 1 to {LARGEST_SIDE - 1} a side"
        )
    if len(triangles) and not 0 <= int(triangles.min()) <= int(triangles.max()) < points.shape[1]:
        raise InputError(f"a triangle names a vertex outside the mesh's {points.shape[1]}")


def _items(raster: RasterBatch[Array]) -> list[Raster]:
    return [Raster(*item) for item in zip(raster.depth, raster.triangle, raster.bary, strict=True)]


def _draw_arrays(points: Array, triangles: Array, size: tuple[int, int]) -> RasterBatch[Array]:
    shape = (len(points), size[1], size[0])
    drawn = RasterBatch(
        np.empty(shape, np.float32), np.empty(shape, np.int32), np.empty((*shape, 2), np.float32)
    )
    triangles = np.ascontiguousarray(triangles, np.int32)
    for item, target in zip(points, _items(drawn), strict=True):
        rasterize(item, triangles, target)
    return drawn

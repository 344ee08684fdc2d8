"""Backends of `batch` that draw tensors: each finds the triangle of a pixel, one place weighs its corners."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from blender_addon.protocol.errors import InputError

from .batch import Backend, RasterBatch, rasterize_batch
from .foreign import nvdiffrast_triangles, pytorch3d_triangles
from .torch_raster import nearest_triangles, weights_and_depth

# (points [B, V, 3] f32, triangles [T, 3] i64, width, height) -> triangle per pixel [B, H, W] i32
_FINDERS: Mapping[str, Callable[[Tensor, Tensor, int, int], Tensor]] = {
    "torch": nearest_triangles,
    "pytorch3d": pytorch3d_triangles,
    "nvdiffrast": nvdiffrast_triangles,
}


def draw_tensors(
    points: Tensor, triangles: Tensor, size: tuple[int, int], backend: Backend
) -> RasterBatch[Tensor]:
    """`rasterize_batch` for tensors."""
    if backend == "auto":
        backend = "numba" if points.device.type == "cpu" else "torch"
    points, triangles = points.float(), triangles.long()
    if backend == "numba":
        drawn = _draw_by_arrays(points, triangles, size)
        if not points.requires_grad:
            return drawn
        ids = drawn.triangle
    else:
        if points.device.type not in ("cpu", "cuda"):
            raise InputError(
                f"cannot draw tensors on {points.device}, which lacks 64-bit floats", "Move them to the CPU"
            )
        with torch.no_grad():
            ids = _finder(backend)(points, triangles, *size)
    bary, depth = weights_and_depth(points, triangles, ids)
    return RasterBatch(depth, ids, bary)


def _draw_by_arrays(points: Tensor, triangles: Tensor, size: tuple[int, int]) -> RasterBatch[Tensor]:
    if points.device.type != "cpu":
        raise InputError(f"the numba rasteriser cannot draw tensors on {points.device}", "Choose torch")
    drawn = rasterize_batch(points.detach().numpy(), triangles.int().numpy(), size, backend="numba")
    return RasterBatch(*(torch.from_numpy(part) for part in (drawn.depth, drawn.triangle, drawn.bary)))


def _finder(backend: str) -> Callable[[Tensor, Tensor, int, int], Tensor]:
    if backend not in _FINDERS:
        raise InputError(f"there is no rasteriser {backend}", f"Choose auto, numba, {', '.join(_FINDERS)}")
    return _FINDERS[backend]

"""Other libraries' rasterisers as backends of `batch`: conventions in, triangle per pixel out.

Both get only the triangles that `draw` would draw, so that near plane and back faces are treated alike.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from blender_addon.protocol.errors import InputError, MissingExtraError

from .torch_raster import seen_triangles

_NVDIFFRAST_GRID = 8  # its CUDA rasteriser takes sides that are multiples of this


def pytorch3d_triangles(points: Tensor, triangles: Tensor, width: int, height: int) -> Tensor:
    """Triangle per pixel [B, H, W] i32 by PyTorch3D: +X left, +Y up, the shorter side from -1 to 1."""
    hint = "Build it in the repository's folder: pip install --no-build-isolation -e .[pytorch3d]"
    meshes = _require("pytorch3d.structures", "PyTorch3D", hint).Meshes
    draw = _require("pytorch3d.renderer.mesh", "PyTorch3D", hint).rasterize_meshes
    item, triangle = seen_triangles(points, triangles, width, height)
    sides = points.new_tensor([width, height])
    flipped = (sides - 2 * points[..., :2]) / min(width, height)
    vertices = torch.cat([flipped, points[..., 2:]], -1)
    per_item = torch.bincount(item, minlength=len(points)).tolist()
    found = draw(
        meshes(list(vertices), list(torch.split(triangles[triangle], per_item))),
        image_size=(height, width),
        blur_radius=0.0,
        faces_per_pixel=1,
        perspective_correct=True,
        cull_backfaces=False,
    )[0][..., 0]
    return _named(found, triangle)


def nvdiffrast_triangles(points: Tensor, triangles: Tensor, width: int, height: int) -> Tensor:
    """Triangle per pixel [B, H, W] i32 by nvdiffrast, whose rows begin at y = -1 and ids at 1."""
    hint = "Install nvdiffrast by its own instructions; it needs an NVIDIA GPU"
    library = _require("nvdiffrast.torch", "nvdiffrast", hint)
    _need_cuda(points.device)
    item, triangle = seen_triangles(points, triangles, width, height)
    per_item = torch.bincount(item, minlength=len(points))
    grid = [-(-side // _NVDIFFRAST_GRID) * _NVDIFFRAST_GRID for side in (width, height)]
    drawn, _ = library.rasterize(
        library.RasterizeCudaContext(device=points.device),
        _clip_space(points, grid).reshape(-1, 4),
        (triangles[triangle] + item[:, None] * points.shape[1]).int(),
        resolution=(grid[1], grid[0]),
        ranges=torch.stack([per_item.cumsum(0) - per_item, per_item], 1).int().cpu(),
        grad_db=False,
    )
    return _named(drawn[:, :height, :width, 3].long() - 1, triangle)


def _need_cuda(device: torch.device) -> None:
    if device.type != "cuda":
        raise InputError(f"nvdiffrast cannot draw tensors on {device}", "Choose torch")


def _clip_space(points: Tensor, sides: list[int]) -> Tensor:
    """[B, V, 4]: x and y from -1 to 1 over the picture, depth from -1 at the nearest point on."""
    depth = points[..., 2:]
    nearest = depth[depth > 0].min() if bool((depth > 0).any()) else depth.new_ones(())
    xy = (2 * points[..., :2] / points.new_tensor(sides) - 1) * depth
    return torch.cat([xy, depth - 2 * nearest * 0.99, depth], -1)


def _named(found: Tensor, triangle: Tensor) -> Tensor:
    """Positions in the list of drawn triangles [B, H, W], -1 for none -> their ids i32."""
    ids = torch.cat([triangle, triangle.new_full((1,), -1)])
    return ids[found.long()].int()


def _require(module: str, name: str, hint: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(f"drawing with {name} needs a package that is not installed", hint) from error

"""`surface.surface_maps` for tensors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .batch import Backend, interpolate_batch, normals_batch, rasterize_batch
from .surface import Surface, SurfaceMaps


def tensor_maps(
    surface: Surface, vertices: Tensor, points: Tensor, size: tuple[int, int], backend: Backend
) -> SurfaceMaps[Tensor]:
    """Differentiable in `vertices` and `points`."""
    triangles, entries, vertex = (
        torch.as_tensor(part, device=points.device).long()
        for part in (surface.triangles, surface.entries, surface.vertex)
    )
    colors, uv, side = (
        torch.as_tensor(part, device=points.device) for part in (surface.ncc, surface.uv, surface.side)
    )
    raster = rasterize_batch(points, triangles, size, backend=backend)
    normals = side[:, None] * normals_batch(vertices, triangles[: surface.fronts])[:, vertex]
    shared = torch.cat([colors, uv], 1).expand(len(points), -1, -1)
    maps = interpolate_batch(raster, entries, torch.cat([shared, normals], 2))
    return SurfaceMaps(raster, maps[..., :3], normalize(maps[..., 5:], dim=-1), maps[..., 3:5])

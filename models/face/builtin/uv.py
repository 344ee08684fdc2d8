"""Texture coordinates per polygon corner: a cylinder for the skin, small islands for what is inside."""

from __future__ import annotations

import numpy as np

from .labels import region_flags
from .mesh import Bools, Floats, HeadMesh, Part

_SEAM_Y = 3.0  # above this height the cylinder closes into a dome
_LOWEST = -21.0


def corner_uv(mesh: HeadMesh) -> Floats:
    """[P, 4, 2] in 0-1. The front of the face gets more than its share of the width."""
    x, y, z = mesh.vertices.T
    around = np.arctan2(x, z + 0.8)
    dome = np.arctan2(y - _SEAM_Y, np.hypot(x, z + 1))
    height = np.where(
        y < _SEAM_Y, (y - _LOWEST) / (_SEAM_Y - _LOWEST) * 0.62, 0.62 + dome / (np.pi / 2) * 0.36
    )
    width = 0.5 + np.sign(around) * (np.abs(around) / np.pi) ** 0.82 * 0.5
    uv: Floats = np.stack([width, height * 0.8 + 0.2], 1)[mesh.polygons]
    _close_seam(mesh, uv)
    flags = region_flags(mesh)
    arch = np.arctan2(x, z - 5)
    for part, u, v, box in (
        (flags["inner_mouth"], x, y + (z - 6) * 0.15, (0.0, 0.0, 0.18, 0.18)),
        (flags["eye.L"], x, y, (0.20, 0.0, 0.38, 0.18)),
        (flags["eye.R"], x, y, (0.40, 0.0, 0.58, 0.18)),
        (mesh.part == Part.UPPER_TEETH, arch, y + 0.3 * (z < 8), (0.60, 0.0, 0.80, 0.09)),
        (mesh.part == Part.LOWER_TEETH, arch, y, (0.60, 0.10, 0.80, 0.18)),
        (flags["tongue"], x, z, (0.82, 0.0, 0.99, 0.18)),
    ):
        _place_island(mesh, uv, part, np.stack([u, v], 1), box)
    return np.clip(uv, 0.0, 1.0)


def _close_seam(mesh: HeadMesh, uv: Floats) -> None:
    """Corners on the back midline belong to the side of their polygon."""
    corners = mesh.vertices[mesh.polygons]
    right = corners[:, :, 0].mean(1) < 0
    back = (np.abs(corners[..., 0]) < 1e-5) & (corners[..., 2] < -1)
    uv[..., 0] = np.where(back, np.where(right[:, None], 0.0, 1.0), uv[..., 0])


def _place_island(
    mesh: HeadMesh, uv: Floats, part: Bools, flat: Floats, box: tuple[float, float, float, float]
) -> None:
    """Map the polygons wholly in `part` from their flat coordinates [V, 2] into `box` (u0, v0, u1, v1)."""
    inside = part[mesh.polygons].all(1)
    points = flat[mesh.polygons[inside]]
    low, high = points.min((0, 1)), points.max((0, 1))
    corner, far = np.array(box[:2]), np.array(box[2:])
    uv[inside] = corner + (points - low) / (high - low) * (far - corner)

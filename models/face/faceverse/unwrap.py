"""Texture coordinates: the file's own, or the head rolled off a cylinder."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.face.transfer.surface import Floats, Ints


def corner_uv(own: Array | None, vertices: Floats, triangles: Ints) -> Array:
    """[F, 4, 2] f32 per corner, 0-1; the seam of a cylinder is at the back.

    Args:
        own: [V, 2] per vertex, or None; vertices: [V, 3] in our axes.
    """
    if own is not None:
        corners: Array = np.clip(own, 0, 1)[triangles]
    else:
        corners = _cylinder(vertices)[triangles]
        u = corners[..., 0]
        u[(np.ptp(u, axis=1) > 0.5)[:, None] & (u < 0.5)] = 1.0
    return np.asarray(np.concatenate([corners, corners[:, :1]], 1), np.float32)


def _cylinder(vertices: Floats) -> Floats:
    x, y, z = vertices.T
    middle = 0.5 * (y.min() + y.max())
    around = 0.5 + np.arctan2(x, middle - y) / (2 * np.pi)
    rolled: Floats = np.stack([around, (z - z.min()) / max(np.ptp(z), 1e-9)], 1)
    return rolled

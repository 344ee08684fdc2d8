"""Texture coordinates: the file's own where they can be such, or the head rolled off a cylinder."""

from __future__ import annotations

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.face.transfer.surface import Floats, Ints

_MOST_COVERED = 2.0  # our choice: of the texture's area; more, and it is drawn over itself everywhere


def corner_uv(own: Array | None, vertices: Floats, triangles: Ints) -> Array:
    """[F, 4, 2] f32 per corner, 0-1; the seam of a cylinder is at the back.

    Args:
        own: [V, 2] per vertex, or None; vertices: [V, 3] in our axes.
    """
    corners: Array
    if own is not None and _covers(np.clip(own, 0, 1)[triangles]) < _MOST_COVERED:
        corners = np.clip(own, 0, 1)[triangles]
    else:
        corners = _cylinder(vertices)[triangles]
        u = corners[..., 0]
        u[(np.ptp(u, axis=1) > 0.5)[:, None] & (u < 0.5)] = 1.0
    return np.asarray(np.concatenate([corners, corners[:, :1]], 1), np.float32)


def _covers(corners: Array) -> float:
    """The area of all triangles [F, 3, 2] together."""
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return 0.5 * float(np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).sum())


def _cylinder(vertices: Floats) -> Floats:
    x, y, z = vertices.T
    middle = 0.5 * (y.min() + y.max())
    around = 0.5 + np.arctan2(x, middle - y) / (2 * np.pi)
    rolled: Floats = np.stack([around, (z - z.min()) / max(np.ptp(z), 1e-9)], 1)
    return rolled

"""Slow references for the rasteriser in 64-bit floats: rays against triangles, distance to edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rays:
    """Per pixel the nearest front-facing triangle; `contested` where another is within 1e-6 of its depth."""

    depth: np.ndarray
    triangle: np.ndarray
    bary: np.ndarray
    contested: np.ndarray


def trace(points: np.ndarray, triangles: np.ndarray, width: int, height: int) -> Rays:
    """One ray per pixel centre, solved against each triangle's corners in space.

    Screen points are lifted to a pinhole camera of focal length 1 pixel at the picture's middle.
    """
    middle = np.array([width / 2, height / 2])
    points = points.astype(float)
    world = np.concatenate([(points[:, :2] - middle) * points[:, 2:], points[:, 2:]], 1)
    y, x = np.mgrid[:height, :width] + 0.5
    rays = np.stack([x - middle[0], y - middle[1], np.ones_like(x)], -1).reshape(-1, 3)
    depth, second = np.full(len(rays), np.inf), np.full(len(rays), np.inf)
    ids, bary = np.full(len(rays), -1), np.zeros((len(rays), 3))
    for t, corners in enumerate(world[triangles]):
        if np.linalg.det(corners) >= 0 or (corners[:, 2] <= 0).any():
            continue
        share = np.linalg.solve(corners.T, rays.T).T
        hit = (share >= 0).all(1)
        distance = np.where(hit, 1.0 / np.where(hit, share.sum(1), 1.0), np.inf)
        nearer = distance < depth
        second = np.minimum(second, np.where(nearer, depth, distance))
        depth[nearer], ids[nearer] = distance[nearer], t
        bary[nearer] = share[nearer] * distance[nearer, None]
    contested = np.isfinite(second)
    contested[contested] = second[contested] - depth[contested] < 1e-6 * depth[contested]
    shape = (height, width)
    return Rays(depth.reshape(shape), ids.reshape(shape), bary.reshape(*shape, 3), contested.reshape(shape))


def near_edge(
    points: np.ndarray, triangles: np.ndarray, width: int, height: int, distance: float
) -> np.ndarray:
    """[H, W] bool: some triangle's edge passes the pixel's centre within `distance` pixels."""
    y, x = np.mgrid[:height, :width] + 0.5
    near = np.zeros((height, width), bool)
    for corners in points.astype(float)[triangles][..., :2]:
        for a, b in zip(corners, np.roll(corners, -1, 0), strict=True):
            along = b - a
            length = np.linalg.norm(along)
            if length == 0:
                continue
            s = ((x - a[0]) * along[0] + (y - a[1]) * along[1]) / length**2
            s = np.clip(s, 0, 1)
            near |= np.hypot(x - a[0] - s * along[0], y - a[1] - s * along[1]) < distance
    return near

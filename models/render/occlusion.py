"""Soft darkening in screen space: ambient occlusion and the key light's shadow, at a fraction of the size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel

from .raster import Raster, rasterize

AO_RADII = (0.0045, 0.011, 0.024)  # metres
AO_STRENGTH = (0.50, 0.42, 0.30)
AO_DARKEST = 0.18
SHADOW_SIZE = 448  # pixels of the shadow map
SHADOW_REACH = 0.17  # metres from the map's centre to its rim
SHADOW_BIAS = 0.003  # metres
AO_BLUR, SHADOW_BLUR = 0.002, 0.0045  # metres
SHADOW_CENTRE = (0.0, -0.02, -0.03)


@dataclass(frozen=True)
class ShadowMap:
    """The head's depth seen along a light.

    Attributes:
        axes: [3, 3] rows right, down, forward (away from the light).
        raster: depth is measured from a plane SHADOW_REACH before the centre, metres.
    """

    axes: Array
    raster: Raster

    @staticmethod
    def toward(light: Array) -> ShadowMap:
        """An empty map for a light in direction `light` [3] (unit, from the head to the light)."""
        right = np.cross([0.0, 0.0, 1.0], light)
        right /= np.linalg.norm(right)
        axes = np.stack([right, np.cross(right, light), -light]).astype(np.float32)
        return ShadowMap(axes, Raster.empty(SHADOW_SIZE, SHADOW_SIZE))

    def project(self, vertices: Array) -> Array:
        """World points [V, 3] -> map points (x, y in pixels, depth in metres)."""
        view: Array = (vertices - np.array(SHADOW_CENTRE, np.float32)) @ self.axes.T
        scale = np.float32(SHADOW_SIZE / (2 * SHADOW_REACH))
        view[:, :2] = view[:, :2] * scale + np.float32(SHADOW_SIZE / 2)
        view[:, 2] += np.float32(2 * SHADOW_REACH)
        return view

    def draw(self, vertices: Array, triangles: Array) -> None:
        """Fill the map. The tiny error of 1 / depth interpolation in a parallel view is under the bias."""
        rasterize(self.project(vertices), triangles, self.raster)


def light_and_occlusion(
    raster: Raster, shadow: ShadowMap, points: Array, triangles: Array, step: int, metre: float
) -> Array:
    """[h, w, 2] f32: ambient light and key light that arrive, 0-1, one value per `step` x `step` block.

    Args:
        points: [V, 3] the vertices in the shadow map (`ShadowMap.project`).
        metre: blocks per metre at the head's distance.
    """
    depth, lit = _sample_blocks(
        raster.depth, raster.triangle, raster.bary, triangles, points, shadow.raster.depth, step
    )
    covered = np.isfinite(depth)
    far = float(depth[covered].max()) if covered.any() else 1.0
    filled = np.where(covered, depth, np.float32(far))
    ambient = np.ones_like(filled)
    for radius, strength in zip(AO_RADII, AO_STRENGTH, strict=True):
        _subtract_occlusion(ambient, filled, blur(filled, radius * metre), radius, strength)
    ambient = np.maximum(ambient, AO_DARKEST)
    softened = [
        _blur_covered(ambient, covered, AO_BLUR * metre),
        _blur_covered(lit, covered, SHADOW_BLUR * metre),
    ]
    return np.stack(softened, 2)


def _blur_covered(image: Array, covered: Array, sigma: float) -> Array:
    """Blur [h, w] of the covered blocks alone, carried a little past their outline."""
    weight = blur(covered.astype(np.float32), sigma)
    total = blur(np.where(covered, image, np.float32(0.0)), sigma)
    carried: Array = total / np.maximum(weight, np.float32(1e-3))
    return carried


def blur(image: Array, sigma: float) -> Array:
    """Gaussian-like blur of [h, w] f32: three box filters; edges repeat."""
    radius = max(round(sigma), 1)
    out: Array = image.astype(np.float32)
    for _ in range(3):
        out = _box_rows(_box_rows(out, radius).T.copy(), radius).T.copy()
    return out


@kernel
def _sample_blocks(
    depth: Array, triangle: Array, bary: Array, triangles: Array, points: Array, shadow: Array, step: int
) -> tuple[Array, Array]:
    """Depth and key-light visibility at the middle of each block."""
    height, width = depth.shape[0] // step, depth.shape[1] // step
    out = np.full((height, width), np.inf, np.float32)
    lit = np.ones((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            sy, sx = y * step + step // 2, x * step + step // 2
            t = triangle[sy, sx]
            if t < 0:
                continue
            out[y, x] = depth[sy, sx]
            a, b = bary[sy, sx, 0], bary[sy, sx, 1]
            i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            px = a * points[i, 0] + b * points[j, 0] + (1 - a - b) * points[k, 0]
            py = a * points[i, 1] + b * points[j, 1] + (1 - a - b) * points[k, 1]
            pz = a * points[i, 2] + b * points[j, 2] + (1 - a - b) * points[k, 2]
            total = 0.0
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    mx, my = int(px) + 2 * dx, int(py) + 2 * dy
                    if 0 <= mx < shadow.shape[1] and 0 <= my < shadow.shape[0]:
                        if pz - SHADOW_BIAS <= shadow[my, mx]:
                            total += 1.0
                    else:
                        total += 1.0
            lit[y, x] = total / 9.0
    return out, lit


@kernel
def _subtract_occlusion(ambient: Array, depth: Array, mean: Array, radius: float, strength: float) -> None:
    """A point behind the mean depth round it is occluded, unless it is so far behind that they are apart."""
    for y in range(depth.shape[0]):
        for x in range(depth.shape[1]):
            behind = (depth[y, x] - mean[y, x]) / radius
            if behind > 0.0:
                ambient[y, x] -= strength * behind * np.exp(-behind * behind) * 2.0


@kernel
def _box_rows(image: Array, radius: int) -> Array:
    """Running mean over 2 * radius + 1 columns."""
    height, width = image.shape
    out = np.empty_like(image)
    scale = 1.0 / (2 * radius + 1)
    for y in range(height):
        total = image[y, 0] * radius
        for x in range(radius + 1):
            total += image[y, min(x, width - 1)]
        for x in range(width):
            out[y, x] = total * scale
            total += image[y, min(x + radius + 1, width - 1)] - image[y, max(x - radius, 0)]
    return out

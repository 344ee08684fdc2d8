"""Shading of rasterised pixels: three lights, hemisphere ambient, soft skin, wet eyes; linear light to sRGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from blender_addon.protocol.tensorfile import Array

# Lights: direction to the light (world: +X subject's left, -Y toward the camera, +Z up) and linear colour.
# The first is the key, which casts the shadow; then fill, rim, and a soft light from the camera.
LIGHT_DIRECTIONS = np.array(
    [(-0.60, -0.72, 0.62), (0.85, -0.55, 0.10), (0.55, 0.75, 0.60), (0.05, -1.0, 0.1)], np.float32
)
LIGHT_DIRECTIONS /= np.linalg.norm(LIGHT_DIRECTIONS, axis=1, keepdims=True)
LIGHT_COLORS = np.array(
    [(0.98, 0.92, 0.84), (0.20, 0.23, 0.28), (0.60, 0.63, 0.70), (0.10, 0.10, 0.10)], np.float32
)
SKY, GROUND = np.array((0.30, 0.32, 0.36), np.float32), np.array((0.15, 0.12, 0.10), np.float32)
BACKDROP_TOP, BACKDROP_BOTTOM = np.array((0.100, 0.112, 0.130)), np.array((0.30, 0.32, 0.345))

# Per material: how far light wraps round (red, green, blue), specular strength, gloss exponent.
_DEFAULT = (0.0, 0.0, 0.0, 0.03, 20.0)
_SURFACES: dict[str, tuple[float, float, float, float, float]] = {
    "skin": (0.26, 0.13, 0.09, 0.045, 16.0),
    "lips": (0.34, 0.12, 0.10, 0.12, 34.0),
    "mouth": (0.30, 0.10, 0.10, 0.06, 40.0),
    "tongue": (0.30, 0.10, 0.10, 0.10, 30.0),
    "gums": (0.30, 0.10, 0.10, 0.12, 50.0),
    "teeth": (0.20, 0.16, 0.12, 0.14, 60.0),
    "sclera": (0.20, 0.16, 0.15, 0.9, 420.0),
    "iris": (0.30, 0.30, 0.30, 1.1, 420.0),
    "pupil": (0.0, 0.0, 0.0, 1.1, 420.0),
}
EYE_MATERIALS = ("sclera", "iris", "pupil")
LID_SHADOW = 0.0042  # metres below the upper lid over which it shades the eyeball


@dataclass(frozen=True)
class Surfaces:
    """Shading constants by material index.

    Attributes:
        table: [M, 5] f32 wrap red, green, blue, specular strength, gloss exponent.
        eye: [M] bool, true on the eyeball's materials, which the lids shade.
    """

    table: Array
    eye: Array

    @staticmethod
    def of(material_names: tuple[str, ...]) -> Surfaces:
        """Constants for a face file's materials; an unknown name is a plain matt surface."""
        table = np.array([_SURFACES.get(name, _DEFAULT) for name in material_names], np.float32)
        return Surfaces(table, np.array([name in EYE_MATERIALS for name in material_names]))


def backdrop(width: int, height: int) -> Array:
    """[height, width, 3] f32 linear: a quiet gradient, lighter behind the head's lower half."""
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)[None]
    glow = np.exp(-(((x / 1.1) ** 2) + ((y - 0.15) / 0.95) ** 2))[..., None]
    image: Array = (BACKDROP_TOP + (BACKDROP_BOTTOM - BACKDROP_TOP) * glow).astype(np.float32)
    return image


def srgb_table() -> Array:
    """[4096] u8: linear light 0-1 -> 8-bit sRGB."""
    linear = np.linspace(0, 1, 4096)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(srgb * 255).astype(np.uint8)


def _kernel(function: Any) -> Any:
    return numba.njit(cache=True, fastmath=True, nogil=True)(function)


@_kernel
def shade_frame(
    depth: Array,
    triangle: Array,
    bary: Array,
    triangles: Array,
    material: Array,
    attributes: Array,
    lids: Array,
    table: Array,
    eye: Array,
    soft: Array,
    background: Array,
    directions: Array,
    colors: Array,
    sky: Array,
    ground: Array,
    camera: Array,
    srgb: Array,
    out: Array,
) -> None:
    """Fill `out` [H, W, 3] u8 from buffers of twice its size.

    A pixel whose four samples agree in material and depth is lit once at their mean, others once per sample.

    Args:
        attributes: [V, 10] f32 position, normal, albedo, cavity light.
        lids: [n, 3] f32 points on the upper lid margins.
        soft: [h, w, 2] ambient and key light per block.
    """
    height, width = out.shape[0], out.shape[1]
    pixel = np.zeros(3, np.float32)
    mean = np.zeros(10, np.float32)
    blocks_y, blocks_x = soft.shape[0] / height, soft.shape[1] / width
    light = np.zeros(2, np.float32)
    for y in range(height):
        for x in range(width):
            ids = (
                triangle[2 * y, 2 * x],
                triangle[2 * y, 2 * x + 1],
                triangle[2 * y + 1, 2 * x],
                triangle[2 * y + 1, 2 * x + 1],
            )
            pixel[:] = 0.0
            if ids[0] < 0 and ids[1] < 0 and ids[2] < 0 and ids[3] < 0:
                pixel[:] = background[y, x]
            else:
                _bilinear(soft, (y + 0.5) * blocks_y - 0.5, (x + 0.5) * blocks_x - 0.5, light)
                same = ids[0] >= 0 and ids[1] >= 0 and ids[2] >= 0 and ids[3] >= 0
                if same:
                    m = material[ids[0]]
                    near, far = depth[2 * y, 2 * x], depth[2 * y, 2 * x]
                    for s in range(1, 4):
                        d = depth[2 * y + s // 2, 2 * x + s % 2]
                        near, far = min(near, d), max(far, d)
                        same = same and material[ids[s]] == m
                    same = same and far - near < 0.003
                if same:
                    mean[:] = 0.0
                    for s in range(4):
                        _gather(
                            bary, triangles, attributes, ids[s], 2 * y + s // 2, 2 * x + s % 2, 0.25, mean
                        )
                    _light(
                        mean,
                        material[ids[0]],
                        table,
                        eye,
                        lids,
                        light,
                        directions,
                        colors,
                        sky,
                        ground,
                        camera,
                        1.0,
                        pixel,
                    )
                else:
                    for s in range(4):
                        if ids[s] < 0:
                            for c in range(3):
                                pixel[c] += 0.25 * background[y, x, c]
                            continue
                        mean[:] = 0.0
                        _gather(bary, triangles, attributes, ids[s], 2 * y + s // 2, 2 * x + s % 2, 1.0, mean)
                        _light(
                            mean,
                            material[ids[s]],
                            table,
                            eye,
                            lids,
                            light,
                            directions,
                            colors,
                            sky,
                            ground,
                            camera,
                            0.25,
                            pixel,
                        )
            for c in range(3):
                out[y, x, c] = srgb[int(min(max(pixel[c], 0.0), 1.0) * 4095.0 + 0.5)]


@_kernel
def _bilinear(image: Array, y: float, x: float, out: Array) -> None:
    height, width = image.shape[0], image.shape[1]
    y, x = min(max(y, 0.0), height - 1.001), min(max(x, 0.0), width - 1.001)
    i, j = int(y), int(x)
    fy, fx = y - i, x - j
    for c in range(2):
        top = image[i, j, c] * (1 - fx) + image[i, j + 1, c] * fx
        low = image[i + 1, j, c] * (1 - fx) + image[i + 1, j + 1, c] * fx
        out[c] = top * (1 - fy) + low * fy


@_kernel
def _gather(
    bary: Array, triangles: Array, attributes: Array, t: int, y: int, x: int, share: float, out: Array
) -> None:
    i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
    a, b = share * bary[y, x, 0], share * bary[y, x, 1]
    c = share - a - b
    for n in range(out.shape[0]):
        out[n] += a * attributes[i, n] + b * attributes[j, n] + c * attributes[k, n]


@_kernel
def _lid_shade(point: Array, lids: Array) -> float:
    """Light left on the eyeball under the upper lid: 0.35 at the margin, 1 below its shadow."""
    best = 1e9
    for n in range(lids.shape[0]):
        dx, dy, dz = point[0] - lids[n, 0], point[1] - lids[n, 1], point[2] - lids[n, 2]
        best = min(best, dx * dx + dy * dy + dz * dz)
    t = min(np.sqrt(best) / LID_SHADOW, 1.0)
    return 0.35 + 0.65 * t * t * (3 - 2 * t)


@_kernel
def _light(
    at: Array,
    m: int,
    table: Array,
    eye: Array,
    lids: Array,
    soft: Array,
    directions: Array,
    colors: Array,
    sky: Array,
    ground: Array,
    camera: Array,
    share: float,
    pixel: Array,
) -> None:
    """Add `share` of the light that leaves the surface point `at` [10] toward the camera."""
    nx, ny, nz = at[3], at[4], at[5]
    scale = 1.0 / max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-6)
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    vx, vy, vz = camera[0] - at[0], camera[1] - at[1], camera[2] - at[2]
    scale = 1.0 / max(np.sqrt(vx * vx + vy * vy + vz * vz), 1e-6)
    vx, vy, vz = vx * scale, vy * scale, vz * scale
    cavity = at[9]
    if eye[m]:
        cavity *= _lid_shade(at, lids)
    facing = max(nx * vx + ny * vy + nz * vz, 0.0)
    edge = (1.0 - facing) ** 4
    ambient = soft[0] * cavity
    up = 0.5 + 0.5 * nz
    red = at[6] * ambient * (ground[0] + (sky[0] - ground[0]) * up)
    green = at[7] * ambient * (ground[1] + (sky[1] - ground[1]) * up)
    blue = at[8] * ambient * (ground[2] + (sky[2] - ground[2]) * up)
    gloss = 0.0
    strength, exponent = table[m, 3], table[m, 4]
    for n in range(directions.shape[0]):
        lx, ly, lz = directions[n, 0], directions[n, 1], directions[n, 2]
        incoming = nx * lx + ny * ly + nz * lz
        arrives = cavity * (soft[1] if n == 0 else 0.4 + 0.6 * soft[0])
        wr, wg, wb = table[m, 0], table[m, 1], table[m, 2]
        red += at[6] * colors[n, 0] * arrives * max((incoming + wr) / (1 + wr), 0.0) / (1 + 0.5 * wr)
        green += at[7] * colors[n, 1] * arrives * max((incoming + wg) / (1 + wg), 0.0) / (1 + 0.5 * wg)
        blue += at[8] * colors[n, 2] * arrives * max((incoming + wb) / (1 + wb), 0.0) / (1 + 0.5 * wb)
        if incoming > 0.0:
            hx, hy, hz = lx + vx, ly + vy, lz + vz
            half = (nx * hx + ny * hy + nz * hz) / max(np.sqrt(hx * hx + hy * hy + hz * hz), 1e-6)
            if half > 0.0:
                shine = strength * (1 + 5.0 * edge) * half**exponent * arrives * min(incoming * 4.0, 1.0)
                gloss += shine * (colors[n, 0] + colors[n, 1] + colors[n, 2]) / 3.0
    pixel[0] += share * _tone(red + gloss)
    pixel[1] += share * _tone(green + gloss)
    pixel[2] += share * _tone(blue + gloss)


@_kernel
def _tone(value: float) -> float:
    """Straight below 0.6, then rolled off toward 1."""
    if value < 0.6:
        return value
    return 0.6 + 0.4 * (1.0 - np.exp(-(value - 0.6) / 0.4))

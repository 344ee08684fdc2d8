"""Shading of rasterised pixels: lights with soft skin, hemisphere ambient, wet eyes; linear light to sRGB."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import inlined, kernel
from models.srgb import linear_to_srgb

from .look import Lights, Materials

SAMPLES = 2  # per pixel and axis
TEXEL_STEP = np.sqrt(1.5) / 255  # texels hold light up to 1.5
LID_SHADOW = 0.0042  # metres below the upper lid over which it shades the eyeball
_ONE_SURFACE = 0.003  # metres; samples of a pixel further apart in depth are lit one by one


class Drawn(NamedTuple):
    """Buffers of `SAMPLES` times the picture's size (see `raster.Raster`) and what they index.

    Attributes:
        triangles: [T, 3] i32 rows of `attributes`; material: [T] i32.
        attributes: [R, 11] f32 position, normal, albedo, shine, light that reaches a cavity.
        uv: [T, 3, 2] f32 places of the triangles' corners in `texture`, pixels from its upper left corner.
        texture: [h, w, 4] u8 albedo and shine, each the root of linear light by `TEXEL_STEP`, in place of the
            attributes' unless h = 0.
    """

    depth: Array
    triangle: Array
    bary: Array
    triangles: Array
    material: Array
    attributes: Array
    uv: Array
    texture: Array


class Scene(NamedTuple):
    """What lights the picture.

    Attributes:
        soft: [h, w, 2] f32 ambient and key light that arrive, per block.
        lids: [n, 3] f32 points on the upper lid margins; camera: [3] f32 its place.
        background: [H, W, 3] f32 linear.
    """

    lights: Lights
    materials: Materials
    soft: Array
    lids: Array
    camera: Array
    background: Array


def srgb_table() -> Array:
    """[4096] u8: linear light 0-1 -> 8-bit sRGB."""
    table: Array = np.round(linear_to_srgb(np.linspace(0, 1, 4096)) * 255).astype(np.uint8)
    return table


@kernel
def shade_frame(drawn: Drawn, scene: Scene, srgb: Array, out: Array) -> None:
    """Fill `out` [H, W, 3] u8.

    A pixel whose samples agree in material and depth is lit once at their mean, others once per sample.
    """
    pixel = np.zeros(3, np.float32)
    light = np.zeros(2, np.float32)
    at = np.zeros(drawn.attributes.shape[1], np.float32)
    blocks_y, blocks_x = scene.soft.shape[0] / out.shape[0], scene.soft.shape[1] / out.shape[1]
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            kind = _pixel_kind(drawn, y, x)
            if kind == 0:
                for c in range(3):
                    pixel[c] = scene.background[y, x, c]
            else:
                for c in range(3):
                    pixel[c] = 0.0
                _bilinear(scene.soft, (y + 0.5) * blocks_y - 0.5, (x + 0.5) * blocks_x - 0.5, light)
                if kind == 1:
                    _light_mean(drawn, scene, y, x, light, at, pixel)
                else:
                    _light_each(drawn, scene, y, x, light, at, pixel)
            for c in range(3):
                out[y, x, c] = srgb[int(min(max(pixel[c], 0.0), 1.0) * 4095.0 + 0.5)]


@inlined
def _pixel_kind(drawn: Drawn, y: int, x: int) -> int:
    """0 background, 1 one surface, 2 several."""
    covered = 0
    near, far = np.float32(np.inf), 0.0
    same = True
    first = drawn.triangle[2 * y, 2 * x]
    for s in range(4):
        t = drawn.triangle[2 * y + s // 2, 2 * x + s % 2]
        if t >= 0:
            covered += 1
            d = drawn.depth[2 * y + s // 2, 2 * x + s % 2]
            near, far = min(near, d), max(far, d)
            same = same and first >= 0 and drawn.material[t] == drawn.material[first]
    if covered == 0:
        return 0
    return 1 if covered == 4 and same and far - near < _ONE_SURFACE else 2


@inlined
def _light_mean(drawn: Drawn, scene: Scene, y: int, x: int, light: Array, at: Array, pixel: Array) -> None:
    for n in range(at.shape[0]):
        at[n] = 0.0
    first = drawn.triangle[2 * y, 2 * x]
    a, b = 0.0, 0.0
    one = True
    for s in range(4):
        sy, sx = 2 * y + s // 2, 2 * x + s % 2
        one = one and drawn.triangle[sy, sx] == first
        a += 0.25 * drawn.bary[sy, sx, 0]
        b += 0.25 * drawn.bary[sy, sx, 1]
    if one:
        _gather(drawn, first, a, b, 1.0, at)
        if drawn.texture.shape[0] > 0:
            _sample(drawn, first, a, b, at)
    else:
        for s in range(4):
            sy, sx = 2 * y + s // 2, 2 * x + s % 2
            a = 0.25 * drawn.bary[sy, sx, 0]
            b = 0.25 * drawn.bary[sy, sx, 1]
            _gather(drawn, drawn.triangle[sy, sx], a, b, 0.25, at)
        if drawn.texture.shape[0] > 0:
            _sample_each(drawn, y, x, at)
    _light(at, drawn.material[first], scene, light, 1.0, pixel)


@inlined
def _light_each(drawn: Drawn, scene: Scene, y: int, x: int, light: Array, at: Array, pixel: Array) -> None:
    for s in range(4):
        sy, sx = 2 * y + s // 2, 2 * x + s % 2
        t = drawn.triangle[sy, sx]
        if t < 0:
            for c in range(3):
                pixel[c] += 0.25 * scene.background[y, x, c]
        else:
            for n in range(at.shape[0]):
                at[n] = 0.0
            a, b = drawn.bary[sy, sx, 0], drawn.bary[sy, sx, 1]
            _gather(drawn, t, a, b, 1.0, at)
            if drawn.texture.shape[0] > 0:
                _sample(drawn, t, a, b, at)
            _light(at, drawn.material[t], scene, light, 0.25, pixel)


@inlined
def _gather(drawn: Drawn, t: int, a: float, b: float, total: float, at: Array) -> None:
    i, j, k = drawn.triangles[t, 0], drawn.triangles[t, 1], drawn.triangles[t, 2]
    c = total - a - b
    for n in range(at.shape[0]):
        at[n] += a * drawn.attributes[i, n] + b * drawn.attributes[j, n] + c * drawn.attributes[k, n]


@inlined
def _sample(drawn: Drawn, t: int, a: float, b: float, at: Array) -> None:
    """The texture between its four nearest pixels, into the places of albedo and shine."""
    texture, c = drawn.texture, 1.0 - a - b
    x = a * drawn.uv[t, 0, 0] + b * drawn.uv[t, 1, 0] + c * drawn.uv[t, 2, 0] - 0.5
    y = a * drawn.uv[t, 0, 1] + b * drawn.uv[t, 1, 1] + c * drawn.uv[t, 2, 1] - 0.5
    x = min(max(x, 0.0), texture.shape[1] - 1.001)
    y = min(max(y, 0.0), texture.shape[0] - 1.001)
    i, j = int(y), int(x)
    fy, fx = y - i, x - j
    for n in range(4):
        near, right = _light_of(texture[i, j, n]), _light_of(texture[i, j + 1, n])
        below, last = _light_of(texture[i + 1, j, n]), _light_of(texture[i + 1, j + 1, n])
        at[6 + n] = (near * (1 - fx) + right * fx) * (1 - fy) + (below * (1 - fx) + last * fx) * fy


@inlined
def _sample_each(drawn: Drawn, y: int, x: int, at: Array) -> None:
    """The mean of the texture's pixels under the four samples of a pixel."""
    texture = drawn.texture
    for n in range(4):
        at[6 + n] = 0.0
    for s in range(4):
        sy, sx = 2 * y + s // 2, 2 * x + s % 2
        t, a, b = drawn.triangle[sy, sx], drawn.bary[sy, sx, 0], drawn.bary[sy, sx, 1]
        c = 1.0 - a - b
        u = a * drawn.uv[t, 0, 0] + b * drawn.uv[t, 1, 0] + c * drawn.uv[t, 2, 0]
        v = a * drawn.uv[t, 0, 1] + b * drawn.uv[t, 1, 1] + c * drawn.uv[t, 2, 1]
        j = min(max(int(u), 0), texture.shape[1] - 1)
        i = min(max(int(v), 0), texture.shape[0] - 1)
        for n in range(4):
            at[6 + n] += 0.25 * _light_of(texture[i, j, n])


@inlined
def _light_of(code: int) -> np.float32:
    """Linear light of a texel, which holds its square root."""
    root = np.float32(code) * np.float32(TEXEL_STEP)
    return root * root


@inlined
def _bilinear(image: Array, y: float, x: float, out: Array) -> None:
    height, width = image.shape[0], image.shape[1]
    y, x = min(max(y, 0.0), height - 1.001), min(max(x, 0.0), width - 1.001)
    i, j = int(y), int(x)
    fy, fx = y - i, x - j
    for c in range(2):
        top = image[i, j, c] * (1 - fx) + image[i, j + 1, c] * fx
        low = image[i + 1, j, c] * (1 - fx) + image[i + 1, j + 1, c] * fx
        out[c] = top * (1 - fy) + low * fy


@inlined
def _lid_shade(at: Array, lids: Array) -> float:
    """Light left on the eyeball under the upper lid: 0.35 at the margin, 1 below its shadow."""
    nearest = 1e9
    for n in range(lids.shape[0]):
        dx, dy, dz = at[0] - lids[n, 0], at[1] - lids[n, 1], at[2] - lids[n, 2]
        nearest = min(nearest, dx * dx + dy * dy + dz * dz)
    t = min(np.sqrt(nearest) / LID_SHADOW, 1.0)
    light: float = 0.35 + 0.65 * t * t * (3 - 2 * t)
    return light


@inlined
def _light(at: Array, m: int, scene: Scene, soft: Array, share: float, pixel: Array) -> None:
    """Add `share` of the light that leaves the surface point `at` [11] toward the camera.

    The highlight (1 - e (1 - c) / 8)^8 is close to c^e, and costs no exponential.
    """
    lights, table = scene.lights, scene.materials.table
    scale = 1.0 / max(np.sqrt(at[3] * at[3] + at[4] * at[4] + at[5] * at[5]), 1e-6)
    nx, ny, nz = at[3] * scale, at[4] * scale, at[5] * scale
    vx, vy, vz = scene.camera[0] - at[0], scene.camera[1] - at[1], scene.camera[2] - at[2]
    scale = 1.0 / max(np.sqrt(vx * vx + vy * vy + vz * vz), 1e-6)
    vx, vy, vz = vx * scale, vy * scale, vz * scale
    cavity = at[10]
    if scene.materials.eye[m]:
        cavity *= _lid_shade(at, scene.lids)
    edge = 1.0 - max(nx * vx + ny * vy + nz * vz, 0.0)
    strength, exponent = table[m, 3] * at[9] * (1 + 5.0 * edge * edge * edge * edge), table[m, 4]
    wr, wg, wb = table[m, 0], table[m, 1], table[m, 2]
    ambient, up = soft[0] * cavity, 0.5 + 0.5 * nz
    red = ambient * (lights.ground[0] + (lights.sky[0] - lights.ground[0]) * up)
    green = ambient * (lights.ground[1] + (lights.sky[1] - lights.ground[1]) * up)
    blue = ambient * (lights.ground[2] + (lights.sky[2] - lights.ground[2]) * up)
    gloss = 0.0
    for n in range(lights.toward.shape[0]):
        lx, ly, lz = lights.toward[n, 0], lights.toward[n, 1], lights.toward[n, 2]
        facing = nx * lx + ny * ly + nz * lz
        if facing <= -wr:
            continue
        arrives = cavity * (soft[1] if n == 0 else 0.4 + 0.6 * soft[0])
        red += lights.color[n, 0] * arrives * (facing + wr) / ((1 + wr) * (1 + 0.5 * wr))
        green += lights.color[n, 1] * arrives * max(facing + wg, 0.0) / ((1 + wg) * (1 + 0.5 * wg))
        blue += lights.color[n, 2] * arrives * max(facing + wb, 0.0) / ((1 + wb) * (1 + 0.5 * wb))
        if facing > 0.0:
            hx, hy, hz = lx + vx, ly + vy, lz + vz
            cosine = (nx * hx + ny * hy + nz * hz) / max(np.sqrt(hx * hx + hy * hy + hz * hz), 1e-6)
            lobe = 1.0 - exponent * (1.0 - cosine) * 0.125
            if lobe > 0.0:
                lobe *= lobe
                lobe *= lobe
                shine = strength * lobe * lobe * arrives * min(facing * 4.0, 1.0)
                gloss += shine * (lights.color[n, 0] + lights.color[n, 1] + lights.color[n, 2]) / 3.0
    pixel[0] += share * _tone(at[6] * red + gloss)
    pixel[1] += share * _tone(at[7] * green + gloss)
    pixel[2] += share * _tone(at[8] * blue + gloss)


@inlined
def _tone(value: float) -> float:
    """Straight below 0.6, then rolled off toward 1."""
    if value < 0.6:
        return value
    over = (value - 0.6) / 0.4
    return 0.6 + 0.4 * over / (1.0 + over)

"""The pixels of a mouth's inside."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel

# Per colour, how much of the light that comes in goes by the root of it: red walls pass on red light.
BOUNCE = (0.55, 0.15, 0.08)
STEP = (0.15, 0.3)  # light between which a flat drawing goes from dark to bright
LEAST = 0.2  # of the light on skin that faces the camera


class MouthSurface(NamedTuple):
    """What the mouth's inside is made of.

    Attributes:
        normals: [n, 3] f32 at rest; albedo: [n, 3] f32 times the light's white; wet: [n] f32 shine.
        light: [9] f32 spherical harmonics of the light's brightness, 1 on what faces the camera.
        toward: [3] f32 the way to the camera; flat: 0-1 how much light is either there or not.
    """

    normals: Array
    albedo: Array
    wet: Array
    light: Array
    toward: Array
    flat: float


@kernel
def mouth_radiance(surface: MouthSurface, arrives: Array, turn: Array) -> Array:
    """[n, 3] f32 linear light toward the camera, the head turned by `turn` [3, 3]; `arrives` [n] 0-1."""
    out = np.empty(surface.albedo.shape, np.float32)
    sky, toward = surface.light, surface.toward
    for n in range(out.shape[0]):
        a, b, c = surface.normals[n, 0], surface.normals[n, 1], surface.normals[n, 2]
        x = turn[0, 0] * a + turn[0, 1] * b + turn[0, 2] * c
        y = turn[1, 0] * a + turn[1, 1] * b + turn[1, 2] * c
        z = turn[2, 0] * a + turn[2, 1] * b + turn[2, 2] * c
        lit = 0.282095 * sky[0] + 0.488603 * (y * sky[1] + z * sky[2] + x * sky[3])
        lit += 1.092548 * (x * y * sky[4] + y * z * sky[5] + x * z * sky[7])
        lit += 0.315392 * (3 * z * z - 1) * sky[6] + 0.546274 * (x * x - y * y) * sky[8]
        lit = max(lit, LEAST)
        lit += surface.flat * (1.0 - lit)
        t = min(max((arrives[n] - STEP[0]) / (STEP[1] - STEP[0]), 0.0), 1.0)
        comes = arrives[n] + surface.flat * (t * t * (3.0 - 2.0 * t) - arrives[n])
        root = np.sqrt(comes)
        facing = max(x * toward[0] + y * toward[1] + z * toward[2], 0.0)
        shine = facing * facing * facing
        shine = shine * shine * shine
        shine = surface.wet[n] * shine * shine * shine
        for k in range(3):
            light = comes + BOUNCE[k] * (root - comes)
            out[n, k] = light * (surface.albedo[n, k] * lit + shine)
    return out


@kernel
def shade_mouth(
    triangle: Array, bary: Array, triangles: Array, radiance: Array, dark: Array, samples: int, out: Array
) -> None:
    """Mean of the samples' light, `out` [h, w, 3] linear; `dark` [3] where nothing is, and added to all.

    Args:
        triangle: [h s, w s] i32; bary: [h s, w s, 2]; triangles: [T, 3]; radiance: [n, 3] linear.
    """
    share = np.float32(1.0 / (samples * samples))
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for c in range(3):
                out[y, x, c] = dark[c]
            for k in range(samples * samples):
                sy, sx = y * samples + k // samples, x * samples + k % samples
                t = triangle[sy, sx]
                if t < 0:
                    continue
                a, b = bary[sy, sx, 0], bary[sy, sx, 1]
                i, j, m = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                for c in range(3):
                    light = a * radiance[i, c] + b * radiance[j, c]
                    out[y, x, c] += share * (light + (np.float32(1.0) - a - b) * radiance[m, c])

"""Noise in space for painting: the same at a point whatever texel asks for it, so that seams do not show."""

from __future__ import annotations

import numpy as np

from models.kernel import inlined, kernel

from .mesh import Floats


def noise(points: Floats, size: float, seed: int = 0, octaves: int = 1) -> Floats:
    """Gradient noise [n], about -1 to 1, of features `size` cm across at `points` [n, 3].

    Each further octave has half the size and half the height.
    """
    out = np.zeros(len(points))
    _gradient_noise(np.ascontiguousarray(points, float), 1.0 / size, seed, octaves, out)
    return out


def cells(points: Floats, size: float, seed: int = 0) -> Floats:
    """Distance [n] to the nearest of points scattered one per cube of `size` cm, in units of `size`."""
    out = np.zeros(len(points))
    _nearest_cell(np.ascontiguousarray(points, float), 1.0 / size, seed, out)
    return out


@inlined
def _hash(x: int, y: int, z: int, seed: int) -> int:
    """A well mixed number of 24 bits."""
    h = (x * 73856093) ^ (y * 19349663) ^ (z * 83492791) ^ (seed * 668265263)
    h = (h ^ (h >> 13)) & 0x7FFFFFFF
    h = (h * 1274126177) & 0x7FFFFFFF
    h = (h ^ (h >> 16)) & 0x7FFFFFFF
    h = (h * 1103515245 + 12345) & 0x7FFFFFFF
    return (h ^ (h >> 11)) & 0xFFFFFF


@inlined
def _slope(h: int, x: float, y: float, z: float) -> float:
    """The dot product with one of 12 directions to a cube's edges."""
    side = h % 12
    u = x if side < 8 else y
    v = y if side < 4 else z
    return (u if h & 16 else -u) + (v if h & 32 else -v)


@inlined
def _fade(t: float) -> float:
    return t * t * t * (t * (t * 6 - 15) + 10)


@kernel
def _gradient_noise(points: Floats, frequency: float, seed: int, octaves: int, out: Floats) -> None:
    """After K. Perlin, *Improving Noise*, 2002."""
    for n in range(len(points)):
        scale, height = frequency, 1.0
        for octave in range(octaves):
            px, py, pz = points[n, 0] * scale, points[n, 1] * scale, points[n, 2] * scale
            i, j, k = int(np.floor(px)), int(np.floor(py)), int(np.floor(pz))
            x, y, z = px - i, py - j, pz - k
            u, v, w = _fade(x), _fade(y), _fade(z)
            total = 0.0
            for corner in range(8):
                a, b, c = corner & 1, (corner >> 1) & 1, corner >> 2
                share = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                h = _hash(i + a, j + b, k + c, seed + octave)
                total += share * _slope(h, x - a, y - b, z - c)
            out[n] += total * height
            scale *= 2.0
            height *= 0.5


@kernel
def _nearest_cell(points: Floats, frequency: float, seed: int, out: Floats) -> None:
    """After S. Worley, *A Cellular Texture Basis Function*, 1996."""
    for n in range(len(points)):
        px, py, pz = points[n, 0] * frequency, points[n, 1] * frequency, points[n, 2] * frequency
        i, j, k = int(np.floor(px)), int(np.floor(py)), int(np.floor(pz))
        nearest = 9.0
        for cell in range(27):
            a, b, c = i + cell % 3 - 1, j + (cell // 3) % 3 - 1, k + cell // 9 - 1
            h = _hash(a, b, c, seed)
            dx = a + (h & 255) / 256.0 - px
            dy = b + ((h >> 8) & 255) / 256.0 - py
            dz = c + (h >> 16) / 256.0 - pz
            nearest = min(nearest, dx * dx + dy * dy + dz * dz)
        out[n] = np.sqrt(nearest)

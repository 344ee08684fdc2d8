"""What the preview looks like: lights, backdrop, how materials answer light. Numbers were chosen by eye."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from blender_addon.protocol.tensorfile import Array

# Directions to the lights (world axes: +X subject's left, -Y toward the camera, +Z up).
KEY, FILL, RIM, FRONT = (-0.60, -0.72, 0.62), (0.85, -0.55, 0.10), (0.55, 0.75, 0.60), (0.05, -1.0, 0.1)
_COLORS = ((0.98, 0.92, 0.84), (0.20, 0.23, 0.28), (0.60, 0.63, 0.70), (0.10, 0.10, 0.10))
_SKY, _GROUND = (0.30, 0.32, 0.36), (0.15, 0.12, 0.10)
_BACKDROP_RIM, _BACKDROP_MIDDLE = np.array((0.100, 0.112, 0.130)), np.array((0.30, 0.32, 0.345))

EYE_MATERIALS = ("sclera", "iris", "pupil", "cornea")
# Per material: how far light wraps round (red, green, blue), specular strength, gloss exponent.
_MATT = (0.0, 0.0, 0.0, 0.03, 20.0)
_SURFACES: dict[str, tuple[float, float, float, float, float]] = {
    "skin": (0.22, 0.12, 0.09, 0.045, 16.0),
    "scalp": (0.05, 0.04, 0.04, 0.02, 10.0),
    "lips": (0.30, 0.12, 0.10, 0.09, 34.0),
    "mouth": (0.30, 0.10, 0.10, 0.06, 40.0),
    "tongue": (0.30, 0.10, 0.10, 0.10, 30.0),
    "gums": (0.30, 0.10, 0.10, 0.12, 50.0),
    "teeth": (0.20, 0.16, 0.12, 0.14, 60.0),
    "sclera": (0.20, 0.16, 0.15, 0.9, 420.0),
    "iris": (0.30, 0.30, 0.30, 1.1, 420.0),
    "cornea": (0.25, 0.25, 0.25, 1.1, 420.0),
    "pupil": (0.0, 0.0, 0.0, 1.1, 420.0),
}


class Lights(NamedTuple):
    """The first light casts the shadow.

    Attributes:
        toward: [n, 3] f32 unit directions to the lights; color: [n, 3] f32 linear.
        sky, ground: [3] f32 ambient light from above and below.
    """

    toward: Array
    color: Array
    sky: Array
    ground: Array


class Materials(NamedTuple):
    """Shading constants by material index.

    Attributes:
        table: [M, 5] f32 wrap red, green, blue, specular strength, gloss exponent.
        eye: [M] bool, true on the eyeball's materials, which the lids shade.
    """

    table: Array
    eye: Array


def studio_lights() -> Lights:
    """Key, fill, rim and a little light from the camera, under a pale sky."""
    toward = np.array([KEY, FILL, RIM, FRONT], np.float32)
    toward /= np.linalg.norm(toward, axis=1, keepdims=True)
    return Lights(
        toward, np.array(_COLORS, np.float32), np.array(_SKY, np.float32), np.array(_GROUND, np.float32)
    )


def materials(names: tuple[str, ...]) -> Materials:
    """Constants for a face file's materials; an unknown name is a plain matt surface."""
    table = np.array([_SURFACES.get(name, _MATT) for name in names], np.float32)
    return Materials(table, np.array([name in EYE_MATERIALS for name in names]))


def backdrop(width: int, height: int) -> Array:
    """[height, width, 3] f32 linear: a quiet gradient, lighter behind the head."""
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)[None]
    glow = np.exp(-(((x / 1.1) ** 2) + ((y - 0.15) / 0.95) ** 2))[..., None]
    image: Array = (_BACKDROP_RIM + (_BACKDROP_MIDDLE - _BACKDROP_RIM) * glow).astype(np.float32)
    return image

"""The head while it is being built.

Axes and units of this package, said once: centimetres, +X the subject's left, +Y up, +Z forward, the origin
between the pupils at the depth of the ear canals. `export.py` turns the result into the face file's frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FLIP = np.array([-1.0, 1.0, 1.0])  # mirrors a vector in the sagittal plane

# Mouth rings run from the block's rim inwards; columns k = 0 bottom midline .. 15 corner .. 30 top midline.
LIP_BORDER, LIP_LINE, MOUTH_INSIDE = 5, 8, 12
# Eye rings: 40 columns, 36 = inner canthus, 16 = outer canthus, 17..35 upper lid, 37..40 and 0..15 lower lid.
LID_MARGIN = 9
INNER_CANTHUS, OUTER_CANTHUS = 36, 16
UPPER_LID = np.arange(17, 36)
LOWER_LID = np.arange(37, 56) % 40


class Part(IntEnum):
    """Which closed piece of the head a vertex belongs to."""

    SKIN = 0
    EYE_LEFT = 1
    EYE_RIGHT = 2
    UPPER_TEETH = 3
    LOWER_TEETH = 4
    TONGUE = 5
    BROW = 6
    LASHES = 7


@dataclass(frozen=True)
class HeadMesh:
    """All parts in one vertex array.

    Attributes:
        vertices: [V, 3] cm.
        polygons: [P, 4] vertex ids; a triangle repeats an id.
        part: [V] `Part` of each vertex; the skin comes first.
        mirror: [V] id of the vertex on the other side.
        gum: [V] true on the gums.
        iris: [V] polar angle about the gaze axis in units of the iris's own; 9 off the eyeballs.
        rings: `mouth`, `eye`, `nostril`, `ear` -> [rings, columns] ids on the left half.
        skin_count: number of skin vertices.
    """

    vertices: Floats
    polygons: Ints
    part: Ints
    mirror: Ints
    gum: Bools
    iris: Floats
    rings: Mapping[str, Ints]
    skin_count: int

    def both(self, ids: npt.ArrayLike) -> Ints:
        """`ids` and their mirror images, flat."""
        flat = np.ravel(np.asarray(ids))
        return np.concatenate([flat, self.mirror[flat]])

    def marked(self, ids: npt.ArrayLike) -> Bools:
        """[V] true at `ids` and their mirror images."""
        mask = np.zeros(len(self.vertices), bool)
        mask[self.both(ids)] = True
        return mask


def smoothstep(x: npt.ArrayLike, a: float, b: float) -> Floats:
    """Cubic step from 0 at `a` to 1 at `b`."""
    t = np.clip((np.asarray(x, float) - a) / (b - a), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def gauss(distance: npt.ArrayLike, width: float) -> Floats:
    """Gaussian bump of standard deviation `width`."""
    result: Floats = np.exp(-0.5 * (np.asarray(distance, float) / width) ** 2)
    return result


def unit(vectors: Floats) -> Floats:
    """`vectors` [..., 3] scaled to length 1."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result: Floats = vectors / np.maximum(length, 1e-12)
    return result


def vertex_normals(vertices: Floats, polygons: Ints) -> Floats:
    """Area-weighted vertex normals [V, 3] of a quad mesh."""
    p = vertices[polygons]
    face = np.cross(p[:, 2] - p[:, 0], p[:, 3] - p[:, 1])
    normals: Floats = np.zeros_like(vertices)
    for corner in range(4):
        np.add.at(normals, polygons[:, corner], face)
    return unit(normals)


def stack(x: Any, y: Any, z: Any) -> Floats:
    """Broadcast three coordinates into [..., 3]."""
    stacked: Floats = np.stack(np.broadcast_arrays(x, y, z), -1).astype(float)
    return stacked

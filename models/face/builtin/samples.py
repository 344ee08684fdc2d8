"""Places on the head that are to be painted: its vertices, or the texels of its textures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from .hair import ribbon_places
from .mesh import Bools, Floats, HeadMesh, Ints, Part
from .pieces import cornea_flags

# The columns of `Samples.values`.
FIELDS = (
    "x",
    "y",
    "z",
    "mouth",
    "upper_lip",
    "eye",
    "nostril",
    "ear",
    "iris",
    "gum",
    "crown",
    "flank",
    "hair",
)


@dataclass(frozen=True)
class Samples:
    """n places.

    Attributes:
        part: [n] `Part`; cornea: [n] true on the corneas.
        values: [n, len(FIELDS)]: position at rest (cm); how many rings inside the mouth's, eye's and
            nostril's block a place lies (0 outside); way into the ear (1: its canal's end); share of the
            upper lip; polar angle in iris radii; share of gum; height on a tooth's crown (0 neck, 1 edge)
            and way to its flank; way along a hair.
    """

    part: Ints
    cornea: Bools
    values: Floats

    @property
    def position(self) -> Floats:
        """[n, 3] cm."""
        return self.values[:, :3]

    def __getitem__(self, field: str) -> Floats:
        """[n] one of `FIELDS`."""
        column: Floats = self.values[:, FIELDS.index(field)]
        return column

    def where(self, chosen: Bools) -> Samples:
        """Some of the places."""
        return Samples(self.part[chosen], self.cornea[chosen], self.values[chosen])


def vertex_samples(mesh: HeadMesh) -> Samples:
    """The vertices of the head."""
    upper = np.zeros(len(mesh.vertices))
    upper[mesh.both(mesh.rings["mouth"][:, 16:])] = 1.0
    upper[mesh.both(mesh.rings["mouth"][:, 15])] = 0.5
    rings = [_ring_number(mesh, name) for name in ("mouth", "eye", "nostril", "ear")]
    rings[-1] /= len(mesh.rings["ear"]) - 1
    columns = [
        *mesh.vertices.T,
        rings[0],
        upper,
        *rings[1:],
        mesh.iris,
        mesh.gum,
        *_crown(mesh),
        ribbon_places(mesh.part)[1],
    ]
    return Samples(mesh.part, cornea_flags(mesh.part), np.stack(columns, 1).astype(float))


def _ring_number(mesh: HeadMesh, name: str) -> Floats:
    number = np.zeros(len(mesh.vertices))
    for index, ring in enumerate(mesh.rings[name]):
        number[mesh.both(ring)] = index
    return number


def _crown(mesh: HeadMesh) -> tuple[Floats, Floats]:
    """[V] height on each tooth, 0 at its neck, and distance from its middle, 1 at its flanks."""
    height, aside = np.zeros(len(mesh.vertices)), np.zeros(len(mesh.vertices))
    for part, sign in ((Part.UPPER_TEETH, -1.0), (Part.LOWER_TEETH, 1.0)):
        ids = np.flatnonzero((mesh.part == part) & ~mesh.gum)
        quads = mesh.polygons[np.isin(mesh.polygons, ids).all(1)]
        links = (quads[:, :3].ravel(), quads[:, 1:].ravel())
        graph = coo_matrix((np.ones(3 * len(quads)), links), shape=(len(height),) * 2)
        label = connected_components(graph, directed=False)[1][ids]
        for tooth in np.unique(label):
            rows = ids[label == tooth]
            up, flat = sign * mesh.vertices[rows, 1], mesh.vertices[rows][:, [0, 2]]
            height[rows] = (up - up.min()) / np.maximum(np.ptp(up), 1e-6)
            away = np.linalg.norm(flat - (flat.max(0) + flat.min(0)) / 2, axis=1)
            aside[rows] = away / np.maximum(away.max(), 1e-6)
    return height, aside

"""Correspondence: each vertex of the target has a place on our skin, and takes what is there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg

from blender_addon.lips.seal import smoothstep

from .registration import HEAD_SIZE, Model, Target, ring_places
from .rings import RING_LANDMARKS, along
from .surface import ClosestPoints, Floats, Hits, Ints, Surface

_LEAST_DOT = 0.2
_REACH = 0.1  # head sizes; skin farther from ours (a body, a hat's brim) takes nothing
_SMOOTH = 0.2  # weight of smoothness against a matched vertex
_RING_FIRM, _FAR_FIRM = 100.0, 1e-3
_SEEN_FROM, _SEEN = 5e-6, 3e-5  # metres: motion below the first is none


@dataclass(frozen=True)
class Correspondence:
    """Places of the target's vertices on our skin.

    Attributes:
        ours: our skin, laid onto the target.
        hits: nearest places, by any normal where no compatible one exists.
        firm: [V] how much a vertex's own place counts against its neighbours'.
        target: the target, with rings.
        model: our head.
    """

    ours: Surface
    hits: Hits
    firm: Floats
    target: Target
    model: Model

    @cached_property
    def _smoother(self) -> sparse_linalg.SuperLU:
        system = _SMOOTH * self.target.surface.bending + sparse.diags(self.firm + 1e-9)
        return sparse_linalg.splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})

    def nearest(self) -> Ints:
        """[V] id of our skin's vertex that is nearest to each vertex."""
        corner = self.hits.bary.argmax(1)
        nearest: Ints = self.ours.triangles[self.hits.triangle, corner]
        return nearest

    def carry(self, values: Floats) -> Floats:
        """`values` [n, C] of our skin -> [V, C], smooth where the target has no place on ours."""
        goal = self.hits.take(self.ours, values)
        for name, ids in self.target.rings.items():
            middle = RING_LANDMARKS[name][1]
            here = ring_places(self.model.surface, self.model.rings[name], self.model.landmarks[middle])
            there = ring_places(self.target.surface, ids, self.target.landmarks[middle])
            goal[ids] = along(here, values[self.model.rings[name]], there)
        goal[self.firm <= _FAR_FIRM] = 0.0
        carried: Floats = self._smoother.solve(self.firm[:, None] * goal)
        return carried

    def carry_shapes(self, shapes: Floats) -> Floats:
        """Displacements [S, n, 3] of our skin -> [S, V, 3]; nothing moves by less than one can see."""
        count, n, _ = shapes.shape
        flat = self.carry(shapes.transpose(1, 0, 2).reshape(n, -1))
        moves = flat.reshape(-1, count, 3).transpose(1, 0, 2)
        fade = smoothstep(np.linalg.norm(moves, axis=2), _SEEN_FROM, _SEEN)
        return np.asarray(moves * fade[..., None])


def correspond(model: Model, target: Target, placed: Floats, size: float) -> Correspondence:
    """Match the target's vertices with our skin, which `placed` [n, 3] lays onto it."""
    ours = Surface(placed, model.surface.triangles)
    skin = target.surface
    hits = ClosestPoints(ours, model.labels)(skin.vertices, skin.vertex_normals, _LEAST_DOT, target.labels)
    anyhow = ClosestPoints(ours)(skin.vertices, skin.vertex_normals, -1.1)
    found = hits.triangle >= 0
    firm = np.where(found & (hits.distance < _REACH * size * HEAD_SIZE), 1.0, 0.0)
    firm[anyhow.distance > _REACH * size * HEAD_SIZE] = _FAR_FIRM
    for ids in target.rings.values():
        firm[ids] = _RING_FIRM
    places = Hits(
        np.where(found, hits.triangle, anyhow.triangle),
        np.where(found[:, None], hits.bary, anyhow.bary),
        np.where(found, hits.distance, anyhow.distance),
    )
    return Correspondence(ours, places, firm, target, model)

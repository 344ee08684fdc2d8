"""Spreading exact targets on rings over the skin: |L d|^2 + screen |d|^2 + weight |d - target|^2 -> min."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg

from .mesh import FLIP, Bools, Floats, HeadMesh, Ints, gauss
from .mesh import LIP_LINE as LINE_RING

_HELD = 30.0  # the screen where skin is held still
_SHORTEST_EDGE = 0.02


@dataclass(frozen=True)
class Handle:
    """Where some vertices shall go: ids [n], displacement [n, C] (or [1, C]), weight [n] (or one number)."""

    ids: Ints
    move: Floats
    weight: npt.NDArray[np.float64] | float


class SkinSolver:
    """The factorable part of the problem for one head, and the masks that shapes share."""

    def __init__(self, mesh: HeadMesh, far_from_mouth: Floats) -> None:
        """`far_from_mouth` [skin] is 1 where mouth shapes hold the skin still, smooth in between."""
        self.mesh = mesh
        self.count = mesh.skin_count
        self.skin = mesh.vertices[: self.count]
        self.mirror = mesh.mirror[: self.count]
        self.ears: Bools = mesh.marked(mesh.rings["ear"])[: self.count]
        self.far_from_mouth = np.maximum(far_from_mouth, self.ears)
        self._bending = self._bending_energy()

    def _bending_energy(self) -> sparse.csc_matrix:
        """L^T L of the graph Laplacian with weights 1 / edge length."""
        quads = self.mesh.polygons[(self.mesh.polygons < self.count).all(1)]
        edges = np.concatenate([quads[:, [i, (i + 1) % 4]] for i in range(4)])
        edges = np.unique(np.sort(edges, 1), axis=0)
        edges = edges[edges[:, 0] != edges[:, 1]]
        length = np.linalg.norm(self.skin[edges[:, 0]] - self.skin[edges[:, 1]], axis=1)
        weight = 1 / np.maximum(length, _SHORTEST_EDGE)
        rows, columns = np.concatenate([edges, edges[:, ::-1]]).T
        near = sparse.coo_matrix(
            (np.tile(weight, 2), (rows, columns)), shape=(self.count, self.count)
        ).tocsr()
        laplacian = sparse.identity(self.count) - sparse.diags(1 / np.asarray(near.sum(1)).ravel()) @ near
        return (laplacian.T @ laplacian).tocsc()

    def spread(self, handles: list[Handle], held: npt.ArrayLike, screen: float) -> Floats:
        """Symmetric displacement [skin, C] of handles given on the left half. `held` [skin] in 0-1."""
        channels = handles[0].move.shape[-1]
        flip = FLIP if channels == 3 else np.ones(1)
        weight, target = np.zeros(self.count), np.zeros((self.count, channels))
        for handle in handles:
            move = np.broadcast_to(handle.move, (len(handle.ids), channels))
            strength = np.broadcast_to(handle.weight, len(handle.ids))
            for ids, value in ((handle.ids, move), (self.mirror[handle.ids], move * flip)):
                stronger = strength > weight[ids]
                weight[ids[stronger]], target[ids[stronger]] = strength[stronger], value[stronger]
        moved = self._solve(weight, target, held, screen)
        even: Floats = (moved + moved[self.mirror] * flip) / 2
        return even

    def spread_as_given(self, handles: list[Handle], held: npt.ArrayLike, screen: float) -> Floats:
        """Displacement [skin, 3] of handles on both halves; not symmetric."""
        weight, target = np.zeros(self.count), np.zeros((self.count, 3))
        for handle in handles:
            weight[handle.ids], target[handle.ids] = handle.weight, handle.move
        return self._solve(weight, target, held, screen)

    def _solve(self, weight: Floats, target: Floats, held: npt.ArrayLike, screen: float) -> Floats:
        """The screen blends between free and held by its logarithm: a step would leave a crease."""
        share = np.asarray(held, float)
        diagonal = screen ** (1 - share) * _HELD**share
        system = (self._bending + sparse.diags(diagonal + weight)).tocsc()
        factor = sparse_linalg.splu(system, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
        moved: Floats = factor.solve(weight[:, None] * target)
        return moved

    def near(
        self,
        x: float,
        y: float,
        move: tuple[float, float, float],
        radius: float = 0.6,
        weight: float = 3.0,
    ) -> Handle:
        """A soft handle: front skin round (x, y) on the left half moves by `move`."""
        usable = (self.skin[:, 0] > -0.01) & (self.skin[:, 2] > 3) & ~self.ears
        usable[self.mesh.rings["mouth"][LINE_RING + 1 :].ravel()] = False
        distance = np.hypot(self.skin[:, 0] - x, self.skin[:, 1] - y)
        ids = np.flatnonzero(usable & (distance < radius * 1.5))
        return Handle(ids, np.array([move], float), weight * gauss(distance[ids], radius / 1.2))

    def whole(self, skin: Floats) -> Floats:
        """Displacement [V, 3] of the whole head from the skin's."""
        result = np.zeros_like(self.mesh.vertices)
        result[: self.count] = skin
        return result

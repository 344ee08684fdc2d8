"""The skin: the half head placed, faired, mirrored and sculpted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from scipy.interpolate import RBFInterpolator

from .ear import place_ear
from .eye_area import place_eye
from .mesh import FLIP, Bools, Floats, Ints, vertex_normals
from .mouth_area import place_mouth
from .neck import sculpt_jaw, sculpt_neck
from .nostril import place_nostril
from .strokes import sculpt
from .surface import Surface
from .topology import HalfTopology, build

_TOP_OF_SECTIONS = 15.9
_FAIRING_STEPS, _SHRINKING_STEPS = 6, 4
_TANGENT_STEP, _NORMAL_STEP = 0.5, 0.18


@dataclass(frozen=True)
class Skin:
    """The whole skin. `left` counts the left half's vertices (midline included), which come first."""

    vertices: Floats
    polygons: Ints
    mirror: Ints
    rings: dict[str, Ints]
    left: int


def build_skin() -> Skin:
    """Place, mirror, fair and sculpt the skin."""
    topology = build()
    half, quads = _place(topology), _close(topology)
    middle = _midline(topology, half)
    half[middle, 0] = 0
    count = len(half)
    side = np.flatnonzero(~middle)
    twin = np.arange(count)
    twin[side] = count + np.arange(len(side))
    vertices = np.concatenate([half, half[side] * FLIP])
    mirror = np.concatenate([twin, side])
    polygons = np.concatenate([quads, twin[quads][:, ::-1]])
    laplacian = graph_laplacian(len(vertices), polygons)
    _place_crown(topology, vertices, mirror, laplacian)
    _fair(topology, vertices, polygons, laplacian, middle, side)
    half = vertices[:count].copy()
    sculpt(half, _outer(topology))
    normal = vertex_normals(vertices, polygons)[:count] * _outer(topology)[:, None]
    sculpt_jaw(half, normal)
    sculpt_neck(half, normal)
    half[middle, 0] = 0
    vertices = np.concatenate([half, half[side] * FLIP])
    return Skin(vertices, polygons, mirror, topology.rings, count)


def graph_laplacian(count: int, polygons: Ints) -> sparse.csr_matrix:
    """Identity minus the mean of the neighbours, [count, count]."""
    edges = np.concatenate([polygons[:, [i, (i + 1) % 4]] for i in range(4)])
    near = sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count)).tocsr()
    near = ((near + near.T) > 0).astype(float)
    degree = np.maximum(np.asarray(near.sum(1)).ravel(), 1)
    return sparse.diags(np.ones(count)) - sparse.diags(1 / degree) @ near


def _place(topology: HalfTopology) -> Floats:
    surface = Surface()
    points = np.zeros((len(topology.domain), 3))
    on_grid = topology.domain[:, 1] != 0
    angle, height = topology.domain[on_grid].T
    points[on_grid] = surface(angle, np.minimum(height, _TOP_OF_SECTIONS))
    points[topology.cap[1:-1, :-1].ravel()] = (1, 11, 0)
    place_eye(topology, points, surface)
    place_mouth(topology, points, surface)
    place_nostril(topology, points)
    place_ear(topology, points)
    return points


def _close(topology: HalfTopology) -> Ints:
    """The half's quads with the nostril's, ear's and throat's ends zipped shut."""
    quads = topology.quads.tolist()
    for name in ("nostril", "ear"):
        ring = topology.rings[name][-1]
        last = len(ring) - 1
        quads += [
            [ring[k], ring[k + 1], ring[last - 1 - k], ring[last - k]] for k in range(len(ring) // 2 - 1)
        ]
    throat = topology.rings["mouth"][-1]
    quads += [[throat[k], throat[k + 1], throat[29 - k], throat[30 - k]] for k in range(15)]
    return np.array([q for q in quads if len(set(q)) >= 3], np.int64)


def _midline(topology: HalfTopology, points: Floats) -> Bools:
    """[N] true on the midline, known by topology (not by x, which is only nearly 0)."""
    middle: Bools = np.abs(points[:, 0]) < 1e-6
    front = topology.grid[:, 0]
    middle[front[front >= 0]] = True
    middle[topology.grid[:, -1]] = True
    middle[topology.cap[:, 0]] = True
    middle[topology.rings["mouth"][:, [0, -1]].ravel()] = True
    return middle


def _place_crown(
    topology: HalfTopology, vertices: Floats, mirror: Ints, laplacian: sparse.csr_matrix
) -> None:
    """Crown vertices: evenly between their neighbours, then raised onto a dome through the rows below."""
    cap = topology.cap[1:-1, :-1].ravel()
    free = np.zeros(len(vertices), bool)
    free[cap] = free[mirror[cap]] = True
    vertices[free] = sparse_linalg.spsolve(
        laplacian[free][:, free].tocsc(), -(laplacian[free][:, ~free] @ vertices[~free])
    )
    rim = topology.grid[-6:].ravel()
    rim = np.unique(np.concatenate([rim, mirror[rim]]))
    dome = RBFInterpolator(vertices[rim][:, [0, 2]], vertices[rim, 1], kernel="cubic")
    vertices[free, 1] = dome(vertices[free][:, [0, 2]])


def _fair(
    topology: HalfTopology,
    vertices: Floats,
    polygons: Ints,
    laplacian: sparse.csr_matrix,
    middle: Bools,
    side: Ints,
) -> None:
    """Light smoothing of the grid, mostly along the surface; feature rings stay."""
    count = len(topology.domain)
    weight = _fairing_weight(topology)
    weight = np.concatenate([weight, weight[side]])[:, None]
    for step in range(_FAIRING_STEPS):
        move = -(laplacian @ vertices)
        normal = vertex_normals(vertices, polygons)
        outward = normal * (move * normal).sum(1, keepdims=True)
        shrink = _NORMAL_STEP if step < _SHRINKING_STEPS else 0.0
        vertices += weight * (_TANGENT_STEP * (move - outward) + shrink * outward)
        vertices[:count][middle, 0] = 0
        vertices[count:] = vertices[side] * FLIP


def _fairing_weight(topology: HalfTopology) -> Floats:
    weight: Floats = (topology.domain[:, 1] != 0).astype(float)
    rings = topology.rings
    for name in ("mouth", "eye"):
        weight[rings[name][1:3]] = 1
    weight[rings["eye"][3]] = 0.5
    weight[rings["ear"][:3]] = 1
    weight[rings["nostril"][1]] = 1
    weight[topology.grid[0]] = 0
    return weight


def _outer(topology: HalfTopology) -> Floats:
    """[N] 0 inside mouth and ear, where sculpting strokes must not reach."""
    skin = np.ones(len(topology.domain))
    skin[topology.rings["mouth"][10:]] = 0
    skin[topology.rings["ear"][3:]] = 0
    return skin

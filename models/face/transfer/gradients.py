"""Deformation transfer: how each of our triangles turns and stretches, done again on another head.

After Sumner and Popovic, "Deformation transfer for triangle meshes" (2004), in its gradient form: find the
displacement whose gradient on the other head is, in the least-squares sense, ours minus the identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg

from blender_addon.lips.seal import smoothstep

from .surface import Floats, Ints, Surface

_STILL = 1e-5  # metres; skin that no shape moves farther anchors the rest
_MOVES = 1e-4  # metres; from here on a shape counts in full, so that it stays where ours is
_ANCHOR, _BARELY, _PIN = 1e-2, 1e-9, 1e3  # how firmly a vertex is held, against the mean stiffness of one
_THINNEST = 1e-12


@dataclass(frozen=True)
class Pins:
    """Vertices whose displacement is known: ids [m], moves [S, m, 3]."""

    ids: Ints
    moves: Floats


def transfer_shapes(source: Surface, shapes: Floats, target: Surface, pins: Pins) -> Floats:
    """`shapes` [S, n, 3], displacements of `source`, as those of `target`, which has the same triangles."""
    gradient = gradient_operator(target)
    area = sparse.diags(np.repeat(target.areas, 3))
    moved = np.linalg.norm(shapes, axis=2)  # [S, n]
    hold = (moved.max(0) < _STILL) * _ANCHOR + _BARELY
    hold[pins.ids] = _PIN
    system = gradient.T @ area @ gradient
    hold *= float(system.diagonal().mean())
    factor = sparse_linalg.splu(
        (system + sparse.diags(hold)).tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}
    )
    frames = np.linalg.inv(_frames(source.vertices, source))  # [T, 3, 3]
    result = np.empty_like(shapes)
    for i, shape in enumerate(shapes):
        change = _frames(source.vertices + shape, source) @ frames - np.eye(3)  # [T, 3, 3]
        wanted = change.transpose(0, 2, 1).reshape(-1, 3)  # [3 T, 3]: d(displacement) / d(axis)
        pull = gradient.T @ (area @ wanted)
        pull[pins.ids] += hold[pins.ids, None] * pins.moves[i]
        result[i] = factor.solve(pull)
    result *= smoothstep(moved, _STILL, _MOVES)[..., None]
    return result


def gradient_operator(surface: Surface) -> sparse.csr_matrix:
    """[3 T, V]: values at vertices -> their gradient (x, y, z) in each triangle's plane."""
    a, b, c = np.moveaxis(surface.vertices[surface.triangles], 1, 0)
    opposite = np.stack([c - b, a - c, b - a], 1)  # [T, 3, 3]
    twice = 2 * np.maximum(surface.areas, _THINNEST)
    values = np.cross(surface.face_normals[:, None], opposite) / twice[:, None, None]  # [T, corner, axis]
    count = len(surface.triangles)
    rows = (3 * np.arange(count)[:, None, None] + np.arange(3)) + np.zeros((1, 3, 1), int)
    columns = np.broadcast_to(surface.triangles[:, :, None], values.shape)
    shape = (3 * count, len(surface.vertices))
    return sparse.csr_matrix((values.ravel(), (rows.ravel(), columns.ravel())), shape=shape)


def _frames(vertices: Floats, surface: Surface) -> Floats:
    """[T, 3, 3] columns: two edges, and the normal as long as the root of their cross product."""
    a, b, c = np.moveaxis(vertices[surface.triangles], 1, 0)
    normal = np.cross(b - a, c - a)
    length = np.sqrt(np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), _THINNEST))
    return np.stack([b - a, c - a, normal / length], -1)

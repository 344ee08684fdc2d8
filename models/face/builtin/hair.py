"""Brow hairs and lashes: thin ribbons bound to the skin under their roots, which they follow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from .labels import within_hairline
from .mesh import (
    FLIP,
    LID_MARGIN,
    LOWER_LID,
    UPPER_LID,
    Floats,
    HeadMesh,
    Ints,
    Part,
    smoothstep,
    unit,
    vertex_normals,
)

_EAR = (7.3, -1.2, -1.2)
_CROP = 0.35  # thickness of the cropped hair
_STATIONS = 4  # along a ribbon: three pairs of vertices and the tip
RIBBON = 2 * (_STATIONS - 1) + 1
_BROW_HAIRS = 330  # per side
_BROW_WIDTH, _LASH_WIDTH = 0.034, 0.026

# The brow along x: middle height, half thickness, hair direction (degrees over the horizontal).
BROW_X = (1.35, 1.8, 2.6, 3.4, 4.1, 4.8, 5.4)
BROW_Y = (1.82, 1.95, 2.17, 2.36, 2.45, 2.27, 1.90)
BROW_HALF = (0.17, 0.27, 0.28, 0.26, 0.21, 0.14, 0.06)
_BROW_ANGLE = (82.0, 62.0, 36.0, 22.0, 8.0, -18.0, -32.0)


@dataclass(frozen=True)
class Binding:
    """How hair vertices follow the skin.

    Attributes:
        corner: [H, 3] ids of the skin triangle under each hair vertex's root.
        share: [H, 3] barycentric place of the root in it.
        offset: [H, 3] the hair vertex in the triangle's frame at rest.
    """

    corner: Ints
    share: Floats
    offset: Floats

    def place(self, skin: Floats) -> Floats:
        """Hair vertices [H, 3] on skin vertices [>= skin, 3]."""
        root = (skin[self.corner] * self.share[..., None]).sum(1)
        moved: Floats = root + (triangle_frames(skin[self.corner]) @ self.offset[..., None])[..., 0]
        return moved

    def carry(self, rest: Floats, fields: Floats) -> Floats:
        """Displacement fields [N, V, 3] of the bald head, extended to its hair: [N, V + H, 3]."""
        bald = self.place(rest)
        hair = np.stack([self.place(rest + field) - bald for field in fields])
        still = np.abs(hair).max(2) < 1e-9
        hair[still] = 0
        return np.concatenate([fields, hair], 1)

    def spread(self, values: Floats) -> Floats:
        """Per-vertex numbers [V] extended to the hair: [V + H]."""
        return np.concatenate([values, (values[self.corner] * self.share).sum(1)])


def crop(mesh: HeadMesh) -> HeadMesh:
    """Raise the scalp by the thickness of closely cropped hair, thinning out at the hairline and the ears."""
    away = (np.abs(mesh.vertices) * (1, 0, 0) + mesh.vertices * (0, 1, 1) - _EAR) / (1.2, 3.4, 2.4)
    inside = smoothstep(within_hairline(mesh.vertices), -0.3, 2.0) * smoothstep(
        np.linalg.norm(away, axis=1), 0.9, 1.5
    )
    inside *= mesh.part == Part.SKIN
    normal = vertex_normals(mesh.vertices, mesh.polygons)
    return replace(mesh, vertices=mesh.vertices + _CROP * inside[:, None] * normal)


def triangle_frames(corners: Floats) -> Floats:
    """Orthonormal frames [H, 3, 3] (columns) of triangles [H, 3, 3]."""
    along = unit(corners[:, 1] - corners[:, 0])
    normal = unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    return np.stack([along, np.cross(normal, along), normal], -1)


def grow(mesh: HeadMesh) -> tuple[HeadMesh, Binding]:
    """The head with brows and lashes, and their binding."""
    brow, lashes = _brows(mesh), _lashes(mesh)
    points = np.concatenate([brow, lashes])  # [hairs, ribbon, 3], left side
    corner, share = _roots(mesh, points[:, :2].mean(1), len(brow))
    corner, share = np.repeat(corner, RIBBON, 0), np.repeat(share, RIBBON, 0)
    left = points.reshape(-1, 3)
    start, count = len(mesh.vertices), len(left)
    corner = np.concatenate([corner, mesh.mirror[corner]])
    share = np.concatenate([share, share])
    hair = np.concatenate([left, left * FLIP])
    root = (mesh.vertices[corner] * share[..., None]).sum(1)
    frames = triangle_frames(mesh.vertices[corner])
    offset = (np.swapaxes(frames, 1, 2) @ (hair - root)[..., None])[..., 0]
    part = np.repeat([Part.BROW, Part.LASHES], [len(brow), len(lashes)]).repeat(RIBBON)
    quads = _ribbon_quads(len(points)) + start
    twin = np.arange(count)
    grown = replace(
        mesh,
        vertices=np.concatenate([mesh.vertices, hair]),
        polygons=np.concatenate([mesh.polygons, quads, quads[:, ::-1] + count]),
        part=np.concatenate([mesh.part, part, part]),
        mirror=np.concatenate([mesh.mirror, start + count + twin, start + twin]),
        gum=np.concatenate([mesh.gum, np.zeros(2 * count, bool)]),
        iris=np.concatenate([mesh.iris, np.full(2 * count, 9.0)]),
    )
    return grown, Binding(corner, share, offset)


def _ribbon_quads(hairs: int) -> Ints:
    """Two quads and a triangle (its tip repeated) per ribbon."""
    one = np.array([[0, 1, 3, 2], [2, 3, 5, 4], [4, 5, 6, 6]])
    quads: Ints = (one[None] + RIBBON * np.arange(hairs)[:, None, None]).reshape(-1, 4)
    return quads


def _scatter(count: int, seed: int) -> Floats:
    """[count, 3] numbers in 0-1; `RandomState` keeps its stream in every NumPy version."""
    return np.random.RandomState(seed).rand(count, 3)


def _ribbons(spine: Floats, side: Floats, width: float) -> Floats:
    """Ribbons [hairs, 7, 3] from spines [hairs, 4, 3] and unit sideways directions [hairs, 4, 3]."""
    taper = width / 2 * np.array([0.9, 1.0, 0.7])[None, :, None]
    right, left = spine[:, :3] + side[:, :3] * taper, spine[:, :3] - side[:, :3] * taper
    pairs = np.stack([left, right], 2).reshape(len(spine), 6, 3)
    return np.concatenate([pairs, spine[:, 3:]], 1)


def _brows(mesh: HeadMesh) -> Floats:
    """Left brow hairs: upright at the nose, lying outwards further on, upper and lower rows converging."""
    u = _scatter(_BROW_HAIRS, 1)
    x = BROW_X[0] + (BROW_X[-1] - BROW_X[0]) * (u[:, 0] * 1.04 - 0.04 * u[:, 1])
    across = 2 * u[:, 1] - 1 + 0.35 * (u[:, 2] - 0.5)
    y = np.interp(x, BROW_X, BROW_Y) + across * np.interp(x, BROW_X, BROW_HALF)
    angle = np.interp(x, BROW_X, _BROW_ANGLE) - 18 * across + 34 * (u[:, 2] - 0.5)
    length = np.interp(x, BROW_X, [0.42, 0.62, 0.68, 0.66, 0.6, 0.5, 0.34]) * (0.8 + 0.4 * u[:, 2])
    t = np.linspace(0, 1, _STATIONS)
    bend = np.radians(angle[:, None] - 24 * t * np.sign(angle + 10)[:, None])
    step = np.stack([np.cos(bend), np.sin(bend)], -1) * (length / (_STATIONS - 1))[:, None, None]
    flat = np.stack([x, y], -1)[:, None] + np.concatenate([0 * step[:, :1], np.cumsum(step[:, :-1], 1)], 1)
    lift = 0.015 + 0.055 * np.sin(np.pi * np.minimum(t * 0.8, 1)) * (0.6 + 0.8 * u[:, 1:2])
    spine = _on_skin(mesh, flat) + _skin_normal(mesh, flat) * lift[..., None]
    along = unit(np.gradient(spine, axis=1))
    side = unit(np.cross(_skin_normal(mesh, flat), along))
    return _ribbons(spine, side, _BROW_WIDTH)


def _front_skin(mesh: HeadMesh) -> Ints:
    x, y, z = mesh.vertices[: mesh.skin_count].T
    return np.flatnonzero((x > 0.3) & (y > 0.9) & (y < 4) & (z > 3))


def _near_skin(mesh: HeadMesh, flat: Floats) -> tuple[Ints, Floats]:
    """Ids and weights of the four skin vertices nearest to (x, y) places [..., 2]."""
    ids = _front_skin(mesh)
    distance, rows = cKDTree(mesh.vertices[ids, :2]).query(flat, k=4)
    weight = 1 / np.maximum(distance, 1e-6) ** 2
    return ids[rows], weight / weight.sum(-1, keepdims=True)


def _on_skin(mesh: HeadMesh, flat: Floats) -> Floats:
    """Skin points over (x, y) places: planes through the four nearest vertices, averaged."""
    ids, weight = _near_skin(mesh, flat)
    point, normal = mesh.vertices[ids], vertex_normals(mesh.vertices, mesh.polygons)[ids]
    slope = ((flat[..., None, :] - point[..., :2]) * normal[..., :2]).sum(-1)
    depth = (weight * (point[..., 2] - slope / np.maximum(normal[..., 2], 0.2))).sum(-1)
    return np.concatenate([flat, depth[..., None]], -1)


def _skin_normal(mesh: HeadMesh, flat: Floats) -> Floats:
    ids, weight = _near_skin(mesh, flat)
    return unit((vertex_normals(mesh.vertices, mesh.polygons)[ids] * weight[..., None]).sum(-2))


def _lashes(mesh: HeadMesh) -> Floats:
    """Left lashes: upper ones forward and curling up, lower ones shorter and down, fanned to the sides."""
    margin = mesh.rings["eye"][LID_MARGIN]
    upper = _lash_row(mesh.vertices[margin[UPPER_LID[::-1]]], 56, 0.80, 0.62, -0.10)
    lower = _lash_row(mesh.vertices[margin[LOWER_LID]], 36, 0.42, -0.42, -0.10)
    return np.concatenate([upper, lower])


def _lash_row(margin: Floats, count: int, length: float, curl: float, start: float) -> Floats:
    """Ribbons along a lid margin [n, 3] that runs from the nose; `curl` is the rise at the tip."""
    u = _scatter(count, count)
    place = 0.10 + 0.88 * (np.arange(count) + 0.6 * u[:, 0]) / count
    at = place * (len(margin) - 1)
    root = np.stack([np.interp(at, np.arange(len(margin)), margin[:, axis]) for axis in range(3)], 1)
    size = length * np.interp(place, [0, 0.3, 0.75, 1], [0.55, 0.85, 1.0, 0.8]) * (0.85 + 0.3 * u[:, 1])
    t = np.linspace(0, 1, _STATIONS)[None]
    fan = ((place - 0.42) * 0.9 + 0.25 * (u[:, 2] - 0.5))[:, None]
    rise = start * t + (curl - start) * t**2
    spine = root[:, None] + size[:, None, None] * np.stack(
        np.broadcast_arrays(fan * t, rise, 0.72 * t - 0.12 * t**2), -1
    )
    side = np.broadcast_to(np.array([1.0, 0.0, 0.0]), spine.shape)
    return _ribbons(spine, side, _LASH_WIDTH)


def _roots(mesh: HeadMesh, roots: Floats, brows: int) -> tuple[Ints, Floats]:
    """Skin triangle [hairs, 3] and barycentric place [hairs, 3] for each root [hairs, 3]."""
    eye = mesh.rings["eye"]
    margin, above = eye[LID_MARGIN], eye[LID_MARGIN - 1]
    lid = np.stack([margin, np.roll(margin, -1), above], 1)
    quads = mesh.polygons[np.isin(mesh.polygons, _front_skin(mesh)).all(1)]
    skin = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])
    corners, shares = [], []
    for triangles, points in ((skin, roots[:brows]), (lid, roots[brows:])):
        nearest = cKDTree(mesh.vertices[triangles].mean(1)).query(points)[1]
        corners.append(triangles[nearest])
        shares.append(_barycentric(mesh.vertices[triangles[nearest]], points))
    return np.concatenate(corners), np.concatenate(shares)


def _barycentric(corners: Floats, points: Floats) -> Floats:
    """Place of the points' projections in triangles [n, 3, 3]; may lie a little outside."""
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    w = points - corners[:, 0]
    uu, uv, vv = (u * u).sum(1), (u * v).sum(1), (v * v).sum(1)
    uw, vw = (u * w).sum(1), (v * w).sum(1)
    det = uu * vv - uv * uv
    b, c = (vv * uw - uv * vw) / det, (uu * vw - uv * uw) / det
    return np.stack([1 - b - c, b, c], 1)

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
_CROP = 0.16  # thickness of the cropped hair
_STATIONS = {Part.BROW: 3, Part.LASHES: 4}  # along a ribbon: pairs of vertices and the tip
_BROW_HAIRS, _UPPER_LASHES, _LOWER_LASHES = 350, 76, 36  # per side
_BROW_WIDTH, _LASH_WIDTH = 0.026, 0.017
_CLUMP = 3  # lashes whose tips lean together

# The brow along x: middle height, half thickness, hair direction (degrees over the horizontal), length.
BROW_X = (1.35, 1.8, 2.6, 3.4, 4.1, 4.8, 5.4)
BROW_Y = (1.82, 1.95, 2.17, 2.36, 2.45, 2.27, 1.90)
BROW_HALF = (0.25, 0.35, 0.38, 0.34, 0.27, 0.18, 0.07)
BROW_ANGLE = (80.0, 60.0, 38.0, 24.0, 8.0, -16.0, -32.0)
_BROW_LENGTH = (0.36, 0.52, 0.60, 0.60, 0.54, 0.46, 0.32)


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
    brow, lashes = _brows(mesh), _lashes(mesh)  # [hairs, ribbon, 3], left side
    sizes = np.repeat([brow.shape[1], lashes.shape[1]], [len(brow), len(lashes)])
    roots = np.concatenate([brow[:, :2].mean(1), lashes[:, :2].mean(1)])
    corner, share = _roots(mesh, roots, len(brow))
    corner, share = np.repeat(corner, sizes, 0), np.repeat(share, sizes, 0)
    left = np.concatenate([brow.reshape(-1, 3), lashes.reshape(-1, 3)])
    start, count = len(mesh.vertices), len(left)
    corner = np.concatenate([corner, mesh.mirror[corner]])
    share = np.concatenate([share, share])
    hair = np.concatenate([left, left * FLIP])
    root = (mesh.vertices[corner] * share[..., None]).sum(1)
    frames = triangle_frames(mesh.vertices[corner])
    offset = (np.swapaxes(frames, 1, 2) @ (hair - root)[..., None])[..., 0]
    part = np.repeat([Part.BROW, Part.LASHES], [brow[..., 0].size, lashes[..., 0].size])
    quads = np.concatenate([_ribbon_quads(brow), _ribbon_quads(lashes) + brow[..., 0].size]) + start
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


def ribbon_places(part: Ints) -> tuple[Ints, Floats, Floats]:
    """Of each vertex, by its `Part` [V]: number of its ribbon, way along it, way across it (0-1; -1, 0, 0
    off the ribbons)."""
    number, along, across = np.full(len(part), -1), np.zeros(len(part)), np.zeros(len(part))
    first = 0
    for kind, stations in _STATIONS.items():
        ids = np.flatnonzero(part == kind)
        size = 2 * (stations - 1) + 1
        own, place = np.divmod(np.arange(len(ids)), size)
        number[ids] = own + first
        along[ids] = (place // 2) / (stations - 1)
        across[ids] = np.where(place == size - 1, 0.5, place % 2)
        first += len(ids) // size
    return number, along, across


def _ribbon_quads(ribbons: Floats) -> Ints:
    """Quads and a triangle (its tip repeated) for each of `ribbons` [hairs, vertices, 3]."""
    size = ribbons.shape[1]
    first = np.arange(0, size - 1, 2)
    one = np.stack([first, first + 1, first + 3, first + 2], 1)
    one[-1] = size - 3, size - 2, size - 1, size - 1
    quads: Ints = (one[None] + size * np.arange(len(ribbons))[:, None, None]).reshape(-1, 4)
    return quads


def _scatter(count: int, seed: int) -> Floats:
    """[count, 3] numbers in 0-1; `RandomState` keeps its stream in every NumPy version."""
    return np.random.RandomState(seed).rand(count, 3)


def _ribbons(spine: Floats, side: Floats, width: float) -> Floats:
    """Ribbons [hairs, 2 n - 1, 3] from spines [hairs, n, 3] and unit sideways directions [hairs, n, 3]."""
    last = spine.shape[1] - 1
    taper = width / 2 * np.linspace(1.0, 0.7, last)[None, :, None]
    right, left = spine[:, :last] + side[:, :last] * taper, spine[:, :last] - side[:, :last] * taper
    pairs = np.stack([left, right], 2).reshape(len(spine), 2 * last, 3)
    return np.concatenate([pairs, spine[:, last:]], 1)


def _brows(mesh: HeadMesh) -> Floats:
    """Left brow hairs: upright at the nose, lying outwards further on, upper and lower rows converging."""
    u = _scatter(_BROW_HAIRS, 1)
    spread = _scatter(_BROW_HAIRS, 2)
    x = BROW_X[0] + (BROW_X[-1] - BROW_X[0]) * (u[:, 0] ** 0.92 * 1.03 - 0.03)
    across = (2 * u[:, 1] - 1) * (0.80 + 0.35 * spread[:, 0])
    outer = smoothstep(x, 1.5, 3.0)
    y = np.interp(x, BROW_X, BROW_Y) + (across - 0.30) * np.interp(x, BROW_X, BROW_HALF)
    angle = np.interp(x, BROW_X, BROW_ANGLE) - (12 + 20 * outer) * across + 26 * (u[:, 2] - 0.5)
    length = np.interp(x, BROW_X, _BROW_LENGTH) * (0.65 + 0.5 * spread[:, 1])
    t = np.linspace(0, 1, _STATIONS[Part.BROW])
    bend = np.radians(angle[:, None] - 26 * t * np.sign(angle + 10)[:, None])
    step = np.stack([np.cos(bend), np.sin(bend)], -1) * (length / (len(t) - 1))[:, None, None]
    flat = np.stack([x, y], -1)[:, None] + np.concatenate([0 * step[:, :1], np.cumsum(step[:, :-1], 1)], 1)
    lift = 0.008 + 0.045 * np.sin(np.pi * np.minimum(t * 0.8, 1)) * (0.5 + 0.8 * u[:, 1:2])
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
    upper = _lash_row(mesh.vertices[margin[UPPER_LID[::-1]]], _UPPER_LASHES, 0.84, (-0.16, 0.72))
    lower = _lash_row(mesh.vertices[margin[LOWER_LID]], _LOWER_LASHES, 0.40, (-0.30, -0.42))
    return np.concatenate([upper, lower])


def _lash_row(margin: Floats, count: int, length: float, rise: tuple[float, float]) -> Floats:
    """Ribbons along a lid margin [n, 3] that runs from the nose; `rise` at first, and at the tip."""
    u = _scatter(count, count)
    place = 0.10 + 0.88 * (np.arange(count) + 0.7 * u[:, 0]) / count
    at = place * (len(margin) - 1)
    root = np.stack([np.interp(at, np.arange(len(margin)), margin[:, axis]) for axis in range(3)], 1)
    size = length * np.interp(place, [0, 0.3, 0.75, 1], [0.50, 0.85, 1.0, 0.75]) * (0.72 + 0.4 * u[:, 1])
    t = np.linspace(0, 1, _STATIONS[Part.LASHES])[None]
    clump = 0.10 + 0.88 * (np.arange(count) // _CLUMP * _CLUMP + _CLUMP / 2) / count
    width = np.ptp(margin[:, 0])
    together = 0.75 * (clump - place)[:, None] * width * t**1.5
    fan = ((clump - 0.42) * 0.9 + 0.16 * (u[:, 2] - 0.5))[:, None]
    up = rise[0] * t + (rise[1] - rise[0]) * t**2.2
    spine = root[:, None] + size[:, None, None] * np.stack(
        np.broadcast_arrays(fan * t, up, 0.80 * t - 0.26 * t**2), -1
    )
    spine[..., 0] += together
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

"""A mouth of other topology and proportions, for tests and evaluation: what an imported head may be like.

Its triangles join points on circles of the lip chart, so no vertex, edge or ring is the built-in head's; it
has only the two lip lines as rings; it is wider, flatter and tilted, and its teeth have no rings.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial import Delaunay

from blender_addon.lips.canonical import LipCoordinates, Location, chart_points, lip_coordinates, locate
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array

_LINE_POINTS = 46  # per lip
# v of the circles of points, and how many lie on each per lip.
_CIRCLES = (
    *((-0.185, 24), (-0.15, 26), (-0.11, 30), (-0.075, 36), (-0.045, 40), (-0.022, 44)),
    *((0.0, _LINE_POINTS), (0.03, 44), (0.065, 42), (0.1, 40), (0.14, 38), (0.18, 34), (0.225, 30)),
    *((0.28, 26), (0.34, 22), (0.41, 20), (0.48, 18), (0.55, 16)),
)
_STILL_FROM = 0.5  # v from which vertices are outside lip_index
# Proportions, chosen by eye: scale of x, depth and height about the lips' middle, depth per metre^2 of x,
# height per metre of depth.
_SCALE, _BENT, _TILT = (1.13, 0.94, 1.07), 1.5, 0.06


def foreign_mouth(face: FaceFile) -> FaceFile:
    """A face file of lips and teeth only, sampled from `face` in its lip chart and then deformed."""
    lips = lip_coordinates(face)
    place = _points()
    chart = chart_points(*place.T)
    skin = locate(lips, chart)
    triangles = _triangles(chart)
    tooth_ids, tooth_polygons = _teeth(face)
    skin_polygons = np.pad(triangles, ((0, 0), (0, 1)), constant_values=-1)
    tooth_polygons = np.where(tooth_polygons < 0, -1, tooth_polygons + len(chart))
    polygons = np.concatenate([skin_polygons, tooth_polygons])
    vertices = _sampled(face.vertices, lips, skin, tooth_ids)
    moved = _sampled(face.shapes, lips, skin, tooth_ids) + vertices
    middle = vertices[: len(chart)].mean(0)
    rest = _deformed(vertices, middle)
    count = len(rest)
    region = np.zeros(count, np.uint8)
    region[len(chart) :] = face.region[tooth_ids]
    return dataclasses.replace(
        face,
        id="foreign-mouth",
        vertices=rest.astype(np.float32),
        polygons=polygons.astype(np.int32),
        uv=np.zeros((len(polygons), 4, 2), np.float32),
        material=np.zeros(len(polygons), np.uint8),
        region=region,
        color=np.zeros((count, 3), np.float32),
        shapes=(_deformed(moved, middle) - rest).astype(np.float32),
        lip_index=np.flatnonzero(place[:, 1] < _STILL_FROM).astype(np.int32),
        lip_basis=np.zeros((0, int((place[:, 1] < _STILL_FROM).sum()), 3), np.float32),
        bone_weights=np.zeros((count, len(face.bones)), np.float32),
        identity_names=(),
        identity=np.zeros((0, count, 3), np.float32),
        identity_limits=np.zeros((0, 2), np.float32),
        identity_correlation=np.zeros((0, 0), np.float32),
        textures={},
        masks={},
        rings=_lines(place),
        landmarks={},
    )


def _points() -> Array:
    """[n, 3] u, v and lip of the points; both corners of a circle belong to both lips, so stand once."""
    rows = []
    for number, (v, count) in enumerate(_CIRCLES):
        shift = 0.0 if v == 0 or number % 2 else 0.5
        for turn in (
            np.arange(2 * count) + shift
        ) / count:  # 0 left corner, over the upper lip to 1, then back
            lip = 1.0 if turn <= 1 else -1.0
            rows.append((1 - 2 * turn if turn <= 1 else 2 * turn - 3, v, lip))
    return np.array(rows)


def _triangles(chart: Array) -> Array:
    """[T, 3] Delaunay triangles of the ring of points, counter-clockwise seen from outside."""
    triangles = Delaunay(chart).simplices
    radius = np.linalg.norm(chart, axis=1)
    ring = triangles[np.linalg.norm(chart[triangles].mean(1), axis=1) > radius.min()]
    one, two = (chart[ring[:, i]] - chart[ring[:, 0]] for i in (1, 2))
    clockwise = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] < 0
    # The chart is seen from inside the head: its first axis points to the subject's left.
    ring[clockwise] = ring[clockwise][:, ::-1]
    return np.asarray(ring)


def _teeth(face: FaceFile) -> tuple[Array, Array]:
    """Ids of tooth vertices, and their polygons in local ids."""
    numbers = [face.region_names.index(name) for name in ("upper_teeth", "lower_teeth")]
    is_tooth = np.isin(face.region, numbers)
    polygons = face.polygons[is_tooth[face.polygons[:, :3]].all(1)]
    local = np.full(len(face.vertices) + 1, -1)  # the last is what -1 in a triangle's row finds
    ids = np.flatnonzero(is_tooth)
    local[ids] = np.arange(len(ids))
    return ids, local[polygons]


def _sampled(values: Array, lips: LipCoordinates, skin: Location, tooth_ids: Array) -> Array:
    """[..., n, 3] values [..., V, 3] at the points and the teeth."""
    on_skin = skin.take(values[..., lips.index, :].astype(np.float64))
    return np.concatenate([on_skin, values[..., tooth_ids, :]], -2)


def _deformed(points: Array, middle: Array) -> Array:
    x, depth, height = np.moveaxis((points - middle) * _SCALE, -1, 0)
    moved: Array = np.stack([x, depth + _BENT * x * x, height + _TILT * depth], -1) + middle
    return moved


def _lines(place: Array) -> dict[str, Array]:
    """Both lip lines, from the right corner to the left."""
    u, v, lip = place.T
    line = np.flatnonzero(v == 0)
    upper = line[lip[line] > 0]
    corners = upper[np.abs(np.abs(u[upper]) - 1) < 1e-9]
    lower = np.concatenate([line[lip[line] < 0], corners])
    ordered = {"lip_upper": upper, "lip_lower": lower}
    return {name: ids[np.argsort(u[ids])].astype(np.int32) for name, ids in ordered.items()}

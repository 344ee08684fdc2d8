"""Texture coordinates per polygon corner: every patch of the head on an island of its own.

The skin's island has its seam up the back of the head, from the collar to the crown, and is symmetric. Ears
(cut behind), nostrils, the mouth's inside, eyeballs, corneas, teeth, gums and tongue lie below it in shelves,
each brow hair and lash in a cell of a grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .flatten import Patch, areas, discs, flatten, outline
from .hair import ribbon_places
from .mesh import LIP_BORDER, Bools, Floats, HeadMesh, Ints, Part, gauss, smoothstep
from .pieces import IRIS_ANGLE

FACE_LOW = 0.27  # the skin's island begins here
_GAP = 0.004  # between islands
_HAIR_BOX = (0.90, _GAP, 1 - _GAP, FACE_LOW - 2 * _GAP)  # u0, v0, u1, v1
_CROWN_Z = -1.0  # the skin's seam ends here, on the way over the crown from behind
_TOP_SHARE = 0.30  # share of the seam that becomes the island's upper edge
_EYE_FRONT = 0.58 * np.pi  # polar angle at which an eyeball is cut
# Islands' size: length in the texture per length on the head, relative to one another.
_SCALE = {"ear": 1.0, "nostril": 1.2, "mouth": 0.6, "eye": 2.0, "back": 0.2, "teeth": 1.0, "tongue": 0.6}


@dataclass(frozen=True)
class Island:
    """A flattened patch: the mesh's polygon rows [m], corner coordinates [m, 4, 2], size against others."""

    rows: Ints
    corners: Floats


def corner_uv(mesh: HeadMesh) -> Floats:
    """[P, 4, 2] in 0-1, counter-clockwise seen from outside."""
    uv: Floats = np.zeros((len(mesh.polygons), 4, 2))
    groups = _groups(mesh)
    skin = _skin_island(mesh, np.flatnonzero(groups == "skin"))
    uv[skin.rows] = skin.corners
    islands = [
        island
        for name in (name for name in _SCALE if (groups == name).any())
        for island in _islands(mesh, np.flatnonzero(groups == name), _SCALE[name])
    ]
    for island, corners in zip(islands, _packed(islands), strict=True):
        uv[island.rows] = corners
    _place_hair(mesh, np.flatnonzero(groups == "hair"), uv)
    return uv


def _groups(mesh: HeadMesh) -> Ints:
    """[P] name of the group each polygon belongs to: `skin`, `hair`, or one of `_SCALE`."""
    part = mesh.part[mesh.polygons[:, 0]]
    group = np.full(len(mesh.polygons), "skin", dtype="<U8")
    for name, ring, first in (("ear", "ear", 2), ("nostril", "nostril", 2), ("mouth", "mouth", 10)):
        group[mesh.marked(mesh.rings[ring][first:])[mesh.polygons].all(1) & (part == Part.SKIN)] = name
    group[np.isin(part, (Part.EYE_LEFT, Part.EYE_RIGHT))] = "eye"
    behind = mesh.iris[mesh.polygons].max(1) * IRIS_ANGLE > _EYE_FRONT
    group[behind & (group == "eye")] = "back"
    group[np.isin(part, (Part.UPPER_TEETH, Part.LOWER_TEETH))] = "teeth"
    group[part == Part.TONGUE] = "tongue"
    group[np.isin(part, (Part.BROW, Part.LASHES))] = "hair"
    return group


def _skin_island(mesh: HeadMesh, rows: Ints) -> Island:
    """The skin cut open behind, in a rectangle over the whole width."""
    whole = Patch.of(mesh.polygons[rows])
    z = mesh.vertices[whole.ids, 2]
    middle = mesh.mirror[whole.ids] == whole.ids
    right = mesh.vertices[mesh.polygons[rows], 0].mean(1) < 0
    patch = whole.cut(middle & (z < _CROWN_Z), right)
    points = mesh.vertices[patch.ids]
    fixed = outline(patch.polygons)[0]
    place = _skin_outline(points[fixed], mesh.mirror[patch.ids[fixed]] == patch.ids[fixed])
    flat = flatten(points, patch.polygons, fixed, place, _skin_density(mesh, rows))
    return Island(rows, flat[patch.polygons])


def _skin_outline(points: Floats, middle: Bools) -> Floats:
    """Places [n, 2] of the skin's outline: collar below, the seam's two sides left, right and above."""
    lowest = np.flatnonzero(middle & (points[:, 2] < _CROWN_Z))
    lowest = lowest[np.argsort(points[lowest, 1], kind="stable")[:2]]
    collar_first = (lowest.min() + 1) % len(points) not in np.flatnonzero(middle)
    start, end = (lowest.min(), lowest.max()) if collar_first else (lowest.max(), lowest.min())
    order = np.roll(np.arange(len(points)), -start)
    step = np.linalg.norm(np.diff(points[np.append(order, start)], axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(step)])
    corner = int(np.flatnonzero(order == end)[0])
    collar, total = along[corner], along[-1]
    upper = (total - collar) * (1 - _TOP_SHARE) / 2
    knots = [0.0, collar, collar + upper, total - upper, total]
    u = np.interp(along[:-1], knots, [0, 1, 1, 0, 0])
    v = np.interp(along[:-1], knots, [FACE_LOW, FACE_LOW, 1, 1, FACE_LOW])
    place = np.empty((len(points), 2))
    place[order] = np.stack([_GAP + u * (1 - 2 * _GAP), v - _GAP * (v == 1)], 1)
    return place


def _skin_density(mesh: HeadMesh, rows: Ints) -> Floats:
    """[m] texture area per skin area: most on the face's front, the lids and lips."""
    x, y, z = mesh.vertices.T
    front = smoothstep(z, -1.0, 7.0) * smoothstep(y, -14.0, -9.5) * (1 - smoothstep(y, 5.0, 9.0))
    fine = mesh.marked(mesh.rings["eye"][3:]) | mesh.marked(mesh.rings["mouth"][LIP_BORDER - 1 :])
    nose = gauss(np.abs(x), 1.2) * gauss(y + 3.0, 1.2) * front
    low = smoothstep(-y, 13.0, 17.0)
    density: Floats = (0.16 - 0.10 * low + 0.84 * front + 1.2 * fine + 0.4 * nose)[mesh.polygons[rows]].mean(
        1
    )
    return density


def _islands(mesh: HeadMesh, rows: Ints, scale: float) -> list[Island]:
    """Discs of some polygons, flattened into ellipses with their size on the head times `scale`."""
    polygons = mesh.polygons[rows]
    found = []
    for disc in discs(mesh.vertices, polygons):
        chosen = rows[disc]
        patch = Patch.of(mesh.polygons[chosen])
        points = mesh.vertices[patch.ids]
        fixed = outline(patch.polygons)[0]
        iris = mesh.iris[mesh.polygons[chosen]].max(1)
        density = 1.0 + 3.0 * (iris < 1.1)
        flat = flatten(points, patch.polygons, fixed, _ellipse(points[fixed], points), density)
        size = np.sqrt(areas(points, patch.polygons).sum() / areas(flat, patch.polygons).sum())
        found.append(Island(chosen, flat[patch.polygons] * size * scale))
    return found


def _ellipse(loop: Floats, points: Floats) -> Floats:
    """Places [n, 2] of an outline on an ellipse with the patch's proportions, spaced as on the head."""
    centred = points - points.mean(0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    step = np.linalg.norm(np.roll(loop, -1, 0) - loop, axis=1)
    angle = 2 * np.pi * (np.cumsum(step) - step) / step.sum()
    angle -= angle[np.argmax((loop - points.mean(0)) @ axes[0])]
    aspect = np.clip(spread[1] / spread[0], 0.12, 1.0)
    return np.stack([np.cos(angle), aspect * np.sin(angle)], 1)


def _packed(islands: list[Island]) -> list[Floats]:
    """Corner coordinates of the islands in shelves below the skin's, as large as fits."""
    sizes = np.array([np.ptp(island.corners, (0, 1)) for island in islands])
    order = np.argsort(-sizes[:, 1], kind="stable")
    scale = 0.1
    while (places := _shelves(sizes[order] * scale)) is None:
        scale *= 0.97
    result: list[Floats] = [np.empty(0)] * len(islands)
    for at, index in zip(places, order, strict=True):
        corners = islands[index].corners
        result[index] = at + (corners - corners.min((0, 1))) * scale
    return result


def _shelves(sizes: Floats) -> Floats | None:
    """Lower left corners [n, 2] of boxes [n, 2] in rows of falling height; None if they do not fit."""
    places = np.empty_like(sizes)
    u, v, shelf = _GAP, _GAP, 0.0
    for index, (width, height) in enumerate(sizes):
        if u + width > _HAIR_BOX[0] - _GAP:
            u, v, shelf = _GAP, v + shelf + _GAP, 0.0
        places[index] = u, v
        u, shelf = u + width + _GAP, max(shelf, height)
        if v + height > FACE_LOW - 2 * _GAP or u > _HAIR_BOX[0]:
            return None
    return places


def _place_hair(mesh: HeadMesh, rows: Ints, uv: Floats) -> None:
    """One cell of a grid per ribbon; pairs of vertices go up the cell, the tip is in its middle."""
    if not len(rows):
        return
    number, up, across = (each[mesh.polygons[rows]] for each in ribbon_places(mesh.part))
    columns = int(np.ceil(np.sqrt((number.max() + 1) * 2.0)))
    lines = int(np.ceil((number.max() + 1) / columns))
    mirrored = (mesh.vertices[mesh.polygons[rows], 0] < 0).all(1)
    across = np.where(mirrored[:, None], 1 - across, across)
    low, size = np.array(_HAIR_BOX[:2]), np.subtract(_HAIR_BOX[2:], _HAIR_BOX[:2])
    cell = np.stack([number % columns, number // columns], -1) + 0.1
    uv[rows] = low + size * (cell + 0.8 * np.stack([across, up], -1)) / (columns, lines)

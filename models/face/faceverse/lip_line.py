"""The line where a mesh's lips meet, near landmarks that may lie a little beside it.

The jaw tells the two lips apart; where they touch at rest, the line is the foremost place at which they do.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.spatial import KDTree

from models.face.transfer.surface import Bools, Floats, Ints, Surface

_UPPER, _LOWER = 0.35, 0.65  # of the lower lip's way down with the jaw: less is the upper lip, more the lower
_TOUCHING = 0.012  # mouth widths between lips that touch
_REACH, _BESIDE = 0.15, 0.05  # mouth widths round a landmark, and sideways, in which the line is looked for
_PLACES = 4  # on each side of the middle, for a file that has no points along the lips
_MOUTH = 0.8  # mouth widths round its middle in which lips are
_DENSE = np.array([[2, 1, 1], [1, 2, 1], [1, 1, 2], [1, 1, 0], [0, 1, 1], [1, 0, 1]])  # places on a triangle


def on_the_line(
    surface: Surface, jaw: Floats, marks: Mapping[str, int], rings: Mapping[str, Ints]
) -> tuple[dict[str, int], dict[str, Ints]]:
    """Landmarks of the lips' middles and points of their rings, on the line where lips touch nearby.

    Args:
        jaw: [V, 3] displacement of jawOpen; marks: landmark name -> vertex; rings: name -> vertices.
    """
    at = surface.vertices
    corners = at[[marks["mouth_corner.L"], marks["mouth_corner.R"]]]
    width = float(np.linalg.norm(corners[0] - corners[1]))
    down = -jaw[:, 2] / max(-jaw[marks["lip_lower_middle"], 2], 1e-9)
    island = surface.islands()
    near = np.linalg.norm(at - corners.mean(0), axis=1) < _MOUTH * width
    near &= island == island[marks["lip_lower_middle"]]
    lips = {"lip_upper": near & (down < _UPPER), "lip_lower": near & (down > _LOWER)}
    marks, rings = dict(marks), dict(rings)
    for name, other in (("lip_upper", "lip_lower"), ("lip_lower", "lip_upper")):
        line = np.flatnonzero(_touching(surface, lips[name], lips[other], _TOUCHING * width))
        middle = f"{name}_middle"
        marks[middle] = _foremost(at, line, marks[middle], width)
        ends = marks["mouth_corner.R"], marks["mouth_corner.L"]
        inner = (
            [_foremost(at, line, int(vertex), width) for vertex in rings[name][1:-1]]
            if name in rings
            else _between(at, line, marks[middle], ends)
        )
        rings[name] = np.array([ends[0], *inner, ends[1]], np.int64)
    return marks, rings


def _between(at: Floats, line: Ints, middle: int, ends: tuple[int, int]) -> list[int]:
    """The foremost of the vertices `line` at a few places between the corners; their middle itself."""
    right, left = at[list(ends), 0]
    width, found = abs(left - right), []
    for place in np.linspace(right, left, 2 * _PLACES + 3)[1:-1]:
        beside = np.abs(at[line, 0] - place)
        if abs(at[middle, 0] - place) < _BESIDE * width:
            found.append(middle)
        elif (beside < _BESIDE * width).any():
            found.append(int(line[np.where(beside < _BESIDE * width, at[line, 1] + beside, np.inf).argmin()]))
    return list(dict.fromkeys(found))


def _touching(surface: Surface, own: Bools, other: Bools, reach: float) -> Bools:
    """[V] which vertices of one lip lie on the other."""
    touching = np.zeros(len(own), bool)
    triangles = surface.triangles[other[surface.triangles].all(1)]
    if not own.any() or not len(triangles):
        return touching
    shares = _DENSE / _DENSE.sum(1, keepdims=True)
    places = np.einsum("kc,tcx->tkx", shares, surface.vertices[triangles]).reshape(-1, 3)
    places = np.concatenate([places, surface.vertices[other]])
    touching[own] = KDTree(places).query(surface.vertices[own])[0] < reach
    return touching


def _foremost(at: Floats, line: Ints, vertex: int, width: float) -> int:
    """The foremost of the vertices `line` near `vertex`; itself where there is none."""
    away = at[line] - at[vertex]
    beside = np.abs(away[:, 0])
    usable = (np.linalg.norm(away, axis=1) < _REACH * width) & (beside < _BESIDE * width)
    if not usable.any():
        return vertex
    return int(line[usable][(at[line[usable], 1] + beside[usable]).argmin()])

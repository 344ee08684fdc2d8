"""Rows of teeth as lines that follow the shapes: the biting edges and the fronts, right to left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..protocol.arkit import ARKIT_NAMES
from ..protocol.face import FaceFile
from ..protocol.tensorfile import Array

STATIONS = 40
LINES = ("teeth_upper_edge", "teeth_upper_front", "teeth_lower_edge", "teeth_lower_front")
# Without rings, lines are means of tooth vertices round stations along the arch; widths in metres.
_ARCH = 0.82  # of the teeth's half width, where the last station is
_NEIGHBOURS = 1.6e-3
_SHARP = 0.2e-3  # how near the extreme a vertex must be to count
_FRONT_OF_EDGE = 1.5e-3
# Without teeth, the upper edge is guessed for f and v: so far behind and below the lip line, in mouth widths
# (the built-in head's own place, chosen by eye).
_GUESS_BACK, _GUESS_BELOW = 0.12, 0.04
_TURN = 0.5e-3  # metres that x may fall back between tooth vertices in front
_NOWHERE = 1.0  # metres behind: lines that stop no lip


@dataclass(frozen=True)
class ToothLines:
    """Rest positions [4, STATIONS, 3] in the order of `LINES`, and movement [52, 4, STATIONS, 3], metres."""

    rest: Array
    motion: Array


def tooth_lines(face: FaceFile, lip_line: Array) -> ToothLines:
    """The face's tooth rows: its rings, else from its regions `upper_teeth` and `lower_teeth`.

    A face without teeth gets an upper edge guessed from its upper `lip_line` [n, 3] at rest, which f and v
    use; nothing collides with it.
    """
    if all(name in face.rings and len(face.rings[name]) > 3 for name in LINES):
        matrix, ids = _ring_matrix(face)
    elif {"upper_teeth", "lower_teeth"} <= set(face.region_names) and _has_teeth(face):
        matrix, ids = _region_matrix(face)
    else:
        return _guessed(lip_line)
    rest = matrix @ face.vertices[ids].astype(np.float64)
    motion = np.einsum("sv,wvc->wsc", matrix, face.shapes[:, ids].astype(np.float64))
    return ToothLines(rest.reshape(4, STATIONS, 3), motion.reshape(-1, 4, STATIONS, 3))


def _has_teeth(face: FaceFile) -> bool:
    numbers = [face.region_names.index(name) for name in ("upper_teeth", "lower_teeth")]
    return all((face.region == number).any() for number in numbers)


def _ring_matrix(face: FaceFile) -> tuple[Array, Array]:
    """Shares [4 STATIONS, n] of the rings' vertices n: stations at even places along each ring."""
    ids = np.concatenate([face.rings[name] for name in LINES])
    matrix, first = np.zeros((4 * STATIONS, len(ids))), 0
    for line, name in enumerate(LINES):
        count = len(face.rings[name])
        start, end = _front_part(face.vertices[face.rings[name], 0])
        place = np.linspace(start, end, STATIONS)
        i = np.minimum(place.astype(int), count - 2)
        rows = line * STATIONS + np.arange(STATIONS)
        matrix[rows, first + i] = 1 - (place - i)
        matrix[rows, first + i + 1] = place - i
        first += count
    return matrix, ids


def _front_part(x: Array) -> tuple[int, int]:
    """First and last of the run round the middle in which `x` [n] grows: behind it the arch turns back."""
    middle = len(x) // 2
    left = np.flatnonzero(x[middle:] < np.maximum.accumulate(x[middle:]) - _TURN)
    right = np.flatnonzero(x[middle::-1] > np.minimum.accumulate(x[middle::-1]) + _TURN)
    first = middle - (right[0] - 1) if len(right) else 0
    last = middle + left[0] - 1 if len(left) else len(x) - 1
    return int(first), int(last)


def _region_matrix(face: FaceFile) -> tuple[Array, Array]:
    """Shares [4 STATIONS, n] of tooth vertices: near each station those at the edge, then the foremost."""
    chosen, rows = [], []
    for name, up in (("upper_teeth", 1.0), ("lower_teeth", -1.0)):
        ids = np.flatnonzero(face.region == face.region_names.index(name))
        points = face.vertices[ids].astype(np.float64)
        x, front, edge = points[:, 0], -points[:, 1], -up * points[:, 2]
        chosen.append(ids)
        stations = np.linspace(-1, 1, STATIONS) * _ARCH * np.abs(x).max()
        rows.append([_extreme(x - at, edge, front) for at in stations])
        rows.append([_extreme(x - at, front) for at in stations])
    upper, lower = (np.array(rows[i] + rows[i + 1]) for i in (0, 2))
    matrix = np.zeros((4 * STATIONS, len(chosen[0]) + len(chosen[1])))
    matrix[: 2 * STATIONS, : len(chosen[0])] = upper
    matrix[2 * STATIONS :, len(chosen[0]) :] = lower
    return matrix, np.concatenate(chosen)


def _extreme(away: Array, height: Array, front: Array | None = None) -> Array:
    """[n] shares of the vertices near a station that lie extreme in `height` (and, softly, in front)."""
    share = np.exp(-((away / _NEIGHBOURS) ** 2))
    near = share > 0.05
    if not near.any():
        near = np.abs(away) <= np.abs(away).min() + _NEIGHBOURS
        share = np.ones(len(away))
    share = share * np.exp(np.clip((height - height[near].max()) / _SHARP, -50, 0))
    if front is not None:
        share = share * np.exp(np.clip((front - front[near].max()) / _FRONT_OF_EDGE, -9, 0))
    share = np.where(near, share, 0.0)
    return np.asarray(share / share.sum())


def _guessed(lip_line: Array) -> ToothLines:
    place = np.linspace(0, len(lip_line) - 1, STATIONS)
    line = np.stack([np.interp(place, np.arange(len(lip_line)), lip_line[:, i]) for i in range(3)], 1)
    width = float(np.linalg.norm(lip_line[-1] - lip_line[0]))
    edge = line + width * np.array([0.0, _GUESS_BACK, -_GUESS_BELOW])
    away = edge + np.array([0.0, _NOWHERE, 0.0])
    rest = np.stack([edge, away, away, away])
    return ToothLines(rest, np.zeros((len(ARKIT_NAMES), *rest.shape)))

"""Canonical lip coordinates: one chart of the lips for every face file, through its lip rings.

A point of the lip region has u along the lip (-1 the subject's right corner .. 1 the left one, by arc
length), v across it (0 on the lip line, growing outwards over the vermilion to the skin, negative inside the
mouth, in mouth widths over the surface), and the lip it belongs to (1 upper, -1 lower). Directions are held
in a frame that goes along the lip: tangent (towards the left corner), across (up), normal (forward).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..protocol.errors import FileFormatError
from ..protocol.face import FaceFile
from ..protocol.tensorfile import Array
from .surface import Patch, components, distances, harmonic, patch_of

_STATIONS = np.linspace(-1.0, 1.0, 33)  # where the lip line's direction is taken
_CHART_SCALE = 2.0  # chart radius per mouth width: keeps the inside of the mouth away from the chart's middle
_INNERMOST = 0.05  # least chart radius
_BATCH = 256  # points located at once
_CANDIDATES = 24  # nearest triangles that are looked at for a point
_NO_AREA = 1e-15  # in the chart


@dataclass(frozen=True)
class LipCoordinates:
    """Where each vertex of `face.lip_index` lies on the lips. L vertices, T triangles between them.

    Attributes:
        index: [L] vertex ids in the face; triangles: [T, 3] local ids.
        width: rest distance between the corners of the mouth, metres: the unit of v.
        u: [L], v: [L], lip: [L] as the module says.
        chart: [L, 2] the same in a plane: polar angle from u and lip, radius from v.
        frame: [L, 3, 3] rows tangent, across, normal.
        upper, lower: local ids of the lip line, right corner to left.
    """

    index: Array
    triangles: Array
    width: float
    u: Array
    v: Array
    lip: Array
    chart: Array
    frame: Array
    upper: Array
    lower: Array


@dataclass(frozen=True)
class Location:
    """Points of a surface: [n, 3] local vertex ids and their shares [n, 3], which sum to 1."""

    ids: Array
    shares: Array

    def take(self, values: Array) -> Array:
        """[..., L, C] per vertex -> [..., n, C] at the points."""
        taken: Array = np.einsum("nk,...nkc->...nc", self.shares, values[..., self.ids, :])
        return taken


def lip_coordinates(face: FaceFile) -> LipCoordinates:
    """Coordinates of `face.lip_index`. Raises `FileFormatError` where the lip rings cannot be used."""
    upper, lower = _lines(face)
    patch = patch_of(face.vertices, face.polygons, face.lip_index)
    loop, first = np.unique(np.r_[upper, lower], return_index=True)
    u_upper, u_lower = arc_length(patch.points[upper]), arc_length(patch.points[lower])
    turn = np.r_[_angle(u_upper, 1.0), _angle(u_lower, -1.0)][first]
    angle = np.arctan2(*harmonic(patch, loop, np.stack([np.sin(turn), np.cos(turn)], 1)).T)
    width = float(np.linalg.norm(patch.points[upper[0]] - patch.points[upper[-1]]))
    v = _outwards(patch, loop) * distances(patch, loop) / width
    if not np.isfinite(v).all():
        raise _unusable(face, "a piece of lip_index does not hang together with the lip line")
    u = 1 - 2 * np.abs(angle) / np.pi
    return LipCoordinates(
        index=face.lip_index,
        triangles=patch.triangles,
        width=width,
        u=u,
        v=v,
        lip=np.where(angle >= 0, 1.0, -1.0),
        chart=_chart(angle, v),
        frame=_frames(patch.points[upper], patch.points[lower], u),
        upper=upper,
        lower=lower,
    )


def chart_points(u: Array, v: Array, lip: Array) -> Array:
    """[n, 2] chart points of coordinates [n]."""
    return _chart(_angle(u, lip), v)


def locate(coordinates: LipCoordinates, points: Array) -> Location:
    """The surface points at chart `points` [n, 2]; beside the chart, the nearest triangle's edge."""
    corners = coordinates.chart[coordinates.triangles]  # [T, 3, 2]
    centre = corners.mean(1)
    size = np.linalg.norm(corners - centre[:, None], axis=2).max(1)
    ids, shares = [], []
    for start in range(0, len(points), _BATCH):
        batch = points[start : start + _BATCH]
        away = np.linalg.norm(batch[:, None] - centre, axis=2) - size
        count = min(_CANDIDATES, len(centre))
        near = np.argpartition(away, count - 1, axis=1)[:, :count]
        held = _held_inside(batch[:, None], corners[near])  # [b, candidates, 3]
        miss = np.square((held[..., None] * corners[near]).sum(2) - batch[:, None]).sum(-1)
        row, best = np.arange(len(batch)), np.argmin(miss, 1)
        ids.append(coordinates.triangles[near[row, best]])
        shares.append(held[row, best])
    return Location(np.concatenate(ids), np.concatenate(shares))


def _held_inside(point: Array, corners: Array) -> Array:
    """[..., 3] barycentric shares of `point` [..., 2] in triangles [..., 3, 2], cut to the triangle."""
    origin = corners[..., 0, :]
    one, two, away = corners[..., 1, :] - origin, corners[..., 2, :] - origin, point - origin
    area = _cross(one, two)
    area = np.where(np.abs(area) < _NO_AREA, np.inf, area)
    b, c = _cross(away, two) / area, _cross(one, away) / area
    held = np.clip(np.stack([1 - b - c, b, c], -1), 0.0, 1.0)
    inside: Array = held / held.sum(-1, keepdims=True)
    return inside


def _cross(a: Array, b: Array) -> Array:
    crossed: Array = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return crossed


def carry(source: LipCoordinates, target: LipCoordinates, values: Array) -> Array:
    """Values [..., Ls, C] on one face's lips (colours, say) -> [..., Lt, C] on another's."""
    return locate(source, target.chart).take(values)


def transfer_offsets(source: LipCoordinates, target: LipCoordinates, offsets: Array) -> Array:
    """Offsets [F, Ls, 3] metres -> [F, Lt, 3]: the same movement in the other lips' frames and widths."""
    own = np.einsum("lij,flj->fli", source.frame, offsets) / source.width
    turned: Array = np.einsum("lij,fli->flj", target.frame, carry(source, target, own)) * target.width
    return turned.astype(np.float32)


def transfer_landmark(source: LipCoordinates, target: LipCoordinates, vertex: int) -> int:
    """The vertex of the target that is nearest to a lip vertex of the source, both as ids in their faces."""
    place = source.chart[np.flatnonzero(source.index == vertex)]
    nearest = np.argmin(np.square(target.chart - place).sum(1))
    return int(target.index[nearest])


def arc_length(line: Array) -> Array:
    """[n] place of each point along a line [n, 3], -1 at its start .. 1 at its end."""
    length = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    along: Array = 2 * length / length[-1] - 1
    return along


def _lines(face: FaceFile) -> tuple[Array, Array]:
    """Local ids of the upper and lower lip line."""
    local = np.full(len(face.vertices), -1)
    local[face.lip_index] = np.arange(len(face.lip_index))
    lines = []
    for name in ("lip_upper", "lip_lower"):
        ring = face.rings.get(name)
        if ring is None or len(ring) < 5:
            raise _unusable(face, f"it has no ring {name} of 5 vertices or more")
        if (local[ring] < 0).any():
            raise _unusable(face, f"ring {name} leaves lip_index")
        lines.append(local[ring])
    upper, lower = lines
    if upper[0] != lower[0] or upper[-1] != lower[-1]:
        raise _unusable(face, "lip_upper and lip_lower do not share their first and last vertex")
    return upper, lower


def _unusable(face: FaceFile, why: str) -> FileFormatError:
    hint = "Import the face again, with both lip lines from the right corner of the mouth to the left"
    return FileFormatError(f"the lips of {face.id} cannot be used: {why}", hint)


def _angle(u: Array, lip: Array | float) -> Array:
    angle: Array = lip * (1 - u) * np.pi / 2
    return angle


def _chart(angle: Array, v: Array) -> Array:
    radius = np.maximum(1 + _CHART_SCALE * v, _INNERMOST)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)


def _outwards(patch: Patch, loop: Array) -> Array:
    """[n] 1 outside the lip line, -1 inside the mouth: the widest piece that the line cuts is skin."""
    piece = components(patch, loop)
    middle = patch.points[loop].mean(0)
    spread = np.where(piece >= 0, np.linalg.norm(patch.points - middle, axis=1), 0)
    outside: Array = np.where((piece >= 0) & (piece != piece[np.argmax(spread)]), -1.0, 1.0)
    return outside


def _frames(upper: Array, lower: Array, u: Array) -> Array:
    """[n, 3, 3] frames at places `u` [n] along the middle between both lip lines [., 3]."""
    middle = (_along(upper, arc_length(upper), _STATIONS) + _along(lower, arc_length(lower), _STATIONS)) / 2
    tangent = _unit(_along(np.gradient(middle, axis=0), _STATIONS, u))
    up = np.array([0.0, 0.0, 1.0])
    across = _unit(up - tangent * (tangent @ up)[:, None])
    return np.stack([tangent, across, np.cross(tangent, across)], 1)


def _along(values: Array, places: Array, at: Array) -> Array:
    """[m, 3] `values` [n, 3], known at growing `places` [n], at the places `at` [m]."""
    return np.stack([np.interp(at, places, column) for column in values.T], 1)


def _unit(vectors: Array) -> Array:
    unit: Array = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit

"""Measuring a posed mouth on its surfaces, without the contact solve's columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blender_addon.lips.canonical import LipCoordinates
from blender_addon.lips.surface import triangles_of
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel

STATIONS = 37  # cuts across the mouth
_SPAN = 0.92  # of the posed mouth's half width, where the last cut is: nearer the corner lips are one fold
_PLACES = np.linspace(-_SPAN, _SPAN, STATIONS)
_CENTRAL = 0.6  # of the half width: where lips must seal
_BIN = 0.1e-3  # metres of depth per bin of a cut
_BINS = 500
_OUTER, _INNER = 0.26, -0.055  # v of the lips' surfaces that are cut: the border, and what lies flat inside
_TIP = 0.985  # |u| up to which a vertex belongs to one lip
_PIXEL = 0.2e-3  # metres per pixel of the teeth's depth maps
_MAP = (320, 200)  # pixels across and up
_INCISORS = 9e-3  # metres to either side of the midline
_EDGE_BIN = 1e-3
_BITING = 1.5e-3  # metres up from the edge that count as the biting end
_NONE = 1.0  # metres: no surface there


@dataclass(frozen=True)
class MouthProbe:
    """What is measured on a face, by local ids of its lip vertices.

    Attributes:
        visible, inner: [n, 3] triangles outside and inside the lip line, [2] for the upper and lower lip.
        corners: right and left end of the lip line; middle: upper and lower middle of it.
        tooth_ids: [t] vertex ids in the face; teeth: [n, 3] triangles between them, for upper and lower.
        edge: per slice across the upper incisors, positions in tooth_ids of their biting end.
        pressed: [m] lip vertices that may touch teeth.
    """

    face: FaceFile
    visible: tuple[Array, Array]
    inner: tuple[Array, Array]
    corners: tuple[int, int]
    middle: tuple[int, int]
    tooth_ids: Array
    teeth: tuple[Array, Array]
    edge: tuple[Array, ...]
    pressed: Array


def mouth_probe(face: FaceFile, lips: LipCoordinates) -> MouthProbe:
    """Look up what is measured on `face`."""
    triangle = lips.triangles
    side, v = lips.lip * (np.abs(lips.u) < _TIP), lips.v
    line = np.zeros(len(v), bool)
    line[lips.upper], line[lips.lower] = True, True

    def of(lip: float, low: float, high: float) -> Array:
        inside = ((v >= low) & (v <= high) & (side == lip))[triangle].all(1)
        return np.asarray(np.unique(np.sort(triangle[inside], 1), axis=0))

    ids, teeth = _teeth(face)
    middle = (int(lips.upper[len(lips.upper) // 2]), int(lips.lower[len(lips.lower) // 2]))
    return MouthProbe(
        face=face,
        visible=(of(1.0, 0.0, _OUTER), of(-1.0, 0.0, _OUTER)),
        inner=(of(1.0, _INNER, 0.0), of(-1.0, _INNER, 0.0)),
        corners=(int(lips.upper[0]), int(lips.upper[-1])),
        middle=middle,
        tooth_ids=ids,
        teeth=teeth,
        edge=_incisor_edge(face, ids, teeth[0]),
        pressed=np.flatnonzero((v < 0.2) & (v > -0.3)),
    )


def _teeth(face: FaceFile) -> tuple[Array, tuple[Array, Array]]:
    triangles = triangles_of(face.polygons)
    kept = []
    for name in ("upper_teeth", "lower_teeth"):
        number = face.region_names.index(name) if name in face.region_names else 255
        kept.append(triangles[(face.region[triangles] == number).all(1)])
    ids = np.unique(np.concatenate(kept))
    local = np.zeros(len(face.vertices), np.int64)
    local[ids] = np.arange(len(ids))
    return ids, (local[kept[0]], local[kept[1]])


def _incisor_edge(face: FaceFile, ids: Array, upper: Array) -> tuple[Array, ...]:
    """The biting end of the upper incisors: in each slice across them, the vertices near the lowest."""
    own = np.unique(upper)
    points = face.vertices[ids[own]]
    slices = np.round(points[:, 0] / _EDGE_BIN).astype(int)
    chosen = []
    for number in np.unique(slices[np.abs(points[:, 0]) < _INCISORS]):
        inside = np.flatnonzero(slices == number)
        height = points[inside, 2]
        chosen.append(own[inside[height < height.min() + _BITING]])
    return tuple(chosen)


@dataclass(frozen=True)
class Cuts:
    """Per frame: `open` [F] the widest clearance of the lips over the central cuts, `crossed` [F] the deepest
    that a lip's visible side lies beyond the other lip over all cuts, by its shortest way out; metres."""

    open: Array
    crossed: Array


def cut_lips(probe: MouthProbe, points: Array) -> Cuts:
    """Cut the lips `points` [F, L, 3] by planes of constant x and compare both outlines at equal depth."""
    opened, crossed = np.zeros(len(points)), np.zeros(len(points))
    outlines = np.empty((4, STATIONS, _BINS))
    central = np.abs(_PLACES) <= _CENTRAL
    for frame, at in enumerate(points.astype(np.float64)):
        upper, lower = _outlines(probe, at, _PLACES, outlines)
        opened[frame] = _clearance(upper, lower)[central].max()
        crossed[frame] = max(_way_out(-outlines[1], upper, 1.0), _way_out(outlines[0], lower, -1.0))
    return Cuts(opened, crossed)


def lip_gap(probe: MouthProbe, points: Array) -> Array:
    """[F] `Cuts.open` of `points` [F, L, 3] alone."""
    places = _PLACES[np.abs(_PLACES) <= _CENTRAL]
    outlines = np.empty((4, len(places), _BINS))
    return np.array(
        [_clearance(*_outlines(probe, at, places, outlines)).max() for at in points.astype(np.float64)]
    )


def _outlines(probe: MouthProbe, at: Array, places: Array, outlines: Array) -> tuple[Array, Array]:
    """Underside of the upper and top of the lower lip [stations, bins] of one frame `at` [L, 3].

    `places` are the cuts, -1 to 1 between the mouth's corners; `outlines` [4, stations, bins] gets visible
    and inner sides, up and down alike as distances along `sign`.
    """
    right, left = at[probe.corners[0], 0], at[probe.corners[1], 0]
    x = (right + left) / 2 + places * (left - right) / 2
    front = -at[:, 1].min() + 1e-3
    layers = zip((*probe.visible, *probe.inner), (1.0, -1.0, 1.0, -1.0), strict=True)
    for outline, (triangles, sign) in zip(outlines, layers, strict=True):
        outline.fill(_NONE)
        _cut(at, triangles, x, front, sign, outline)
    return np.minimum(outlines[0], outlines[2]), -np.minimum(outlines[1], outlines[3])


@kernel
def _way_out(own: Array, other: Array, sign: float) -> float:
    """Deepest that a lip's outline `own` [stations, bins] lies beyond `other`: its shortest way out, metres.

    `sign` is 1 where `own` is the lower lip, -1 where it is the upper.
    """
    deepest = 0.0
    for s in range(own.shape[0]):
        for i in range(_BINS):
            if abs(own[s, i]) > _NONE / 2 or abs(other[s, i]) > _NONE / 2:
                continue
            way = sign * (own[s, i] - other[s, i])
            reach = 1
            while reach * _BIN < way and way > deepest:
                for j in (i - reach, i + reach):
                    over = 0.0
                    if 0 <= j < _BINS and abs(other[s, j]) < _NONE / 2:
                        over = max(sign * (own[s, i] - other[s, j]), 0.0)
                    way = min(way, np.hypot(reach * _BIN, over))
                reach += 1
            deepest = max(deepest, way)
    return deepest


@kernel
def _cut(at: Array, triangles: Array, xs: Array, front: float, sign: float, out: Array) -> None:
    """Lowest sign * height per depth bin of each cut; bin 0 is at the depth `front`."""
    for t in range(triangles.shape[0]):
        low = min(at[triangles[t, 0], 0], at[triangles[t, 1], 0], at[triangles[t, 2], 0])
        high = max(at[triangles[t, 0], 0], at[triangles[t, 1], 0], at[triangles[t, 2], 0])
        for s in range(np.searchsorted(xs, low), np.searchsorted(xs, high, side="right")):
            x = xs[s]
            found = 0
            d0 = h0 = d1 = h1 = 0.0
            for k in range(3):
                a, b = triangles[t, k], triangles[t, (k + 1) % 3]
                u, v = at[a, 0] - x, at[b, 0] - x
                if (u < 0.0) == (v < 0.0):
                    continue
                w = u / (u - v)
                d = front + (at[a, 1] + w * (at[b, 1] - at[a, 1]))
                h = sign * (at[a, 2] + w * (at[b, 2] - at[a, 2]))
                if found == 0:
                    d0, h0 = d, h
                else:
                    d1, h1 = d, h
                found += 1
            if found < 2:
                continue
            if d1 < d0:
                d0, h0, d1, h1 = d1, h1, d0, h0
            first, last = int(np.ceil(d0 / _BIN)), int(np.floor(d1 / _BIN))
            for i in range(max(first, 0), min(last + 1, _BINS)):
                w = (i * _BIN - d0) / max(d1 - d0, 1e-12)
                out[s, i] = min(out[s, i], h0 + w * (h1 - h0))


def _clearance(upper: Array, lower: Array) -> Array:
    """[stations] smallest clearance over depth, or, without overlap in depth, the lips' distance."""
    both = (upper < _NONE / 2) & (lower > -_NONE / 2)
    result = np.where(both, upper - lower, _NONE).min(1)
    for station in np.flatnonzero(~both.any(1)):
        u, v = np.flatnonzero(upper[station] < _NONE / 2), np.flatnonzero(lower[station] > -_NONE / 2)
        if len(u) and len(v):
            depth = (u[:, None] - v) * _BIN
            result[station] = np.hypot(depth, upper[station][u][:, None] - lower[station][v]).min()
    return np.asarray(result)


def tooth_depth(probe: MouthProbe, points: Array, teeth: Array) -> Array:
    """[F] deepest that a lip vertex or edge's middle lies in a tooth, along the view axis, metres.

    Args:
        points: [F, L, 3] lips; teeth: [F, t, 3] posed tooth vertices.
    """
    result = np.zeros(len(points))
    if len(probe.tooth_ids) == 0:
        return result
    maps = [_DepthMaps(triangles) for triangles in probe.teeth]
    edges = np.unique(np.sort(np.concatenate([t[:, :2] for t in (*probe.visible, *probe.inner)]), 1), axis=0)
    for frame in range(len(points)):
        lip, tooth = points[frame].astype(np.float64), teeth[frame].astype(np.float64)
        tested = np.concatenate([lip[probe.pressed], lip[edges].mean(1)])
        for row in maps:
            front, back, origin = row.of(tooth)
            cell = ((tested[:, [0, 2]] - origin) / _PIXEL).astype(int)
            seen = (cell >= 0).all(1) & (cell < _MAP).all(1)
            x, z = cell[seen].T
            depth = -tested[seen, 1]
            inside = np.minimum(front[x, z] - depth, depth - back[x, z])
            result[frame] = max(result[frame], inside.max(initial=0.0))
    return result


class _DepthMaps:
    """Front and back of a row of teeth, drawn anew only where it has moved."""

    def __init__(self, triangles: Array) -> None:
        self.ids, flat = np.unique(triangles, return_inverse=True)
        self.triangles = flat.reshape(-1, 3)
        self.front, self.back = np.empty(_MAP), np.empty(_MAP)
        self.origin, self.drawn = np.zeros(2), np.zeros((0, 3))

    def of(self, tooth: Array) -> tuple[Array, Array, Array]:
        """Depths of front and back [_MAP], and where the map begins, for tooth vertices [t, 3]."""
        points = tooth[self.ids]
        if not np.array_equal(points, self.drawn):
            self.origin = np.array([-_MAP[0] / 2 * _PIXEL, points[:, 2].mean() - _MAP[1] / 2 * _PIXEL])
            self.front.fill(-_NONE)
            self.back.fill(_NONE)
            _depth_map(points, self.triangles, self.origin, self.front, self.back)
            self.drawn = points
        return self.front, self.back, self.origin


@kernel
def _depth_map(points: Array, triangles: Array, origin: Array, front: Array, back: Array) -> None:
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, az = (points[i, 0] - origin[0]) / _PIXEL, (points[i, 2] - origin[1]) / _PIXEL
        bx, bz = (points[j, 0] - origin[0]) / _PIXEL, (points[j, 2] - origin[1]) / _PIXEL
        cx, cz = (points[k, 0] - origin[0]) / _PIXEL, (points[k, 2] - origin[1]) / _PIXEL
        area = (bx - ax) * (cz - az) - (bz - az) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        for x in range(max(int(min(ax, bx, cx)), 0), min(int(max(ax, bx, cx)) + 1, front.shape[0])):
            for z in range(max(int(min(az, bz, cz)), 0), min(int(max(az, bz, cz)) + 1, front.shape[1])):
                px, pz = x + 0.5, z + 0.5
                a = ((bx - px) * (cz - pz) - (bz - pz) * (cx - px)) / area
                b = ((cx - px) * (az - pz) - (cz - pz) * (ax - px)) / area
                if a < 0.0 or b < 0.0 or a + b > 1.0:
                    continue
                depth = -(a * points[i, 1] + b * points[j, 1] + (1.0 - a - b) * points[k, 1])
                front[x, z] = max(front[x, z], depth)
                back[x, z] = min(back[x, z], depth)


def edge_distance(probe: MouthProbe, points: Array, teeth: Array) -> Array:
    """[F] distance from the upper incisors' biting end to the lower lip, mean over slices, metres."""
    lower = np.concatenate([probe.visible[1], probe.inner[1]])
    result = np.zeros(len(points))
    edge = np.concatenate(probe.edge)
    starts = np.cumsum([0, *map(len, probe.edge[:-1])])
    for frame in range(len(points)):
        away = np.empty(len(edge))
        _distance(teeth[frame][edge].astype(np.float64), points[frame].astype(np.float64), lower, away)
        result[frame] = np.minimum.reduceat(away, starts).mean()
    return result


@kernel
def _distance(queries: Array, points: Array, triangles: Array, out: Array) -> None:
    """Distances of `queries` [q, 3] to a surface, by dense samples of each triangle."""
    for q in range(queries.shape[0]):
        best = 1e9
        for t in range(triangles.shape[0]):
            i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            if abs(points[i, 0] - queries[q, 0]) > 4e-3:
                continue
            for m in range(9):
                for n in range(9 - m):
                    a, b = m / 8.0, n / 8.0
                    c = 1.0 - a - b
                    dx = a * points[i, 0] + b * points[j, 0] + c * points[k, 0] - queries[q, 0]
                    dy = a * points[i, 1] + b * points[j, 1] + c * points[k, 1] - queries[q, 1]
                    dz = a * points[i, 2] + b * points[j, 2] + c * points[k, 2] - queries[q, 2]
                    best = min(best, dx * dx + dy * dy + dz * dz)
        out[q] = np.sqrt(best)

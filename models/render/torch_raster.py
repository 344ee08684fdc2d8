"""The rasteriser in PyTorch: same spans, same order as `draw`, on any device, without a loop over triangles.

Rows of triangles are listed, then their pixels; the nearest fragment wins by a maximum over one integer per
pixel (bits of 1 / depth, then the lower triangle), which does not depend on the order of execution.
Depth and barycentrics are computed from the winners' corners and are differentiable.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .draw import FARTHEST_PIXEL, NEAR
from .visible import CLEAR, SLACK

FRAGMENTS_AT_ONCE = 1 << 22  # bounds memory: about 100 bytes each

_ONE = 4294967296.0  # crossings in 2^-32 pixel, see `draw`
_BELOW_HALF = 0x7FFFFFFF
_LAST_TRIANGLE = 0x7FFFFFFF
_STEEPEST = 2.0**30


class _Edge(NamedTuple):
    """[S] i64 crossing in row `row` and step per row, in 2^-32 pixel."""

    row: Tensor
    crossing: Tensor
    step: Tensor

    def at(self, pick: Tensor, y: Tensor) -> Tensor:
        return self.crossing[pick] + (y - self.row[pick]) * self.step[pick]


class _Outlines(NamedTuple):
    """S triangles that can be seen: batch item and id [S], rows [first, last), edges."""

    item: Tensor
    triangle: Tensor
    corners: Tensor  # [S, 3, 3] f64
    first: Tensor
    last: Tensor
    turn_left: Tensor
    turn_right: Tensor
    left: _Edge
    right: _Edge
    low: _Edge


def seen_triangles(points: Tensor, triangles: Tensor, width: int, height: int) -> tuple[Tensor, Tensor]:
    """Batch item and id [S] i64 of each triangle that faces the camera and may hold a pixel centre."""
    cells, valid = _cells(points, width, height)
    at = cells[:, triangles]  # [B, T, 3, 2]
    spans = at.amax(2) > at.amin(2)
    front = _area(points.double()[:, triangles]) < 0
    seen = valid[:, triangles].all(2) & spans.all(2) & front
    item, triangle = seen.nonzero(as_tuple=True)
    return item, triangle


def nearest_triangles(points: Tensor, triangles: Tensor, width: int, height: int) -> Tensor:
    """Triangle per pixel [B, H, W] i32, -1 where nothing was drawn, of `points` [B, V, 3] f32."""
    batch = points.shape[0]
    keys = torch.zeros(batch * height * width, dtype=torch.int64, device=points.device)
    item, triangle = seen_triangles(points, triangles, width, height)
    cells, _ = _cells(points, width, height)
    for part in _parts(cells[item[:, None], triangles[triangle]]):
        outlines = _outlines(points, cells, triangles, item[part], triangle[part])
        _draw(outlines, width, height, keys)
    ids = _LAST_TRIANGLE - (keys & 0xFFFFFFFF)
    return torch.where(keys > 0, ids, -1).to(torch.int32).reshape(batch, height, width)


def weights_and_depth(points: Tensor, triangles: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Perspective-correct weights [B, H, W, 2] and depth [B, H, W] f32, differentiable in `points`."""
    drawn = ids >= 0
    item, row, column = drawn.nonzero(as_tuple=True)
    corners = points.double()[item[:, None], triangles[ids[drawn].long()]]  # [N, 3, 3]
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (corners[:, n].unbind(1) for n in range(3))
    dx, dy = column + 0.5 - cx, row + 0.5 - cy
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    a = ((by - cy) * dx + (cx - bx) * dy) / area
    b = ((cy - ay) * dx + (ax - cx) * dy) / area
    inverse = a / az + b / bz + (1 - a - b) / cz
    bary = points.new_zeros((*ids.shape, 2))
    depth = points.new_full(ids.shape, torch.inf)
    bary[drawn] = torch.stack([a / az / inverse, b / bz / inverse], 1).to(bary.dtype)
    depth[drawn] = (1 / inverse).to(depth.dtype)
    return bary, depth


def interpolated(ids: Tensor, bary: Tensor, triangles: Tensor, values: Tensor) -> Tensor:
    """Per-pixel `values` [B or 1, V, C] -> [B, H, W, C], zero where nothing was drawn."""
    drawn = ids >= 0
    item = drawn.nonzero()[:, 0] if len(values) > 1 else torch.zeros_like(ids[drawn], dtype=torch.int64)
    corners = values[item[:, None], triangles[ids[drawn].long()]]  # [N, 3, C]
    a, b = bary[drawn].unbind(1)
    weights = torch.stack([a, b, 1 - a - b], 1)
    out = values.new_zeros((*ids.shape, values.shape[2]))
    out[drawn] = (weights[..., None] * corners).sum(1)
    return out


def _cells(points: Tensor, width: int, height: int) -> tuple[Tensor, Tensor]:
    """First pixel column and row at or beyond each point [B, V, 2] i64 and whether it can be drawn [B, V]."""
    xy, depth = points[..., :2], points[..., 2]
    valid = (depth > NEAR) & (depth < torch.inf) & (xy.abs() < FARTHEST_PIXEL).all(-1)
    limit = torch.tensor([width, height], device=points.device)
    cells = torch.where(valid[..., None], torch.ceil(xy - 0.5), 0.0).to(torch.int64)
    return torch.minimum(cells.clamp(min=0), limit), valid


def _parts(at: Tensor) -> list[slice]:
    """Slices of triangles with corner cells `at` [S, 3, 2] whose boxes hold a bounded number of pixels."""
    if len(at) == 0:
        return []
    pixels = (at.amax(1) - at.amin(1)).prod(1).cumsum(0)
    part = pixels // FRAGMENTS_AT_ONCE
    starts = (part[1:] != part[:-1]).nonzero()[:, 0].add(1).tolist()
    return [slice(a, b) for a, b in zip([0, *starts], [*starts, len(at)], strict=True)]


def _outlines(points: Tensor, cells: Tensor, triangles: Tensor, item: Tensor, triangle: Tensor) -> _Outlines:
    """From the uppermost corner the next corner lies on the left side, the one after it on the right."""
    ids = triangles[triangle]
    corners, rows = points.double()[item[:, None], ids], cells[item[:, None], ids][..., 1]
    yi, yj, yk = corners[..., 1].unbind(1)
    uppermost = torch.where((yi <= yj) & (yi <= yk), 0, torch.where(yj <= yk, 1, 2))
    turned = (uppermost[:, None] + torch.arange(3, device=ids.device)) % 3
    top, one, two = torch.gather(corners[..., :2], 1, turned[..., None].expand(-1, -1, 2)).unbind(1)
    first, row_one, row_two = torch.gather(rows, 1, turned).unbind(1)
    left_first = row_one < row_two
    upper, lower = torch.where(left_first[:, None], one, two), torch.where(left_first[:, None], two, one)
    turn = torch.minimum(row_one, row_two)
    last = torch.maximum(row_one, row_two)
    return _Outlines(
        item,
        triangle,
        corners,
        first,
        last,
        torch.where(left_first, turn, last),
        torch.where(left_first, last, turn),
        _edge(top, one, first),
        _edge(top, two, first),
        _edge(upper, lower, turn),
    )


def _edge(upper: Tensor, lower: Tensor, row: Tensor) -> _Edge:
    (x0, y0), (x1, y1) = upper.unbind(1), lower.unbind(1)
    slope = ((x1 - x0) / (y1 - y0)).clamp(-_STEEPEST, _STEEPEST).nan_to_num(0.0)
    crossing = x0 + ((row + 0.5) - y0) * slope
    return _Edge(row, (crossing * _ONE).to(torch.int64) + _BELOW_HALF, (slope * _ONE).to(torch.int64))


def _draw(outlines: _Outlines, width: int, height: int, keys: Tensor) -> None:
    """Raise `keys` [B H W] to those of this part's fragments."""
    pick, step = _listed(outlines.last - outlines.first)
    y = outlines.first[pick] + step
    low = outlines.low.at(pick, y)
    left = torch.where(y >= outlines.turn_left[pick], low, outlines.left.at(pick, y))
    right = torch.where(y >= outlines.turn_right[pick], low, outlines.right.at(pick, y))
    start, stop = (left >> 32).clamp(0, width), (right >> 32).clamp(0, width)
    row, step = _listed((stop - start).clamp(min=0))
    pick, y, x = pick[row], y[row], start[row] + step
    near = _inverse_depth(outlines.corners, pick, x, y)
    key = (near.view(torch.int32).long() << 32) | (_LAST_TRIANGLE - outlines.triangle[pick])
    key = torch.where(near > 0, key, 0)
    keys.scatter_reduce_(0, (outlines.item[pick] * height + y) * width + x, key, "amax")


def _listed(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Which entry and which repetition of it, [sum(counts)] each."""
    entry = torch.repeat_interleave(counts)
    begin = counts.cumsum(0) - counts
    return entry, torch.arange(len(entry), device=counts.device) - begin[entry]


def _inverse_depth(corners: Tensor, pick: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """1 / depth [N] f32 of the triangles `pick` at pixels (x, y)."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (corners[:, n].unbind(1) for n in range(3))
    scale = 1 / ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
    ia, ib, ic = (1 / z.float() for z in (az, bz, cz))  # rounded as `draw` does
    wa, wb, wc = scale * ia, scale * ib, scale * ic
    slope_x = (by - cy) * wa + (cy - ay) * wb + (ay - by) * wc
    slope_y = (cx - bx) * wa + (ax - cx) * wb + (bx - ax) * wc
    near = ic[pick] + (x + 0.5 - cx[pick]) * slope_x[pick] + (y + 0.5 - cy[pick]) * slope_y[pick]
    return near.float()


def visible(ids: Tensor, points: Tensor, triangles: Tensor) -> Tensor:
    """[B, V] bool, see `batch.visibility`; `ids` [B, H, W] are the drawn triangles."""
    height, width = ids.shape[1:]
    points = points.double()
    x, y = points[..., 0], points[..., 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    column, row = ((side - 0.5).floor().nan_to_num().long() for side in (x, y))
    item = torch.arange(len(ids), device=ids.device)[:, None]
    clear = torch.zeros_like(column)
    for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
        drawn = ids[item, (row + down).clamp(0, height - 1), (column + right).clamp(0, width - 1)]
        clear += _clear(points, triangles, drawn.long(), item)
    return _facing(points, triangles) & inside & (clear >= CLEAR)


def _clear(points: Tensor, triangles: Tensor, drawn: Tensor, item: Tensor) -> Tensor:
    """[B, V]: `CLEAR` when `drawn` touches the vertex, 1 when it is none or does not hide it, else 0."""
    ids = triangles[drawn.clamp(min=0)]  # [B, V, 3]
    own = (ids == torch.arange(points.shape[1], device=ids.device)[:, None]).any(-1)
    corners = points[item[..., None], ids]  # [B, V, 3, 3]
    (ax, ay), (bx, by) = ((corners[..., n, :2] - corners[..., 2, :2]).unbind(-1) for n in range(2))
    x, y = (points[..., :2] - corners[..., 2, :2]).unbind(-1)
    area = ax * by - ay * bx
    a, b = (x * by - y * bx) / area, (y * ax - x * ay) / area
    inverse = 1 / corners[..., 2]
    plane = (torch.stack([a, b, 1 - a - b], -1) * inverse).sum(-1)
    plane = torch.minimum(torch.maximum(plane, inverse.amin(-1)), inverse.amax(-1))
    free = (drawn < 0) | (1 / points[..., 2] >= plane * (1 - SLACK))
    return torch.where(own & (drawn >= 0), CLEAR, free.long())


def _facing(points: Tensor, triangles: Tensor) -> Tensor:
    """[B, V] bool: a triangle of the vertex can be drawn."""
    corners = points.double()[:, triangles]  # [B, T, 3, 3]
    front = (_area(corners) < 0) & (corners[..., 2] > NEAR).all(-1)
    item, triangle = front.nonzero(as_tuple=True)
    facing = torch.zeros(points.shape[:2], dtype=torch.bool, device=points.device)
    facing[item[:, None], triangles[triangle]] = True
    return facing


def _area(corners: Tensor) -> Tensor:
    """Twice the signed area [...] of `corners` [..., 3, 3]; negative for a triangle that faces the camera."""
    u, v = (corners[..., n, :2] - corners[..., 0, :2] for n in (1, 2))
    area: Tensor = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
    return area


def normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Area-weighted unit normals of `vertices` [B, V, 3]; zero for a vertex without area."""
    a, b, c = (vertices[:, triangles[:, n]] for n in range(3))
    area = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for n in range(3):
        total = total.index_add(1, triangles[:, n], area)
    length = torch.linalg.vector_norm(total, dim=-1, keepdim=True)
    unit: Tensor = total / length.clamp(min=torch.finfo(total.dtype).tiny)
    return unit

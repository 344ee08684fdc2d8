"""Baking: the head's look as images over its texture coordinates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import distance_transform_edt, zoom

from blender_addon.protocol.tensorfile import Array
from models.kernel import kernel
from models.srgb import linear_to_srgb

from .mesh import Floats, HeadMesh, Ints
from .paint import paint
from .palette import Look
from .samples import Samples, vertex_samples

SIZE, ROUGHNESS_SIZE = 1024, 512
BUMP_STEP = 0.6 / 255  # mm of height per step of the bump image, whose 128 is the mesh's own surface


def textures(mesh: HeadMesh, uv: Floats) -> Mapping[str, Array]:
    """`albedo` [n, n, 3] sRGB, `roughness` and `bump` [n, n, 1], u8, for corners `uv` [P, 4, 2]."""
    look = _look(mesh, uv, SIZE)
    roughness = zoom(
        look.roughness.reshape(SIZE, SIZE), ROUGHNESS_SIZE / SIZE, order=1, grid_mode=True, mode="nearest"
    )
    return {
        "albedo": _bytes(linear_to_srgb(look.albedo)).reshape(SIZE, SIZE, 3),
        "roughness": _bytes(roughness)[..., None],
        "bump": _bytes((128 + look.height / BUMP_STEP) / 255).reshape(SIZE, SIZE, 1),
    }


def _look(mesh: HeadMesh, uv: Floats, size: int) -> Look:
    """The look of size * size texels, row by row from above; texels off the islands repeat the nearest."""
    triangles, corners = _triangles(mesh, uv)
    row, weights = cover(corners, size)
    drawn = row >= 0
    at = triangles[row[drawn]]
    known = vertex_samples(mesh)
    values: Floats = np.einsum("nk,nkc->nc", weights[drawn], known.values[at])
    look = paint(Samples(known.part[at[:, 0]], known.cornea[at[:, 0]], values))
    number = np.zeros((size, size), np.int64)
    number[drawn] = np.arange(len(at))
    nearest = distance_transform_edt(~drawn, return_distances=False, return_indices=True)
    spread = number[tuple(nearest)].ravel()
    return Look(look.albedo[spread], look.roughness[spread], look.height[spread])


def _triangles(mesh: HeadMesh, uv: Floats) -> tuple[Ints, Floats]:
    """Vertex ids [t, 3] and coordinates [t, 3, 2] of all triangles."""
    first, second = [0, 1, 2], [0, 2, 3]
    ids = np.concatenate([mesh.polygons[:, first], mesh.polygons[:, second]])
    corners = np.concatenate([uv[:, first], uv[:, second]])
    return ids, corners


def cover(corners: Floats, size: int) -> tuple[Ints, Floats]:
    """Which triangle [size, size] covers each texel's centre (-1: none), and its weights [size, size, 3].

    Args:
        corners: [t, 3, 2] counter-clockwise in 0-1; the first row of texels is at v = 1.
    """
    row = np.full((size, size), -1, np.int64)
    weights = np.zeros((size, size, 3))
    _cover(np.ascontiguousarray(corners), row, weights)
    return row, weights


@kernel
def _cover(corners: Floats, row: Ints, weights: Floats) -> None:
    size = row.shape[0]
    for t in range(corners.shape[0]):
        ax, ay = corners[t, 0, 0] * size, (1 - corners[t, 0, 1]) * size
        bx, by = corners[t, 1, 0] * size, (1 - corners[t, 1, 1]) * size
        cx, cy = corners[t, 2, 0] * size, (1 - corners[t, 2, 1]) * size
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-12:
            continue
        for y in range(max(int(min(ay, by, cy)), 0), min(int(max(ay, by, cy)) + 1, size)):
            for x in range(max(int(min(ax, bx, cx)), 0), min(int(max(ax, bx, cx)) + 1, size)):
                px, py = x + 0.5, y + 0.5
                a = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
                b = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
                c = 1.0 - a - b
                if a >= 0 and b >= 0 and c >= 0:
                    row[y, x] = t
                    weights[y, x, 0], weights[y, x, 1], weights[y, x, 2] = a, b, c


def _bytes(values: Floats) -> Array:
    """0-1 as u8."""
    coded: Array = np.clip(np.round(values * 255), 0, 255).astype(np.uint8)
    return coded

"""Surface maps: NCC, normals and UV per pixel, and texels back to triangles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from blender_addon.protocol.face import FaceFile
from models.face import load_head
from models.render.batch import Backend, rasterize_batch, visibility
from models.render.camera import Camera
from models.render.raster import vertex_normals
from models.render.surface import Surface, ncc, surface_maps, texel_raster
from models.render.triangles import Triangles

SIZE = 128


@pytest.fixture(scope="module")
def head() -> FaceFile:
    return load_head()


def test_ncc_spans_the_unit_cube_and_keeps_directions(head: FaceFile) -> None:
    colors = ncc(head)
    np.testing.assert_allclose(colors.min(0), 0, atol=1e-6)
    np.testing.assert_allclose(colors.max(0), 1, atol=1e-6)
    low, high = head.vertices.min(0), head.vertices.max(0)
    np.testing.assert_allclose(colors * (high - low) + low, head.vertices, atol=1e-6)


def test_every_polygon_is_drawn_and_ribbons_from_both_sides(head: FaceFile) -> None:
    """The corners of each polygon, as a set, come back in its triangles with their own UV."""
    drawn, surface = Triangles.of(head), Surface.of(head)
    expected = [
        tuple(polygon[corner] for corner in half)
        for half in ((0, 1, 2), (0, 2, 3))
        for polygon in head.polygons.tolist()
        if polygon[half[2]] >= 0
    ]
    assert list(map(tuple, drawn.ids[: drawn.fronts].tolist())) == expected
    ribbons = [head.material_names.index(name) for name in ("brows", "lashes")]
    one = np.isin(drawn.material[: drawn.fronts], ribbons)
    np.testing.assert_array_equal(drawn.ids[drawn.fronts :], drawn.ids[: drawn.fronts][one][:, ::-1])
    np.testing.assert_array_equal(surface.vertex[surface.entries], drawn.ids)
    np.testing.assert_allclose(surface.uv[surface.entries], drawn.uv, atol=1e-7)


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_a_ribbon_is_seen_from_both_sides_with_normals_toward_the_camera(
    head: FaceFile, backend: Backend
) -> None:
    """One polygon of a brow alone, from the front and from behind."""
    one = np.flatnonzero(head.material == head.material_names.index("brows"))[:1]
    face = replace(head, polygons=head.polygons[one], uv=head.uv[one], material=head.material[one])
    surface = Surface.of(face)
    corners = head.vertices[surface.triangles[0]].astype(float)
    x, y, z = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    yaw, pitch = np.degrees([np.arctan2(x, -y), np.arctan2(z, np.hypot(x, y))])
    middle = tuple(corners.mean(0).tolist())
    span = 3 * float(np.ptp(corners, axis=0).max())
    for camera in (Camera(middle, span, 0.9, yaw, pitch), Camera(middle, span, 0.9, yaw + 180, -pitch)):
        vertices = head.vertices[None]
        points = camera.project(head.vertices, SIZE, SIZE)[None]
        raster = rasterize_batch(points, surface.triangles, (SIZE, SIZE))
        if backend == "torch":
            maps = surface_maps(surface, torch.tensor(vertices), torch.tensor(points), (SIZE, SIZE))
            normal = maps.normal.numpy()
        else:
            normal = surface_maps(surface, vertices, points, (SIZE, SIZE)).normal
        drawn = raster.triangle[0] >= 0
        assert drawn.sum() > 50
        toward = camera.position() - corners.mean(0)
        assert (normal[0][drawn] @ toward / np.linalg.norm(toward) > 0.9).all()
        assert visibility(raster, points, surface.triangles)[0, surface.triangles[0]].all()


def test_maps_hold_what_the_triangle_holds(head: FaceFile) -> None:
    """Every pixel against weights applied in 64 bits to the corners: NCC, UV of the corner, unit normal."""
    surface, camera = Surface.of(head), Camera(yaw=20.0)
    vertices = (head.vertices + 0.6 * head.shapes[17])[None]
    points = camera.project(vertices[0], SIZE, SIZE)[None]
    maps = surface_maps(surface, vertices, points, (SIZE, SIZE))
    drawn = maps.raster.triangle[0] >= 0
    t = maps.raster.triangle[0][drawn]
    weights = maps.raster.bary[0][drawn].astype(float)
    weights = np.concatenate([weights, 1 - weights.sum(1, keepdims=True)], 1)[..., None]
    drawn_triangles = Triangles.of(head)
    triangles, uv = drawn_triangles.ids, drawn_triangles.uv
    np.testing.assert_allclose(maps.ncc[0][drawn], (weights * ncc(head)[triangles[t]]).sum(1), atol=1e-5)
    np.testing.assert_allclose(maps.uv[0][drawn], (weights * uv[t]).sum(1), atol=1e-5)
    side = np.where(t < drawn_triangles.fronts, 1, -1)[:, None]
    normals = vertex_normals(vertices[0], triangles[: drawn_triangles.fronts])
    normal = side * (weights * normals[triangles[t]]).sum(1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    np.testing.assert_allclose(maps.normal[0][drawn], normal, atol=1e-4)
    assert (maps.ncc[0][~drawn] == 0).all()
    assert (maps.normal[0][~drawn] == 0).all()


def test_ncc_stays_with_the_skin_as_the_head_turns(head: FaceFile) -> None:
    """The colour at a landmark's pixel is its vertex's, from any side."""
    surface = Surface.of(head)
    v = int(head.landmarks["nose_tip"])
    for yaw in (-30.0, 0.0, 30.0):
        points = Camera(yaw=yaw).project(head.vertices, 512, 512)[None]
        maps = surface_maps(surface, head.vertices[None], points, (512, 512))
        x, y = points[0, v, :2].astype(int)
        np.testing.assert_allclose(maps.ncc[0, y, x], ncc(head)[v], atol=0.02)


def test_tensor_maps_equal_array_maps(head: FaceFile) -> None:
    surface = Surface.of(head)
    points = Camera().project(head.vertices, SIZE, SIZE)[None]
    expected = surface_maps(surface, head.vertices[None], points, (SIZE, SIZE))
    vertices = torch.tensor(head.vertices[None])
    found = surface_maps(surface, vertices, torch.from_numpy(points), (SIZE, SIZE), backend="torch")
    assert (found.raster.triangle.numpy() == expected.raster.triangle).all()
    np.testing.assert_allclose(found.ncc.numpy(), expected.ncc, atol=1e-5)
    np.testing.assert_allclose(found.uv.numpy(), expected.uv, atol=1e-5)
    np.testing.assert_allclose(found.normal.numpy(), expected.normal, atol=2e-3)


def test_texels_come_back_to_their_own_uv(head: FaceFile) -> None:
    """The UV interpolated at a texel is the texel's place; mirrored charts included."""
    uv = Triangles.of(head).uv
    uv = np.concatenate([uv, uv[:500] * [-1, 1] + [1, 0]]).astype(np.float32)  # some mirrored ones
    width, height = 200, 300
    raster = texel_raster(uv, (width, height))
    drawn = raster.triangle >= 0
    assert drawn.mean() > 0.2
    weights = np.concatenate([raster.bary, 1 - raster.bary.sum(-1, keepdims=True)], -1)[drawn]
    found = (weights[..., None] * uv[raster.triangle[drawn]]).sum(1)
    row, column = np.nonzero(drawn)
    np.testing.assert_allclose(found[:, 0], (column + 0.5) / width, atol=1e-4)
    np.testing.assert_allclose(found[:, 1], 1 - (row + 0.5) / height, atol=1e-4)
    assert (weights > -1e-3).all()


def test_mirrored_texels_alone() -> None:
    uv = np.array([[[0, 0], [0, 1], [1, 0]], [[1, 1], [0, 1], [1, 0]]], np.float32)
    raster = texel_raster(uv, (16, 16))
    assert set(np.unique(raster.triangle)) == {0, 1}

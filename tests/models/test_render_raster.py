"""The rasteriser against a brute-force loop over pixels and triangles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.render.camera import Camera
from models.render.raster import Raster, interpolate, rasterize, vertex_normals

WIDTH, HEIGHT = 24, 18


def brute_force(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth, id and perspective-correct barycentrics by solving each pixel's ray with each triangle's plane.

    Screen points are lifted to a pinhole camera of focal length 1 pixel at the picture's middle.
    """
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    world = np.concatenate([(points[:, :2] - middle) * points[:, 2:], points[:, 2:]], 1)
    depth = np.full((HEIGHT, WIDTH), np.inf)
    ids = np.full((HEIGHT, WIDTH), -1)
    bary = np.zeros((HEIGHT, WIDTH, 3))
    for t, triangle in enumerate(triangles):
        a, b, c = world[triangle]
        if np.linalg.det(np.stack([a, b, c])) >= 0:
            continue
        for y in range(HEIGHT):
            for x in range(WIDTH):
                ray = np.array([x + 0.5 - middle[0], y + 0.5 - middle[1], 1.0])
                share = np.linalg.solve(np.stack([a, b, c], 1), ray)
                if (share >= 0).all():
                    distance = 1.0 / share.sum()
                    if distance < depth[y, x]:
                        depth[y, x], ids[y, x], bary[y, x] = distance, t, share * distance
    return depth, ids, bary


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_agrees_with_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = (-4, -4, 0.5), (WIDTH + 4, HEIGHT + 4, 3.0)
    points = rng.uniform(low, high, (24, 3)).astype(np.float32)
    triangles = rng.permutation(24).reshape(8, 3).astype(np.int32)
    raster = Raster.empty(WIDTH, HEIGHT)
    rasterize(points, triangles, raster)
    depth, ids, bary = brute_force(points.astype(float), triangles)
    agree = raster.triangle == ids
    assert agree.mean() > 0.99  # an edge through a pixel centre may fall either way
    drawn = agree & (ids >= 0)
    np.testing.assert_allclose(raster.depth[drawn], depth[drawn], rtol=1e-3)
    np.testing.assert_allclose(raster.bary[drawn], bary[drawn][:, :2], atol=5e-3)


def test_interpolation_is_perspective_correct() -> None:
    points = np.array([[2, 2, 1], [2, 16, 1], [22, 2, 4]], np.float32)
    triangles = np.array([[0, 1, 2]], np.int32)
    raster = Raster.empty(WIDTH, HEIGHT)
    rasterize(points, triangles, raster)
    values = interpolate(raster, triangles, points[:, 2:])[..., 0]
    drawn = raster.triangle >= 0
    assert drawn.sum() > 50
    np.testing.assert_allclose(values[drawn], raster.depth[drawn], rtol=1e-4)
    assert (values[~drawn] == 0).all()


def test_nearer_triangle_hides_and_back_faces_are_not_drawn() -> None:
    near = [[0, 0, 1], [0, 18, 1], [24, 0, 1]]
    far = [[0, 0, 2], [0, 18, 2], [24, 0, 2]]
    points = np.array(far + near, np.float32)
    raster = Raster.empty(WIDTH, HEIGHT)
    rasterize(points, np.array([[0, 1, 2], [3, 4, 5]], np.int32), raster)
    assert set(np.unique(raster.triangle)) == {-1, 1}
    rasterize(points, np.array([[2, 1, 0]], np.int32), raster)
    assert (raster.triangle == -1).all()
    assert np.isinf(raster.depth).all()


def test_triangles_behind_the_camera_are_not_drawn() -> None:
    points = np.array([[0, 0, 1], [0, 18, -1], [24, 0, 1]], np.float32)
    raster = Raster.empty(WIDTH, HEIGHT)
    rasterize(points, np.array([[0, 1, 2]], np.int32), raster)
    assert (raster.triangle == -1).all()


def test_normals_of_a_sphere_point_outwards() -> None:
    theta, phi = np.meshgrid(np.linspace(0.1, 3.04, 30), np.linspace(0, 2 * np.pi, 61)[:-1], indexing="ij")
    sphere = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)
    quads = [
        (i * 60 + j, (i + 1) * 60 + j, (i + 1) * 60 + (j + 1) % 60, i * 60 + (j + 1) % 60)
        for i in range(29)
        for j in range(60)
    ]
    triangles = np.array([t for q in quads for t in ((q[0], q[1], q[2]), (q[0], q[2], q[3]))], np.int32)
    points = sphere.reshape(-1, 3).astype(np.float32)
    normals = vertex_normals(points, triangles)
    inner = slice(60, -60)
    np.testing.assert_allclose(normals[inner], points[inner], atol=0.02)


@pytest.mark.parametrize("yaw", [0.0, 35.0, -90.0])
def test_camera_projects_its_target_to_the_middle(yaw: float) -> None:
    camera = Camera(target=(0.01, -0.02, 0.03), span=0.3, distance=0.9, yaw=yaw, pitch=10.0)
    middle = camera.project(np.array([camera.target], np.float32), 64, 48)[0]
    np.testing.assert_allclose(middle, [32, 24, 0.9], atol=1e-4)
    np.testing.assert_allclose(camera.axes() @ camera.axes().T, np.eye(3), atol=1e-12)
    above = np.add(camera.target, (0, 0, 0.05))
    assert camera.project(above[None].astype(np.float32), 64, 48)[0, 1] < 24


def test_camera_in_front_sees_the_subjects_left_on_the_right() -> None:
    camera = Camera(target=(0.0, 0.0, 0.0), yaw=0.0, pitch=0.0)
    left = camera.project(np.array([[0.05, 0, 0]], np.float32), 100, 100)[0]
    assert left[0] > 50

"""The rasteriser against rays, shared edges drawn once, and input that no rasteriser likes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.protocol.errors import InputError
from models.render.camera import Camera
from models.render.raster import Raster, interpolate, rasterize, vertex_normals
from tests.models.raster_reference import near_edge, trace

WIDTH, HEIGHT = 24, 18
seeds = st.integers(0, 2**32 - 1)


def draw(points: np.ndarray, triangles: np.ndarray, width: int = WIDTH, height: int = HEIGHT) -> Raster:
    raster = Raster.empty(width, height)
    raster.bary.fill(np.nan)  # what a reused buffer holds must not matter
    rasterize(np.asarray(points, np.float32), np.asarray(triangles, np.int32), raster)
    return raster


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_agrees_with_rays(seed: int) -> None:
    """Triangles of any size through each other; depth and weights to 1e-4 where the triangle is the same."""
    rng = np.random.default_rng(seed)
    low, high = (-9, -9, 0.5), (WIDTH + 9, HEIGHT + 9, 3.0)
    points = rng.uniform(low, high, (36, 3)).astype(np.float32)
    triangles = rng.permutation(36).reshape(12, 3)
    raster, rays = draw(points, triangles), trace(points, triangles, WIDTH, HEIGHT)
    clear = ~near_edge(points, triangles, WIDTH, HEIGHT, 1e-3)
    assert clear.mean() > 0.9
    agree = raster.triangle == rays.triangle
    assert agree[clear & ~rays.contested].all()
    drawn = agree & (rays.triangle >= 0)
    np.testing.assert_allclose(raster.depth[drawn], rays.depth[drawn], rtol=1e-4)
    np.testing.assert_allclose(raster.bary[drawn], rays.bary[drawn][:, :2], atol=1e-4)
    assert (raster.bary[raster.triangle < 0] == 0).all()
    assert np.isinf(raster.depth[raster.triangle < 0]).all()


@settings(max_examples=40, deadline=None)
@given(seed=seeds, quarter=st.booleans())
def test_a_fan_covers_each_pixel_once(seed: int, quarter: bool) -> None:
    """Triangles round a point tile a rectangle: one by one they draw each pixel exactly once.

    With corners on quarter pixels many edges and corners lie exactly on pixel centres.
    """
    rng = np.random.default_rng(seed)
    rim = rng.uniform(0, 1, (17, 1)) * [[WIDTH, HEIGHT]]
    side = rng.integers(0, 4, 17)
    rim[side == 0, 0], rim[side == 1, 0], rim[side == 2, 1], rim[side == 3, 1] = 0, WIDTH, 0, HEIGHT
    rim = np.concatenate([rim, [[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]]])
    middle = rng.uniform((4, 4), (WIDTH - 4, HEIGHT - 4))
    if quarter:
        rim, middle = np.round(rim * 4) / 4, np.round(middle * 4) / 4
    around = np.argsort(np.arctan2(*(rim - middle).T))
    flat = np.concatenate([[middle], rim[around]])
    points = np.concatenate([flat, rng.uniform(1, 2, (len(flat), 1))], 1)
    count = np.zeros((HEIGHT, WIDTH), int)
    for n in range(len(rim)):
        triangle = np.array([[0, 1 + n, 1 + (n + 1) % len(rim)]])
        sides = [draw(points, corners).triangle >= 0 for corners in (triangle, triangle[:, ::-1])]
        assert not (sides[0].any() and sides[1].any())  # a triangle has one front
        count += sides[0] | sides[1]
    assert (count == 1).all()


def test_weights_and_depth_are_perspective_correct() -> None:
    """A floor that runs away from the camera: the world's x and z, interpolated, are the ray's."""
    world = np.array([[-2, 1, 1.2], [2, 1, 1.2], [3, 1, 30], [-4, 1, 30]])  # +y down, +z ahead
    focal, middle = 20.0, np.array([WIDTH / 2, 4])
    points = np.concatenate([world[:, :2] / world[:, 2:] * focal + middle, world[:, 2:]], 1)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    raster = draw(points, triangles)
    drawn = raster.triangle >= 0
    assert drawn.sum() > 60
    found = interpolate(raster, triangles, world)[drawn]
    row, column = np.nonzero(drawn)
    depth = focal / (row + 0.5 - middle[1])  # where a ray meets the floor y = 1
    np.testing.assert_allclose(found[:, 2], depth, rtol=1e-4)
    np.testing.assert_allclose(raster.depth[drawn], depth, rtol=1e-4)
    np.testing.assert_allclose(found[:, 0], (column + 0.5 - middle[0]) / focal * depth, atol=2e-4)


def test_interpolation_fills_given_memory_and_takes_corner_values() -> None:
    points = np.array([[2, 2, 1], [2, 16, 1], [22, 2, 4], [22, 16, 2]])
    triangles = np.array([[0, 1, 2], [2, 1, 3]], np.int32)
    raster = draw(points, triangles)
    values = np.random.default_rng(0).random((4, 11)).astype(np.float32)
    whole = interpolate(raster, triangles, values)
    memory = np.full_like(whole, np.nan)
    assert interpolate(raster, triangles, values, memory) is memory
    np.testing.assert_array_equal(memory, whole)
    assert (whole[raster.triangle < 0] == 0).all()
    corners = values[triangles].reshape(-1, 11)
    split = interpolate(raster, np.arange(6, dtype=np.int32).reshape(2, 3), corners)
    np.testing.assert_array_equal(split, whole)


def test_nearer_triangle_hides_and_back_faces_are_not_drawn() -> None:
    near = [[0, 0, 1], [0, 18, 1], [24, 0, 1]]
    far = [[0, 0, 2], [0, 18, 2], [24, 0, 2]]
    points = np.array(far + near)
    assert set(np.unique(draw(points, [[0, 1, 2], [3, 4, 5]]).triangle)) == {-1, 1}
    assert set(np.unique(draw(points, [[3, 4, 5], [0, 1, 2]]).triangle)) == {-1, 0}
    assert set(np.unique(draw(points, [[0, 1, 2], [0, 1, 2]]).triangle)) == {-1, 0}  # equal: the first
    assert (draw(points, [[2, 1, 0]]).triangle == -1).all()


@pytest.mark.parametrize("depth", [-1.0, 0.0, 1e-7, np.nan, np.inf])
def test_a_corner_behind_the_camera_or_nowhere_drops_the_triangle(depth: float) -> None:
    assert (draw([[0, 0, 1], [0, 18, depth], [24, 0, 1]], [[0, 1, 2]]).triangle == -1).all()


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_wild_numbers_end_and_stay_inside(seed: int) -> None:
    """NaN, infinities, huge and tiny coordinates beside good ones: finite results, good triangle drawn."""
    rng = np.random.default_rng(seed)
    wild = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e30, -1e30, 9e6, -9e6, 1e-30, 0.5, 12.5, 3])
    points = np.concatenate([rng.choice(wild, (30, 3)), [[0, 0, 50], [0, 18, 50], [24, 0, 50]]])
    triangles = np.concatenate([rng.integers(0, 33, (200, 3)), [[30, 31, 32]]])
    raster = draw(points, triangles)
    drawn = raster.triangle >= 0
    assert drawn[1, 1]
    assert (raster.depth[drawn] > 0).all()
    assert np.isfinite(raster.bary).all()


def test_huge_degenerate_and_tiny_triangles() -> None:
    huge = [[-8e6, -9e6, 2], [-9e6, 9e6, 2], [9e6, 0, 2]]
    raster = draw(huge, [[0, 1, 2]])
    assert (raster.triangle == 0).all()
    np.testing.assert_allclose(raster.depth, 2, rtol=1e-5)
    line = [[1, 1, 1], [12, 9, 1], [23, 17, 1]]
    assert (draw(line, [[0, 1, 2], [2, 1, 0], [0, 0, 1], [1, 1, 1]]).triangle == -1).all()
    between = np.array([[3.6, 3.6, 1], [3.6, 4.4, 1], [4.4, 3.6, 1]])  # no pixel centre inside
    assert (draw(between, [[0, 1, 2]]).triangle == -1).all()
    around = np.array([[3.4, 3.4, 1], [3.4, 3.7, 1], [3.7, 3.4, 1]])  # one
    assert (draw(around, [[0, 1, 2]]).triangle >= 0).sum() == 1


def test_empty_meshes_and_impossible_sizes() -> None:
    none = np.zeros((0, 3), np.int32)
    assert (draw(np.zeros((0, 3)), none).triangle == -1).all()
    assert np.isinf(draw(np.ones((3, 3)), none).depth).all()
    assert draw([[0, 0, 1], [0, 9, 1], [9, 0, 1]], [[0, 1, 2]], 1, 1).triangle[0, 0] == 0
    with pytest.raises(InputError, match="pixels"):
        Raster.empty(40000, 10)


def test_many_large_triangles_are_drawn_in_bounded_scratch() -> None:
    """More fragments than the scratch holds: full-screen triangles ever nearer, the last one wins."""
    corner = np.array([[0, 0, 1], [0, 400, 1], [400, 0, 1]], float)
    points = np.concatenate([corner * [1, 1, 1 + 1 / (n + 1)] for n in range(40)])
    raster = draw(points, np.arange(120).reshape(40, 3), 200, 200)
    assert (raster.triangle == 39).all()


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

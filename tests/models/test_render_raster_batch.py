"""The batch rasteriser: backends against each other and against rays, on random meshes and on the head."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.protocol.errors import InputError, MissingExtraError
from blender_addon.protocol.face import FaceFile
from models.face import load_head
from models.render.batch import (
    Backend,
    RasterBatch,
    interpolate_batch,
    normals_batch,
    rasterize_batch,
    visibility,
)
from models.render.camera import Camera
from models.render.raster import Raster, rasterize, vertex_normals
from models.render.triangles import Triangles
from tests.models.raster_reference import trace

SIZE = (40, 30)


@pytest.fixture(scope="module")
def head() -> FaceFile:
    return load_head()


def random_mesh(seed: int, batch: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    points = rng.uniform((-9, -9, 0.5), (SIZE[0] + 9, SIZE[1] + 9, 3), (batch, 60, 3))
    return points.astype(np.float32), rng.integers(0, 60, (50, 3)).astype(np.int32)


def tensors(*arrays: np.ndarray) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(array) for array in arrays)


def assert_equal(found: RasterBatch, expected: RasterBatch, share: float = 1.0) -> None:
    """The same triangle on `share` of the pixels; there depth and weights to 1e-5."""
    same = np.asarray(found.triangle) == np.asarray(expected.triangle)
    assert same.mean() >= share
    drawn = same & (np.asarray(expected.triangle) >= 0)
    np.testing.assert_allclose(np.asarray(found.depth)[drawn], np.asarray(expected.depth)[drawn], rtol=1e-5)
    np.testing.assert_allclose(np.asarray(found.bary)[drawn], np.asarray(expected.bary)[drawn], atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_torch_draws_what_numba_draws(seed: int) -> None:
    points, triangles = random_mesh(seed)
    points[0, :5] = [[np.nan, 0, 1], [3, 3, -1], [1e30, 0, 1], [-9e6, 4, 2], [5, np.inf, 1]]
    points[1, :, :2] = np.round(points[1, :, :2] * 2) / 2  # edges on pixel centres
    expected = rasterize_batch(points, triangles, SIZE, backend="numba")
    found = rasterize_batch(*tensors(points, triangles), SIZE, backend="torch")
    assert_equal(found, expected, share=0.999)
    assert torch.isinf(found.depth[found.triangle < 0]).all()


def test_batch_is_its_items_and_arrays_are_tensors() -> None:
    points, triangles = random_mesh(1)
    whole = rasterize_batch(points, triangles, SIZE)
    for n, item in enumerate(points):
        single = Raster.empty(*SIZE)
        rasterize(item, triangles, single)
        np.testing.assert_array_equal(whole.triangle[n], single.triangle)
        np.testing.assert_array_equal(whole.bary[n], single.bary)
        np.testing.assert_array_equal(whole.depth[n], single.depth)
    assert (whole.triangle[0] != whole.triangle[1]).any()
    assert_equal(rasterize_batch(*tensors(points, triangles), SIZE), whole)
    by_torch = rasterize_batch(points, triangles, SIZE, backend="torch")
    assert isinstance(by_torch.depth, np.ndarray)
    assert_equal(by_torch, whole)


def test_two_threads_draw_what_one_does() -> None:
    points, triangles = random_mesh(2, batch=8)
    with ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(lambda half: rasterize_batch(half, triangles, SIZE), np.split(points, 2)))
    whole = rasterize_batch(points, triangles, SIZE)
    np.testing.assert_array_equal(np.concatenate([part.triangle for part in parts]), whole.triangle)


def test_torch_in_many_parts_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    points, triangles = random_mesh(3)
    whole = rasterize_batch(*tensors(points, triangles), SIZE, backend="torch")
    monkeypatch.setattr("models.render.torch_raster.FRAGMENTS_AT_ONCE", 100)
    parts = rasterize_batch(*tensors(points, triangles), SIZE, backend="torch")
    assert torch.equal(whole.triangle, parts.triangle)


def test_head_agrees_with_rays(head: FaceFile) -> None:
    """On the head at 48 x 48, 99.9% of the pixels show the triangle that the pixel's ray meets first."""
    triangles = Triangles.of(head).ids
    camera = Camera(yaw=25.0)
    points = camera.project(head.vertices, 48, 48)
    drawn = rasterize_batch(points[None], triangles, (48, 48))
    rays = trace(points, triangles, 48, 48)
    assert (drawn.triangle[0] == rays.triangle).mean() >= 0.999
    assert (rays.triangle >= 0).mean() > 0.3
    covered = (drawn.triangle[0] == rays.triangle) & (rays.triangle >= 0)
    np.testing.assert_allclose(drawn.depth[0][covered], rays.depth[covered], rtol=1e-5)


def test_head_by_torch_and_numba(head: FaceFile) -> None:
    triangles = Triangles.of(head).ids
    points = np.stack([Camera(yaw=yaw).project(head.vertices, 256, 256) for yaw in (0.0, 60.0)])
    expected = rasterize_batch(points, triangles, (256, 256))
    found = rasterize_batch(*tensors(points, triangles), (256, 256), backend="torch")
    assert_equal(found, expected, share=0.9999)


@pytest.mark.parametrize("shared", [True, False])
def test_interpolation_of_a_batch(shared: bool) -> None:
    """Against weights applied by hand; one set of attributes for all items or one each."""
    points, triangles = random_mesh(4)
    values = np.random.default_rng(0).random((1 if shared else 3, 60, 5)).astype(np.float32)
    drawn = rasterize_batch(points, triangles, SIZE)
    found = interpolate_batch(drawn, triangles, values)
    weights = np.concatenate([drawn.bary, 1 - drawn.bary.sum(-1, keepdims=True)], -1)
    for n in range(3):
        corners = values[0 if shared else n][triangles[drawn.triangle[n]]]
        expected = np.where((drawn.triangle[n] >= 0)[..., None], (weights[n][..., None] * corners).sum(-2), 0)
        np.testing.assert_allclose(found[n], expected, atol=1e-6)
    by_torch = rasterize_batch(*tensors(points, triangles), SIZE, backend="torch")
    again = interpolate_batch(by_torch, *tensors(triangles, values))
    np.testing.assert_allclose(again.numpy(), found, atol=2e-6)


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_gradients_are_those_of_finite_differences(backend: Backend) -> None:
    triangles = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    points = torch.tensor([[[2.2, 1.1, 1.0], [4.4, 26.3, 2.0], [37.1, 9.2, 3.0]]])
    values = torch.tensor([[[1.0], [5.0], [-2.0]]], requires_grad=True)
    weight = torch.rand((1, SIZE[1], SIZE[0], 1), generator=torch.Generator().manual_seed(0))

    def total(at: torch.Tensor) -> torch.Tensor:
        drawn = rasterize_batch(at, triangles, SIZE, backend=backend)
        inside = drawn.depth.isfinite()
        return (interpolate_batch(drawn, triangles, values) * weight).sum() + drawn.depth[inside].sum()

    moving = points.clone().requires_grad_()
    total(moving).backward()
    assert values.grad is not None
    assert moving.grad is not None
    for corner, axis in ((0, 2), (1, 2), (2, 2)):  # a change of depth leaves the covered pixels alone
        step = torch.zeros_like(points)
        step[0, corner, axis] = 1e-2
        slope = (total(points + step) - total(points - step)).item() / 2e-2
        assert moving.grad[0, corner, axis].item() == pytest.approx(slope, rel=2e-3)
    assert (moving.grad[..., :2].abs() > 0).all()
    assert (values.grad.abs() > 0).all()


def test_batched_normals(head: FaceFile) -> None:
    drawn = Triangles.of(head)
    triangles = drawn.ids[: drawn.fronts]
    vertices = np.stack([head.vertices, head.vertices + head.shapes[17]])
    found = normals_batch(vertices, triangles)
    np.testing.assert_array_equal(found[1], vertex_normals(vertices[1], triangles))
    by_torch = normals_batch(*tensors(vertices.astype(np.float64), triangles)).numpy()
    np.testing.assert_allclose(found, by_torch, atol=2e-4)
    faces = np.cross(*(vertices[0][triangles[:, n]] - vertices[0][triangles[:, 0]] for n in (1, 2)))
    v = int(head.landmarks["nose_tip"])
    mean = faces[(triangles == v).any(1)].sum(0)
    np.testing.assert_allclose(found[0, v], mean / np.linalg.norm(mean), atol=1e-4)


def first_hit(origin: np.ndarray, targets: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Parts of the way to each target [N] after which `corners` [T, 3, 3] are met (Möller, Trumbore 1997)."""
    nearest = np.full(len(targets), np.inf)
    a, u, v = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    for n, target in enumerate(targets):
        way = target - origin
        p = np.cross(way, v)
        scale = 1 / np.where((u * p).sum(1) == 0, np.inf, (u * p).sum(1))
        s = ((origin - a) * p).sum(1) * scale
        q = np.cross(origin - a, u)
        t = (q @ way) * scale
        far = (v * q).sum(1) * scale
        hit = (s >= 0) & (t >= 0) & (s + t <= 1) & (scale > 0) & (far > 0)
        nearest[n] = far[hit].min(initial=np.inf)
    return nearest


def test_visibility_agrees_with_ray_casting(head: FaceFile) -> None:
    """To rays, a vertex is visible when it has a front side and nothing is met 0.5 mm before it.

    Hairs are thinner than a pixel: fewer of their vertices agree.
    """
    triangles = Triangles.of(head).ids
    camera = Camera(yaw=30.0)
    some = np.arange(0, len(head.vertices), 40)
    corners, origin = head.vertices[triangles].astype(float), camera.position()
    met = first_hit(origin, head.vertices[some].astype(float), corners)
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    front = ((origin - corners[:, 0]) * outward).sum(1) > 0
    clear = np.isin(some, triangles[front]) & (met > 1 - 0.0005 / camera.distance)
    hair = np.isin(head.region[some], [head.region_names.index(name) for name in ("brows", "lashes")])
    for pixels, share, of_hair in ((256, 0.97, 0.8), (768, 0.98, 0.85)):
        points = camera.project(head.vertices, pixels, pixels)[None]
        drawn = rasterize_batch(points, triangles, (pixels, pixels))
        seen = visibility(drawn, points, triangles)
        inside = ((points[0, some, :2] >= 0) & (points[0, some, :2] < pixels)).all(1)
        assert 0.2 < (inside & clear)[~hair].mean() < 0.6
        agrees = seen[0, some] == (inside & clear)
        assert agrees[~hair].mean() > share
        assert agrees[hair].mean() > of_hair
        by_torch = visibility(drawn_tensor(drawn), *tensors(points, triangles))
        assert (seen == by_torch.numpy()).mean() > 0.9999


def drawn_tensor(drawn: RasterBatch) -> RasterBatch:
    return RasterBatch(*tensors(drawn.depth, drawn.triangle, drawn.bary))


def test_empty_and_wrong_input_says_so() -> None:
    none, points = np.zeros((0, 3), np.int32), np.ones((2, 4, 3), np.float32)
    for backend in ("numba", "torch"):
        assert (rasterize_batch(points, none, SIZE, backend=backend).triangle == -1).all()
        assert rasterize_batch(points[:0], none, SIZE, backend=backend).triangle.shape == (0, 30, 40)
    with pytest.raises(InputError, match="points"):
        rasterize_batch(points[0], none, SIZE)
    with pytest.raises(InputError, match="vertex outside"):
        rasterize_batch(points, np.array([[0, 1, 4]], np.int32), SIZE)
    with pytest.raises(InputError, match="pixels"):
        rasterize_batch(points, none, (0, 5))
    with pytest.raises(InputError, match="no rasteriser"):
        rasterize_batch(points, none, SIZE, backend="other")  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["pytorch3d", "nvdiffrast"])
def test_a_missing_library_is_named(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pytorch3d.structures", "nvdiffrast.torch"):
        monkeypatch.setitem(sys.modules, name, None)
    points, triangles = random_mesh(5)
    with pytest.raises(MissingExtraError, match="not installed"):
        rasterize_batch(points, triangles, SIZE, backend=backend)


def test_pytorch3d_draws_what_numba_draws(head: FaceFile) -> None:
    pytest.importorskip("pytorch3d", reason="the extra pytorch3d is not installed")
    points, triangles = random_mesh(6)
    expected = rasterize_batch(points, triangles, SIZE)
    assert_equal(rasterize_batch(points, triangles, SIZE, backend="pytorch3d"), expected, share=0.999)
    faces = Triangles.of(head).ids
    on_screen = Camera(yaw=20.0).project(head.vertices, 128, 96)[None]
    expected = rasterize_batch(on_screen, faces, (128, 96))
    assert_equal(rasterize_batch(on_screen, faces, (128, 96), backend="pytorch3d"), expected, share=0.999)


def test_nvdiffrast_draws_what_numba_draws() -> None:
    pytest.importorskip("nvdiffrast", reason="nvdiffrast is not installed")
    if not torch.cuda.is_available():
        pytest.skip("nvdiffrast needs an NVIDIA GPU")
    points, triangles = random_mesh(7)
    expected = rasterize_batch(points, triangles, SIZE)
    found = rasterize_batch(*(part.cuda() for part in tensors(points, triangles)), SIZE, backend="nvdiffrast")
    on_cpu = RasterBatch(found.depth.cpu(), found.triangle.cpu(), found.bary.cpu())
    assert_equal(on_cpu, expected, share=0.99)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_draws_what_the_cpu_draws(head: FaceFile) -> None:
    triangles = Triangles.of(head).ids
    points = Camera().project(head.vertices, 256, 256)[None]
    found = rasterize_batch(*(part.cuda() for part in tensors(points, triangles)), (256, 256))
    assert found.triangle.is_cuda
    on_cpu = RasterBatch(found.depth.cpu(), found.triangle.cpu(), found.bary.cpu())
    assert_equal(on_cpu, rasterize_batch(points, triangles, (256, 256)), share=0.9999)

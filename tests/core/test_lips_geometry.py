"""Surfaces, the lip chart and the spreading of handles, without a head: against closed forms and SciPy."""

import numpy as np
import pytest
import scipy.sparse as sparse
from scipy.sparse.csgraph import connected_components

from blender_addon.lips.canonical import LipCoordinates, locate
from blender_addon.lips.solve import sticky_contact
from blender_addon.lips.spread import laplacian_rows, spread_matrix
from blender_addon.lips.surface import (
    Patch,
    components,
    distances,
    edges_of,
    harmonic,
    patch_of,
    triangles_of,
)

SIDE = 21


def sheet(side=SIDE, jitter=0.25, seed=0):
    """A flat square metre of quads with moved vertices: vertices [n, 3], polygons [P, 4]."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side), indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), np.zeros(side * side)], 1)
    inner = (points[:, :2] > 0).all(1) & (points[:, :2] < 1).all(1)
    points[inner, :2] += rng.uniform(-jitter, jitter, (inner.sum(), 2)) / side
    ids = np.arange(side * side).reshape(side, side)
    quads = np.stack([ids[:-1, :-1], ids[1:, :-1], ids[1:, 1:], ids[:-1, 1:]], -1).reshape(-1, 4)
    return points, quads


@pytest.fixture(scope="module")
def patch() -> Patch:
    points, quads = sheet()
    return patch_of(points, quads, np.arange(len(points)))


def test_triangles_and_edges_of_mixed_polygons():
    polygons = np.array([[0, 1, 2, 3], [2, 1, 4, -1]])
    assert {tuple(sorted(t)) for t in triangles_of(polygons)} == {
        *((0, 1, 2), (1, 2, 3), (0, 2, 3), (0, 1, 3), (1, 2, 4))
    }
    assert edges_of(polygons).tolist() == [[0, 1], [0, 3], [1, 2], [1, 4], [2, 3], [2, 4]]


def test_distance_from_a_line_is_exact_and_from_a_point_nearly(patch):
    line = np.flatnonzero(patch.points[:, 0] == 0)
    np.testing.assert_allclose(distances(patch, line), patch.points[:, 0], atol=1e-3)
    corner = np.flatnonzero((patch.points[:, :2] == 0).all(1))
    far = np.linalg.norm(patch.points, axis=1)
    assert np.abs(distances(patch, corner) - far).max() < 0.05
    assert (distances(patch, corner) >= far - 1e-9).all()


def test_harmonic_functions_reproduce_linear_ones(patch):
    rim = np.flatnonzero(((patch.points[:, :2] == 0) | (patch.points[:, :2] == 1)).any(1))
    linear = patch.points[:, :2] @ np.array([[2.0], [-3.0]])
    np.testing.assert_allclose(harmonic(patch, rim, linear[rim]), linear, atol=5e-2)


def test_components_agree_with_scipy(patch):
    wall = np.flatnonzero(np.abs(patch.points[:, 0] - 0.5) < 0.03)
    label = components(patch, wall)
    kept = patch.edges[~np.isin(patch.edges, wall).any(1)]
    n = len(patch.points)
    graph = sparse.coo_matrix((np.ones(len(kept)), kept.T), (n, n))
    expected = connected_components(graph, directed=False)[1]
    free = np.setdiff1d(np.arange(n), wall)
    pairs = {(int(label[i]), int(expected[i])) for i in free}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) >= 2
    assert (label[wall] == -1).all()


def test_spreading_minimises_its_energy():
    """Against a dense least-squares solution of the same three terms."""
    points, quads = sheet(9)
    index = np.setdiff1d(np.arange(len(points)), np.arange(9))  # one side is held still
    rng = np.random.default_rng(3)
    screen = rng.uniform(1e-3, 1e-2, len(index))
    ids = rng.choice(len(index), (4, 3))
    share = rng.dirichlet(np.ones(3), 4)
    weight, handles = rng.uniform(1, 50, 4), np.eye(4)
    columns, values = laplacian_rows(points, quads, index)
    matrix = spread_matrix((columns, values), screen, (ids, share), weight, handles)
    dense = np.zeros((len(columns), len(index)))
    np.add.at(dense, (np.repeat(np.arange(len(columns)), columns.shape[1]), columns.ravel()), values.ravel())
    sample = np.zeros((4, len(index)))
    np.add.at(sample, (np.repeat(np.arange(4), 3), ids.ravel()), share.ravel())
    stacked = np.vstack([dense, np.diag(np.sqrt(screen)), np.sqrt(weight)[:, None] * sample])
    target = np.vstack([np.zeros((len(dense) + len(index), 4)), np.sqrt(weight)[:, None] * handles])
    np.testing.assert_allclose(matrix, np.linalg.lstsq(stacked, target, rcond=None)[0], atol=1e-8)


def test_laplacian_rows_vanish_on_constants_inside():
    points, quads = sheet(9)
    inside = np.arange(len(points))
    columns, values = laplacian_rows(points, quads, inside)
    np.testing.assert_allclose(values.sum(1), 0, atol=1e-12)
    assert len(columns) == len(points)


def test_points_are_found_in_a_chart(patch):
    chart = patch.points[:, :2]
    empty = np.zeros(0)
    coordinates = LipCoordinates(empty, patch.triangles, 1.0, empty, empty, empty, chart, empty, empty, empty)
    asked = np.random.default_rng(5).uniform(0, 1, (300, 2))
    place = locate(coordinates, asked)
    np.testing.assert_allclose(place.take(chart), asked, atol=1e-9)
    beside = locate(coordinates, np.array([[1.5, 0.5]]))
    np.testing.assert_allclose(beside.take(chart), [[1.0, 0.5]], atol=0.03)


def test_contact_sticks_on_release_only_and_in_chunks_alike():
    rng = np.random.default_rng(7)
    track = np.clip(np.cumsum(rng.normal(0, 0.3, 400)), 0, 1).astype(np.float32)
    whole = sticky_contact(track, 50)
    assert (whole.held >= track).all()
    rising = np.r_[True, np.diff(track) >= 0] & (np.r_[0, whole.held[:-1]] <= track)
    np.testing.assert_array_equal(whole.held[rising], track[rising])
    first = sticky_contact(track[:123], 50)
    second = sticky_contact(track[123:], 50, first.last)
    np.testing.assert_array_equal(np.r_[first.held, second.held], whole.held)
    release = sticky_contact(np.array([1.0] + [0.0] * 12, np.float32), 50).held
    assert 0 < release[1] < 1
    assert release[-1] == 0
    assert (np.diff(release) <= 0).all()

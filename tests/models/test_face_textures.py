"""The head's texture coordinates and painted textures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from blender_addon.protocol.face import FaceFile
from models.face import load_head
from models.face.builtin.bake import cover
from models.face.builtin.flatten import areas, discs, flatten, is_disc, outline
from models.face.builtin.noise import cells, noise

SIZE = 2048


@pytest.fixture(scope="module")
def head() -> FaceFile:
    return load_head()


def triangles(face: FaceFile) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corner coordinates [t, 3, 2], vertex ids [t, 3] and the polygon of each triangle."""
    whole = np.flatnonzero(face.polygons[:, 3] >= 0)
    corners = np.concatenate([face.uv[:, :3], face.uv[whole][:, [0, 2, 3]]])
    ids = np.concatenate([face.polygons[:, :3], face.polygons[whole][:, [0, 2, 3]]])
    return corners.astype(float), ids, np.concatenate([np.arange(len(face.polygons)), whole])


def signed(corners: np.ndarray) -> np.ndarray:
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return 0.5 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])


def times_covered(corners: np.ndarray) -> np.ndarray:
    """How many triangles cover each texel's centre, by half planes, one triangle at a time."""
    count = np.zeros((SIZE, SIZE), np.int32)
    for triangle in corners * SIZE:
        low = np.floor(triangle.min(0)).astype(int)
        high = np.ceil(triangle.max(0)).astype(int) + 1
        y, x = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
        inside = np.ones(x.shape, bool)
        for k in range(3):
            (ax, ay), (bx, by) = triangle[k], triangle[(k + 1) % 3]
            inside &= (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 1e-3  # a hair inside the edge
        count[low[1] : high[1], low[0] : high[0]][inside[: SIZE - low[1], : SIZE - low[0]]] += 1
    return count


def test_no_two_polygons_share_a_texel_and_none_is_flipped(head: FaceFile) -> None:
    corners, _, _ = triangles(head)
    area = signed(corners)
    assert (area > -1e-9).all()
    assert (area > 1e-9).mean() > 0.998
    count = times_covered(corners)
    assert (count > 1).sum() <= 20  # of 4.2 million: corners stored as 32-bit floats
    assert (count > 0).mean() > 0.7


def test_skin_of_the_face_has_the_most_texels_and_is_mirrored(head: FaceFile) -> None:
    corners, ids, polygon = triangles(head)
    points = head.vertices[ids].astype(float)
    surface = 0.5 * np.linalg.norm(np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]), axis=1)
    density = np.sqrt(signed(corners).clip(0) / surface.clip(1e-12))  # texture widths per metre
    skin = head.material_names.index("skin")
    centre = points.mean(1)
    front = (head.material[polygon] == skin) & (centre[:, 1] < -0.07) & (centre[:, 2] > -0.1)
    behind = (head.material[polygon] == skin) & (centre[:, 1] > 0.03)
    assert np.median(density[front]) > 1.5 * np.median(density[behind])
    assert 1024 * np.median(density[front]) > 3500  # texels per metre: under 0.3 mm each
    skin_rows = np.flatnonzero((head.material == skin) & (head.uv[..., 1].min(1) > 0.27))
    place = head.vertices[head.polygons[skin_rows]].mean(1)
    twin = cKDTree(place).query(place * (-1, 1, 1))[1]
    flat = head.uv[skin_rows].mean(1)
    np.testing.assert_allclose(flat[twin] * (-1, 1) + (1, 0), flat, atol=1e-4)


def test_parts_have_their_own_islands(head: FaceFile) -> None:
    """Texels of one part's island are at least a gap away from any other part's."""
    corners, ids, _ = triangles(head)
    names = ("eye.L", "eye.R", "tongue", "upper_teeth", "lower_teeth", "gums", "brows", "ears")
    boxes = {}
    for name in names:
        own = (head.region[ids] == head.region_names.index(name)).all(1)
        boxes[name] = np.concatenate([corners[own].min((0, 1)), corners[own].max((0, 1))])
        assert boxes[name][3] < 0.27, name  # below the skin's island
    left, right = boxes["eye.L"], boxes["eye.R"]
    assert not (left == right).all()


def test_textures_fit_the_format_and_show_the_parts(head: FaceFile) -> None:
    albedo, roughness, bump = (head.textures[name] for name in ("albedo", "roughness", "bump"))
    assert albedo.shape[2] == 3
    assert min(albedo.shape[:2]) >= 1024
    assert roughness.shape[2] == bump.shape[2] == 1
    corners, _, polygon = triangles(head)
    middle = corners.mean(1)
    texel = np.floor(middle * (1, -1) * albedo.shape[0] + (0, albedo.shape[0])).astype(int)
    colour = albedo[texel[:, 1], texel[:, 0]].astype(int)
    material = head.material[polygon]

    def mean(name: str) -> np.ndarray:
        return colour[material == head.material_names.index(name)].mean(0)

    assert mean("skin")[0] > mean("skin")[1] > mean("skin")[2]
    assert mean("lips")[0] - mean("lips")[1] > 1.2 * (mean("skin")[0] - mean("skin")[1])
    assert mean("teeth").min() > 150
    assert mean("pupil").max() < 40
    assert mean("sclera").min() > 140
    rough = roughness[
        texel[:, 1] * roughness.shape[0] // albedo.shape[0],
        texel[:, 0] * roughness.shape[1] // albedo.shape[1],
        0,
    ]
    assert rough[material == head.material_names.index("cornea")].mean() < 30
    assert rough[material == head.material_names.index("skin")].mean() > 90
    assert 20 < bump.std() * 10 < 400


def test_vertex_colours_agree_with_the_texture(head: FaceFile) -> None:
    """Where the paint is smooth the two ways of painting give the same colour."""
    used = head.polygons[:, :3]
    place = head.uv[:, :3].reshape(-1, 2)
    size = head.textures["albedo"].shape[0]
    texel = np.clip(np.floor(place * (1, -1) * size + (0, size)), 0, size - 1).astype(int)
    coded = head.textures["albedo"][texel[:, 1], texel[:, 0]] / 255.0
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    off = np.abs(linear - head.color[used.ravel()]).max(1)
    assert np.median(off) < 0.05


def test_cover_matches_a_brute_force_reference() -> None:
    random = np.random.default_rng(0)
    corners = random.random((6, 3, 2)) * 0.3 + np.array([(i % 3, i // 3) for i in range(6)])[:, None] * 0.33
    corners[signed(corners) < 0] = corners[signed(corners) < 0][:, ::-1]
    row, weights = cover(corners, 64)
    x, y = np.meshgrid((np.arange(64) + 0.5) / 64, 1 - (np.arange(64) + 0.5) / 64)
    for i in range(64):
        for j in range(64):
            t = row[i, j]
            if t >= 0:
                np.testing.assert_allclose(weights[i, j] @ corners[t], (x[i, j], y[i, j]), atol=1e-9)
            else:
                assert not any(_contains(c, x[i, j], y[i, j]) for c in corners)


def _contains(corner: np.ndarray, x: float, y: float) -> bool:
    ends = np.roll(corner, -1, 0)
    turn = (ends - corner)[:, 0] * (y - corner[:, 1]) - (ends - corner)[:, 1] * (x - corner[:, 0])
    return bool((turn > 1e-9).all())


def grid(rows: int, columns: int) -> np.ndarray:
    at = np.arange(rows * columns).reshape(rows, columns)
    return np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], -1).reshape(-1, 4)


def test_flatten_keeps_a_flat_patch_flat_and_gives_areas_as_wanted() -> None:
    y, x = np.mgrid[0:9, 0:9] / 8.0
    points, polygons = np.stack([x, y, 0 * x], -1).reshape(-1, 3), grid(9, 9)
    fixed = outline(polygons)[0]
    flat = flatten(points, polygons, fixed, points[fixed, :2], np.ones(len(polygons)))
    np.testing.assert_allclose(flat, points[:, :2], atol=0.01)
    dense = np.where(points[polygons].mean(1)[:, 0] < 0.5, 3.0, 1.0)
    size = areas(flatten(points, polygons, fixed, points[fixed, :2], dense), polygons)
    assert 1.4 < size[dense == 3].mean() / size[dense == 1].mean() <= 3.1


def test_a_closed_box_and_a_tube_become_discs() -> None:
    cube = np.array([[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]])
    corner = np.array(
        [[0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0], [0, 0, 1], [2, 0, 1], [2, 1, 1], [0, 1, 1.0]]
    )
    for vertices, polygons in ((corner, cube), (corner, cube[2:])):
        found = discs(vertices, polygons)
        assert sorted(np.concatenate(found)) == list(range(len(polygons)))
        assert all(is_disc(polygons[rows]) for rows in found)
    assert not is_disc(cube)
    assert not is_disc(cube[2:])


def test_noise_is_smooth_bounded_and_repeatable() -> None:
    points = np.random.default_rng(1).random((4000, 3)) * 30 - 15
    for field in (noise, cells):
        value = field(points, 1.5, 3)
        np.testing.assert_array_equal(value, field(points, 1.5, 3))
        assert np.abs(value - field(points + 1e-5, 1.5, 3)).max() < 1e-4
        assert np.abs(value - field(points, 1.5, 4)).mean() > 0.05
    assert np.abs(noise(points, 1.5)).max() <= 1.1
    assert abs(noise(points, 1.5).mean()) < 0.02
    assert np.abs(noise(np.floor(points) * 1.5, 1.5)).max() < 1e-12  # gradient noise is 0 on its grid

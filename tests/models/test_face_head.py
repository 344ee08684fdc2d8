"""The shipped head: its sizes against published norms, its names, its symmetry, its hair."""

from __future__ import annotations

import numpy as np
import pytest

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.face import FaceFile
from models.face import load_head
from models.face.builtin import build_head

MM = 1000.0
HEIGHT, DEPTH = 2, 1  # file axes: +Z up, the face looks along -Y


@pytest.fixture(scope="module")
def head() -> FaceFile:
    return load_head()


def region(head: FaceFile, *names: str) -> np.ndarray:
    return np.isin(head.region, [head.region_names.index(name) for name in names])


def mirrored_pairs(head: FaceFile) -> np.ndarray:
    """Id of the vertex opposite each, found by position alone."""
    rounded = np.round(head.vertices * 1e6).astype(np.int64)
    place = {tuple(row): i for i, row in enumerate(rounded)}
    opposite = rounded * [-1, 1, 1]
    return np.array([place.get(tuple(row), -1) for row in opposite])


def test_head_is_in_metres_and_looks_along_minus_y(head: FaceFile) -> None:
    low, high = head.vertices.min(0), head.vertices.max(0)
    assert 0.25 < high[2] - low[2] < 0.40
    assert 0.14 < np.ptp(head.vertices[region(head, "ears"), 0]) < 0.20
    assert 0.22 < high[0] - low[0] < 0.30  # the shoulders' beginning
    face = region(head, "face", "nose")
    tip = head.landmarks["nose_tip"]
    assert head.vertices[tip, 1] < head.vertices[face, 1].min() + 3e-4
    assert abs(head.vertices[tip, 0]) < 1e-6
    for name, vertex in head.landmarks.items():
        if name.endswith(".L"):
            assert head.vertices[vertex, 0] > 0.005, name


def test_mesh_is_valid(head: FaceFile) -> None:
    assert head.uv.min() >= 0
    assert head.uv.max() <= 1
    assert head.color.min() >= 0
    assert head.color.max() <= 1
    assert len(head.identity_names) >= 40
    assert set(np.unique(head.polygons[head.polygons >= 0])) == set(range(len(head.vertices)))
    for name, ring in head.rings.items():
        assert len(ring) > 4, name
        assert len(set(ring.tolist())) == len(ring), name
    assert head.rings["lip_upper"][0] == head.rings["lip_lower"][0] == head.landmarks["mouth_corner.R"]
    assert head.rings["lip_upper"][-1] == head.rings["lip_lower"][-1] == head.landmarks["mouth_corner.L"]
    assert head.rings["lid_upper.L"][0] == head.landmarks["eye_inner.L"]
    for part in ("neck", "head", "eye.L", "eye.R"):
        assert part in [bone.name for bone in head.bones]


def test_closed_parts_point_outwards(head: FaceFile) -> None:
    for part in ("eye.L", "eye.R", "tongue"):
        rows = head.polygons[region(head, part)[head.polygons].all(1)]
        corner = head.vertices[rows].astype(float) - head.vertices[rows].mean((0, 1))
        fan = np.cross(corner[:, 1], corner[:, 2]) + np.cross(corner[:, 2], corner[:, 3])
        assert (corner[:, 0] * fan).sum() > 0, part


def test_head_is_symmetric(head: FaceFile) -> None:
    assert (mirrored_pairs(head) >= 0).mean() > 0.99


def test_hair_follows_the_skin_under_it(head: FaceFile) -> None:
    brows, lashes = region(head, "brows"), region(head, "lashes")
    up = head.shapes[ARKIT_INDEX["browInnerUp"]]
    inner = np.abs(head.vertices[:, 0]) < 0.02
    skin = np.linalg.norm(head.vertices - head.vertices[head.landmarks["brow_inner.L"]], axis=1) < 0.008
    skin &= ~brows
    assert up[brows & inner, HEIGHT].mean() == pytest.approx(up[skin, HEIGHT].mean(), abs=0.0015)
    blink = head.shapes[ARKIT_INDEX["eyeBlinkLeft"]]
    upper = lashes & (head.vertices[:, 0] > 0) & (blink[:, HEIGHT] < -0.004)
    assert upper.sum() > 100
    shut = head.vertices + blink
    centre = np.array(next(bone for bone in head.bones if bone.name == "eye.L").head)
    assert np.linalg.norm(shut[upper] - centre, axis=1).min() > 0.0115


def test_rebuilt_head_equals_the_shipped_one(head: FaceFile) -> None:
    built = build_head()
    assert built.bones == head.bones
    assert built.landmarks == head.landmarks
    np.testing.assert_array_equal(built.polygons, head.polygons)
    np.testing.assert_allclose(built.uv, head.uv, atol=1e-6)
    assert built.textures.keys() == head.textures.keys()
    for name, texture in built.textures.items():
        assert (texture == head.textures[name]).mean() > 0.999, name  # rounding differs between machines
    np.testing.assert_allclose(built.vertices, head.vertices, atol=1e-6)
    np.testing.assert_allclose(built.bone_weights, head.bone_weights, atol=1e-5)
    np.testing.assert_allclose(built.color, head.color, atol=1e-5)
    np.testing.assert_allclose(built.shapes, head.shapes, atol=2e-5)  # stored as 16-bit millimetres
    np.testing.assert_allclose(built.identity, head.identity, atol=2e-5)

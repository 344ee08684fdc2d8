"""Deformation against a plain sum of shapes and a matrix exponential; bones, collar, gaze."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import EYE_LOOK_DEGREES, FaceFile
from models.face import Deformer, deform, eye_rotation, load_head
from models.face.deform import rotation


@pytest.fixture(scope="module")
def head() -> FaceFile:
    return load_head()


@pytest.fixture(scope="module")
def deformer(head: FaceFile) -> Deformer:
    return Deformer(head)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_shapes_add_linearly(deformer: Deformer, seed: int) -> None:
    weights = np.random.default_rng(seed).random(52).astype(np.float32)
    face = deformer.face
    expected = face.vertices + np.tensordot(weights, face.shapes, 1)
    np.testing.assert_allclose(deformer.shape(weights), expected, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_rotation_is_the_exponential_of_the_cross_product(vector: list[float]) -> None:
    x, y, z = vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    np.testing.assert_allclose(rotation(np.array(vector)), expm(cross), atol=1e-9)


def test_pose_turns_the_head_rigidly_and_leaves_the_collar(head: FaceFile) -> None:
    pose = np.array([0.25, -0.2, 0.4, 0.003, -0.002, 0.004])
    moved = deform(head, np.zeros(52), pose=pose)
    names = [bone.name for bone in head.bones]
    rigid = head.bone_weights[:, names.index("head")] == 1
    turn = rotation(pose[:3])
    pivot = np.array(head.pivot)
    expected = (head.vertices[rigid] - pivot) @ turn.T + pivot + pose[3:]
    np.testing.assert_allclose(moved[rigid], expected, atol=1e-6)
    collar = head.bone_weights.sum(1) == 0
    assert collar.sum() > 20
    np.testing.assert_array_equal(moved[collar], head.vertices[collar])
    eyes = head.bone_weights[:, names.index("eye.L")] == 1
    np.testing.assert_allclose(
        moved[eyes], (head.vertices[eyes] - pivot) @ turn.T + pivot + pose[3:], atol=1e-6
    )


def test_bone_weights_are_shares(head: FaceFile) -> None:
    assert head.bone_weights.min() >= 0
    assert head.bone_weights.sum(1).max() <= 1 + 1e-6


def test_gaze_follows_the_weights() -> None:
    weights = np.zeros(52)
    weights[ARKIT_INDEX["eyeLookInLeft"]] = 1
    weights[ARKIT_INDEX["eyeLookOutRight"]] = 0.5
    weights[ARKIT_INDEX["eyeLookUpLeft"]] = 1
    left_pitch, left_yaw, right_pitch, right_yaw = np.degrees(eye_rotation(weights))
    assert left_pitch == pytest.approx(EYE_LOOK_DEGREES["Up"])
    assert right_pitch == 0
    assert left_yaw == pytest.approx(-EYE_LOOK_DEGREES["In"])
    assert right_yaw == pytest.approx(-0.5 * EYE_LOOK_DEGREES["Out"])


def test_eyes_turn_where_the_weights_look(head: FaceFile) -> None:
    centre = np.array(next(bone for bone in head.bones if bone.name == "eye.L").head)
    pole = head.landmarks["eye_centre.L"]
    for shape, axis, sign in (
        ("eyeLookUpLeft", 2, 1),
        ("eyeLookDownLeft", 2, -1),
        ("eyeLookOutLeft", 0, 1),
        ("eyeLookInLeft", 0, -1),
    ):
        weights = np.zeros(52)
        weights[ARKIT_INDEX[shape]] = 1
        moved = deform(head, weights)[pole] - centre
        rest = head.vertices[pole] - centre
        assert sign * (moved[axis] - rest[axis]) > 0.004, shape
        assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(rest), abs=1e-6)


def test_lip_coefficients_move_only_lip_vertices(head: FaceFile) -> None:
    basis = np.random.default_rng(0).normal(0, 1e-3, (2, len(head.lip_index), 3)).astype(np.float32)
    face = replace(head, lip_basis=basis)
    lip = np.array([0.5, -1.0])
    moved = Deformer(face).shape(np.zeros(52), lip) - face.vertices
    np.testing.assert_allclose(moved[face.lip_index], 0.5 * basis[0] - basis[1], atol=1e-6)
    assert np.count_nonzero(np.abs(moved).max(1)) <= len(face.lip_index)


def test_frames_are_independent(head: FaceFile) -> None:
    rng = np.random.default_rng(1)
    weights, poses = rng.random((3, 52)), rng.normal(0, 0.1, (3, 6))
    batch = deform(head, weights, pose=poses)
    np.testing.assert_array_equal(batch[1], deform(head, weights[1], pose=poses[1]))


def test_wrong_shapes_are_refused(head: FaceFile) -> None:
    with pytest.raises(InputError, match="expected"):
        deform(head, np.zeros(51))
    with pytest.raises(InputError, match="lip coefficients"):
        deform(head, np.zeros(52), lip=np.ones(3))

"""Proportions of faces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.expression.style import GEOMETRY_NAMES, geometry_descriptor
from models.face import load_head
from models.face.identity import named_identity, sample_identity


@pytest.fixture(scope="module")
def head() -> FaceFile:
    return load_head(None)


def _person(head: FaceFile, weights: Array) -> FaceFile:
    return replace(head, vertices=head.vertices + np.tensordot(weights, head.identity, 1))


def test_the_built_in_head_is_the_average(head: FaceFile) -> None:
    assert geometry_descriptor(head).shape == (len(GEOMETRY_NAMES),)
    assert np.abs(geometry_descriptor(head)).max() < 0.01


def test_people_have_mean_0_and_deviation_1(head: FaceFile) -> None:
    people = np.stack([geometry_descriptor(_person(head, sample_identity(head, s))) for s in range(200)])
    assert np.abs(people.mean(0)).max() < 0.4
    assert np.abs(people.std(0) - 1).max() < 0.2


@pytest.mark.parametrize(
    ("measure", "parameter"),
    [("mouth_width", "mouthWidth"), ("lip_thickness", "lowerLipFullness"), ("lower_face", "chinHeight")],
)
def test_a_parameter_moves_its_measure(head: FaceFile, measure: str, parameter: str) -> None:
    column = GEOMETRY_NAMES.index(measure)
    found = [
        geometry_descriptor(_person(head, named_identity(head, {parameter: value})))[column]
        for value in (-2.0, 0.0, 2.0)
    ]
    assert found[0] < -0.3 < 0.3 < found[2]
    assert found[0] < found[1] < found[2]


def test_place_turn_and_units_do_not_matter(head: FaceFile) -> None:
    person = _person(head, sample_identity(head, 3))
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))
    moved = replace(person, vertices=(100.0 * person.vertices @ turn + 7.0).astype(np.float32))
    assert np.allclose(geometry_descriptor(moved), geometry_descriptor(person), atol=0.02)


def test_a_face_without_landmarks_counts_as_average(head: FaceFile) -> None:
    assert not geometry_descriptor(replace(head, landmarks={})).any()


def test_cartoons_are_limited(head: FaceFile) -> None:
    vertices = head.vertices * np.array([0.2, 1.0, 1.0], np.float32)
    assert np.abs(geometry_descriptor(replace(head, vertices=vertices))).max() == 3.0

"""Coefficients of FaceVerse's authors as motion and back, by their formulas written out here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.errors import InputError
from models.face.deform import eye_turn, rotation
from models.face.faceverse import Convention, convention
from tests.models import faceverse_files as files
from tests.models.faceverse_files import Case

NAMED = (2, 3, 4)
# The authors' posed space in ours, as the test files have it: v0 to v3 look away from +z with y downwards
# (v0 to v2 by their half turn about x, v3 by its flip), v4 is as it is stored.
DOWN_AND_AWAY = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
UP_AND_OUT = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def world(case: Case) -> np.ndarray:
    """[3, 3] the authors' posed space in ours."""
    return UP_AND_OUT if case.version == 4 else DOWN_AND_AWAY


@pytest.fixture(scope="module")
def cases() -> dict[int, Case]:
    return {version: files.imported(version) for version in NAMED}


@pytest.fixture(params=NAMED)
def case(request: pytest.FixtureRequest, cases: dict[int, Case]) -> Case:
    return cases[request.param]


def about(axis: int, angle: np.ndarray) -> np.ndarray:
    """[F, 3, 3] rotations about x, y or z, written out."""
    c, s, o, i = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    rows = {
        0: [[i, o, o], [o, c, -s], [o, s, c]],
        1: [[c, o, s], [o, i, o], [-s, o, c]],
        2: [[c, -s, o], [s, c, o], [o, o, i]],
    }[axis]
    return np.moveaxis(np.array(rows), -1, 0)


def authors_vertices(case: Case, vector: np.ndarray) -> np.ndarray:
    """[V, 3] of one coefficient vector as the authors compute it, in their posed space and units."""
    content, version = case.model.content, case.version
    ids, exps, tex = files.SIZES[version]
    alpha, beta, rest = vector[:ids], vector[ids : ids + exps], vector[ids + exps + tex :]
    angles, translation = (rest[27:30], rest[30:33]) if version == 4 else (rest[:3], rest[30:33])
    basis = content["exBase_52"] if version == 3 else content["exBase"]
    mean = content["meanshape"].astype(float).reshape(-1)
    shape = (mean + content["idBase"] @ alpha + basis @ beta).reshape(-1, 3)
    people = (mean + content["idBase"] @ alpha).reshape(-1, 3)
    if version == 3:
        shape, people = shape * [1, -1, -1] * 0.01, people * [1, -1, -1] * 0.01
    if version == 4:
        shape, people = shape / 100, people / 100
    if version >= 3:
        ends, eyes = content["ver_inds"], rest[33:37]
        for i in range(2):
            part, eye = slice(ends[i], ends[i + 1]), eyes[2 * i : 2 * i + 2]
            centre = people[part].mean(0)
            turn = about(1, eye[1:])[0] @ about(0, eye[:1])[0]
            shape[part] = (shape[part] - centre) @ turn.T + centre
    r = about(2, angles[2:])[0] @ about(1, angles[1:2])[0] @ about(0, angles[:1])[0]
    return np.asarray(shape @ r.T + translation)


def our_vertices(case: Case, conv: Convention, vector: np.ndarray) -> np.ndarray:
    """[V, 3] metres of the same vector by the face file and the motion it becomes."""
    face, coefficients = case.face, conv.split(vector)
    motion = conv.motion(coefficients)
    people = face.vertices + np.tensordot(coefficients.identity[0], face.identity.astype(float), 1)
    moved = people + np.tensordot(motion.weights[0], face.shapes.astype(float), 1)
    for i, side in enumerate("LR"):
        ball = face.region == face.region_names.index(f"eye.{side}")
        if ball.any():
            centre = people[ball].mean(0)
            pitch, yaw = motion.gaze[0, 2 * i : 2 * i + 2]
            moved[ball] = (moved[ball] - centre) @ eye_turn(pitch, yaw).T + centre
    pivot = np.array(face.pivot)
    turn, shift = rotation(motion.pose[0, :3]), motion.pose[0, 3:]
    return np.asarray((moved - pivot) @ turn.T + pivot + shift)


def random_vector(case: Case, rng: np.random.Generator) -> np.ndarray:
    """A fit of a head within the authors' usual range, looking about."""
    ids, exps, tex = files.SIZES[case.version]
    angles = rng.uniform(-0.8, 0.8, 3) + ([np.pi, 0, 0] if case.version < 3 else 0)
    gamma, translation, eyes = rng.normal(size=27), rng.uniform(-3, 3, 3), rng.uniform(-0.5, 0.5, 4)
    beta = np.zeros(exps)
    beta[:52] = rng.uniform(0, 1, 52) * (rng.uniform(size=52) < 0.2)
    middle = [gamma, angles] if case.version == 4 else [angles, gamma]
    parts = [rng.normal(0, 1, ids), beta, rng.normal(size=tex), *middle, translation]
    return np.concatenate(parts if case.version < 3 else [*parts, eyes])


@pytest.mark.parametrize("seed", range(4))
def test_a_fit_of_the_authors_is_the_same_face_here(case: Case, seed: int) -> None:
    """Every vertex of a random fit lies where the authors' formulas put it, by how the file was made."""
    conv = convention(case.face)
    vector = random_vector(case, np.random.default_rng(seed))
    theirs = files.METRES * authors_vertices(case, vector) @ world(case).T
    ours = our_vertices(case, conv, vector)
    shift = case.face.vertices[0] - case.model.parts.vertices[0]
    assert np.abs(ours - theirs - shift).max() < 2e-5


@pytest.mark.parametrize("seed", range(3))
def test_coefficients_come_back(case: Case, seed: int) -> None:
    conv = convention(case.face)
    rng = np.random.default_rng(seed)
    vectors = np.stack([random_vector(case, rng) for _ in range(5)])
    vectors[:, : files.SIZES[case.version][0]] = vectors[0, : files.SIZES[case.version][0]]
    parts = conv.split(vectors)
    assert np.array_equal(conv.join(parts), vectors)
    back = conv.coefficients(conv.motion(parts), parts.identity[0], like=parts)
    again = conv.join(back)
    turned = np.abs(again - vectors) % (2 * np.pi)
    assert np.minimum(turned, 2 * np.pi - turned).max() < 1e-6


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_motion_comes_back(cases: dict[int, Case], data: st.DataObject) -> None:
    case = cases[data.draw(st.sampled_from(NAMED))]
    conv, rng = convention(case.face), np.random.default_rng(data.draw(st.integers(0, 2**32)))
    motion = conv.motion(
        conv.split(np.zeros(sum(files.SIZES[case.version]) + (33 if case.version < 3 else 37)))
    )
    made = replace(
        motion,
        weights=rng.uniform(0, 1, (3, 52)),
        pose=rng.uniform(-0.9, 0.9, (3, 6)) * [1, 1, 1, 0.1, 0.1, 0.1],
        gaze=rng.uniform(-0.6, 0.6, (3, 4)) * (case.version > 2),
    )
    back = conv.motion(conv.coefficients(made, np.zeros(conv.sizes[0])))
    np.testing.assert_allclose(back.weights, made.weights, atol=1e-12)
    np.testing.assert_allclose(back.pose, made.pose, atol=1e-9)
    np.testing.assert_allclose(back.gaze, made.gaze, atol=1e-9)


def test_looking_down_and_right_is_down_and_right(cases: dict[int, Case]) -> None:
    """The authors' order: down - up, then right - left, as seen by the subject, in v3's space."""
    conv = convention(cases[3].face)
    vector = np.zeros(sum(files.SIZES[3]) + 37)
    vector[-4:] = [0.3, 0.2, 0.1, -0.4]
    gaze = conv.motion(conv.split(vector)).gaze[0]
    np.testing.assert_allclose(gaze, [-0.3, -0.2, -0.1, 0.4], atol=1e-9)


def test_the_larger_basis_of_v3_is_understood(cases: dict[int, Case]) -> None:
    """The authors' own v3 fits have 171 expressions, the named 52 somewhere among them."""
    case = cases[3]
    conv, content = convention(case.face), case.model.content
    ids, _, tex = files.SIZES[3]
    smile = case.model.names.index("mouthSmileLeft")
    same = np.abs(content["exBase"] - content["exBase_52"][:, [smile]]).max(0)
    vector = np.zeros(ids + 171 + tex + 37)
    vector[ids + int(same.argmin())] = 0.7
    weights = conv.motion(conv.split(vector)).weights[0]
    assert weights[ARKIT_INDEX["mouthSmileLeft"]] == pytest.approx(0.7)
    assert np.abs(weights).sum() == pytest.approx(0.7)
    with pytest.raises(InputError, match="458 numbers, this model's has 490 or 609"):
        conv.split(np.zeros(458))


def test_v4_has_light_before_angles(cases: dict[int, Case]) -> None:
    conv = convention(cases[4].face)
    vector = np.arange(156 + 177 + 251 + 37.0)
    parts = conv.split(vector)
    assert parts.gamma[0, 0] == 584
    assert parts.angles[0].tolist() == [611, 612, 613]
    assert parts.translation[0, 0] == 614
    assert parts.eyes[0].tolist() == [617, 618, 619, 620]
    early = convention(cases[2].face).split(np.arange(150 + 52 + 251 + 33.0))
    assert early.angles[0].tolist() == [453, 454, 455]
    assert early.gamma[0, 0] == 456
    assert early.eyes.shape == (1, 0)

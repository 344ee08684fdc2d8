"""Fitting a head to landmarks: known faces, the landmarks' places, the further fields, gaze, frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import eye_rotation
from blender_addon.protocol.tensorfile import Array
from models.face import load_head
from models.portrait.fitting import Basis, expression, fit_frame, fit_landmarks, person_model, yaw
from models.portrait.landmarks import EYE_CONTOURS, INNER_LIP_LOWER, INNER_LIP_UPPER, LANDMARKS
from models.portrait.point_model import PointModel, look_weights
from models.portrait.points import landmark_points, landmark_table
from models.portrait.solve import State
from training.evaluate.portrait import ROTATION_LIMIT, VERTICES_LIMIT, WEIGHT_LIMIT, aligned, measured
from training.evaluate.portrait_truth import PIXELS, known_face

_FEW = 1.4  # means over few faces lie wider than those over the 200 of the evaluation


@pytest.fixture(scope="module")
def basis() -> Basis:
    return Basis.of(load_head())


@pytest.mark.parametrize("outside", [False, True])
def test_known_faces_are_found(basis: Basis, outside: bool) -> None:
    misses = measured(basis, (known_face(basis.head, 5000 + seed, outside) for seed in range(6)))
    share = sum(m.vertices for m in misses) / sum(m.mean_face for m in misses)
    assert share < VERTICES_LIMIT * _FEW
    assert np.mean([m.turn for m in misses]) < ROTATION_LIMIT
    for name in ("jawOpen", "blink", "smile"):
        assert np.mean([m.weights[name] for m in misses]) < WEIGHT_LIMIT * _FEW


def test_the_smile_is_not_the_persons(basis: Basis) -> None:
    """The same person neutral and smiling: one identity, another expression."""
    model, points = basis.model, []
    camera = known_face(basis.head, 1, False).camera
    for amount in (0.0, 0.8):
        weights = np.zeros(52)
        weights[[ARKIT_INDEX["mouthSmileLeft"], ARKIT_INDEX["mouthSmileRight"]]] = amount
        places = model.place(np.zeros(len(model.identity)), weights, np.zeros(4))
        points.append(fit_landmarks(model, camera.project(places), (PIXELS, PIXELS)))
    still, smiling = points
    assert smiling.weights[ARKIT_INDEX["mouthSmileLeft"]] > 0.6
    assert still.weights[ARKIT_INDEX["mouthSmileLeft"]] < 0.1
    one, other = (basis.person(state.identity).vertices for state in points)
    assert np.linalg.norm(aligned(one, other)[0] - other, axis=1).mean() < 5e-4


def test_a_frame_is_followed(basis: Basis) -> None:
    model = person_model(basis.head)
    camera = known_face(basis.head, 3, False).camera
    start = State(camera, np.zeros(0), np.zeros(52), np.zeros(4))
    weights = np.zeros(52)
    weights[ARKIT_INDEX["jawOpen"]] = 0.3
    turned = replace(
        camera, rotation=Rotation.from_euler("yx", [4, -3], degrees=True).as_matrix() @ camera.rotation
    )
    seen = turned.project(model.place(np.zeros(0), weights, np.full(4, 0.1)))
    found = fit_frame(model, seen, start)
    assert found.weights[ARKIT_INDEX["jawOpen"]] == pytest.approx(0.3, abs=0.03)
    assert Rotation.from_matrix(found.camera.rotation @ turned.rotation.T).magnitude() < np.radians(0.4)
    np.testing.assert_allclose(found.gaze, 0.1, atol=0.03)
    assert found.camera.focal == camera.focal


@given(st.lists(st.floats(-0.4, 0.4), min_size=4, max_size=4))
@settings(max_examples=40, deadline=None)
def test_look_weights_are_the_inverse_of_eye_rotation(gaze: list[float]) -> None:
    np.testing.assert_allclose(eye_rotation(look_weights(np.array(gaze))), gaze, atol=1e-12)


def test_all_weights_stay_in_range(basis: Basis) -> None:
    truth = known_face(basis.head, 11, True)
    state = fit_landmarks(basis.model, truth.landmarks, (PIXELS, PIXELS))
    low, high = basis.model.limits.T
    assert (state.identity >= low - 1e-9).all()
    assert (state.identity <= high + 1e-9).all()
    assert expression(state).min() >= 0
    assert expression(state).max() <= 1


def test_a_face_from_the_side_or_outside_is_one_clear_line(basis: Basis) -> None:
    camera = replace(known_face(basis.head, 5, False).camera, rotation=_facing(70.0))
    seen = camera.project(basis.model.mean)
    with pytest.raises(InputError, match="from the side"):
        fit_landmarks(basis.model, seen, (PIXELS, PIXELS))
    ahead = replace(camera, rotation=_facing(0.0)).project(basis.model.mean)
    with pytest.raises(InputError, match="of the face lies in the picture"):
        fit_landmarks(basis.model, ahead - (PIXELS / 2, 0, 0), (PIXELS, PIXELS))


def _facing(degrees: float) -> Array:
    ahead = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    return np.asarray(Rotation.from_euler("y", degrees, degrees=True).as_matrix() @ ahead)


def test_yaw_is_toward_the_pictures_right() -> None:
    camera = replace(known_face(load_head(), 5, False).camera, rotation=_facing(-20.0))
    nose, neck = camera.project(np.array([[0.0, -0.12, 0.0], [0.0, 0.0, 0.0]]))
    assert np.sign(nose[0] - neck[0]) == np.sign(yaw(camera))
    assert abs(yaw(camera)) == pytest.approx(20.0)


def test_landmarks_lie_where_they_belong(basis: Basis) -> None:
    head, points, table = basis.head, landmark_points(basis.head), landmark_table()
    np.testing.assert_allclose(points.weights.sum(1), 1, atol=1e-5)
    places = points.of(head.vertices)
    np.testing.assert_allclose(places[table.mirror] * (-1, 1, 1), places, atol=1e-3)
    np.testing.assert_array_equal(table.mirror[table.mirror], np.arange(LANDMARKS))
    for landmark, name in (
        (4, "nose_tip"),
        (13, "lip_upper_middle"),
        (14, "lip_lower_middle"),
        (152, "chin"),
    ):
        off = places[landmark] - head.vertices[head.landmarks[name]]
        assert np.linalg.norm(off) < (0.02 if name == "chin" else 0.006), name
    lines = [(INNER_LIP_UPPER, "lip_upper"), (INNER_LIP_LOWER, "lip_lower")]
    lines += [(EYE_CONTOURS[side][0], f"lid_upper.{side}") for side in "LR"]
    lines += [(EYE_CONTOURS[side][1], f"lid_lower.{side}") for side in "LR"]
    for landmarks, ring in lines:
        assert np.isin(points.ids[list(landmarks)][:, :2], head.rings[ring]).all()


def test_further_fields_move_eyeballs_whole_and_faces_not(basis: Basis) -> None:
    head, wide = basis.head, basis.wide
    fields = wide.identity[len(head.identity_names) :]
    ball = head.region == head.region_names.index("eye.L")
    assert np.ptp(fields[:, ball], axis=1).max() < 1e-6
    moved = landmark_points(head).of(wide.vertices + 3 * fields[5])
    rest = landmark_points(head).of(head.vertices)
    still, turn = aligned(moved, rest)
    assert np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))) < 0.05
    np.testing.assert_allclose(np.linalg.norm(still - moved, axis=1), 0, atol=5e-5)


def test_a_person_has_the_heads_own_fields(basis: Basis) -> None:
    person = basis.person(np.zeros(len(basis.wide.identity_names)))
    assert person.identity_names == basis.head.identity_names
    assert len(person.identity) == len(basis.head.identity)
    np.testing.assert_allclose(person.vertices, basis.head.vertices, atol=1e-6)


def test_any_head_with_mediapipe_points_is_fitted() -> None:
    """Other polygons and fewer, mixed identity fields, as an imported head has, which our table lacks."""
    head = load_head()
    places = landmark_points(head).of(head.vertices)
    ring = cKDTree(head.vertices).query(places)[1].astype(np.int32)
    random = np.random.default_rng(0)
    mix = np.linalg.qr(random.normal(size=(64, 64)))[0][:20].astype(np.float32)
    other = replace(
        head,
        id="other",
        polygons=head.polygons[::-1].copy(),
        rings={**head.rings, "mediapipe": ring},
        identity_names=tuple(f"field{n}" for n in range(20)),
        identity=np.tensordot(mix, head.identity, 1),
        identity_limits=np.tile(np.array([-3, 3], np.float32), (20, 1)),
        identity_correlation=np.eye(20, dtype=np.float32),
    )
    basis = Basis.of(other)
    misses = measured(basis, [known_face(other, 2, False)])
    assert misses[0].vertices < 0.6 * misses[0].mean_face
    unknown = replace(other, rings=head.rings)
    with pytest.raises(InputError, match="where the landmarks lie"):
        PointModel.of(unknown)

"""Tracking, on landmarks of a head whose motion is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.face import load_head
from models.face.identity import sample_identity, with_identity
from models.life.eyes import look_weights
from models.portrait.fitting import person_model
from models.portrait.landmarks import DetectedFace
from models.portrait.lip_residual import lip_contact, lip_offsets
from models.portrait.point_model import PointModel
from models.portrait.points import landmark_points
from models.portrait.sequence import FrameFits
from models.portrait.shared import shared_step
from models.portrait.sightings import Sightings, sight
from models.portrait.smoothing import jitter, smoothed
from models.portrait.solve import Problem, first_state, linearised, pixel_noise, prior_terms
from models.portrait.track import FaceTrack, posed_camera, relative_pose
from models.portrait.tracking import fit_sightings
from models.render.camera import Pinhole

_SIZE, _FPS, _FRAMES = (640, 480), 25.0, 90
_CAMERA = Pinhole(
    np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]), np.array([0.0, 0.02, 0.8]), 900.0, (320.0, 240.0)
)
_LOST, _CUT, _STRANGER = slice(30, 34), 50, slice(80, 90)


@dataclass(frozen=True)
class Truth:
    """A person who talks, turns and blinks for `_FRAMES` frames."""

    face: FaceFile
    pose: Array
    weights: Array
    gaze: Array
    rows: Array


def face_row(time: float, landmarks: Array, change: float = 0.0) -> Array:
    return np.concatenate([[time, 1.0, change], landmarks.ravel()]).astype(np.float32)


@pytest.fixture(scope="module")
def truth() -> Truth:
    """Landmarks with noise of half a pixel; no face for a while, a cut, at the end somebody else."""
    rng = np.random.default_rng(3)
    head = load_head()
    face = with_identity(head, sample_identity(head, 5))
    t = np.arange(_FRAMES) / _FPS
    pose = np.zeros((_FRAMES, 6))
    pose[:, 0], pose[:, 1], pose[:, 2] = 0.08 * np.sin(3 * t), 0.05 * np.sin(2 * t), 0.2 * np.sin(2.5 * t)
    pose[:, 3:] = 0.01 * np.sin(t[:, None] * [2.0, 1.0, 3.0])
    weights = np.zeros((_FRAMES, 52))
    weights[:, ARKIT_INDEX["jawOpen"]] = 0.3 * np.maximum(np.sin(9 * t), 0)
    for side in ("Left", "Right"):
        weights[:, ARKIT_INDEX[f"mouthSmile{side}"]] = 0.4 * np.clip(t - 1.5, 0, 1)
        weights[[20, 21, 60, 61, 62], ARKIT_INDEX[f"eyeBlink{side}"]] = 1.0
    gaze = np.tile(0.15 * np.sin(2 * t)[:, None], (1, 4))
    other = person_model(with_identity(head, sample_identity(head, 11)))
    own, rows = person_model(face), []
    for frame in range(_FRAMES):
        model = other if frame >= _STRANGER.start else own
        pivot = face.pivot
        place = posed_camera(_CAMERA, pivot, pose[frame]).project(
            model.place(np.zeros(0), weights[frame], gaze[frame])
        )
        place[:, :2] += rng.normal(0, 0.5, (478, 2))
        change = 0.5 if frame in (_CUT, _STRANGER.start) else 0.01
        rows.append(face_row(t[frame], place, change))
        if _LOST.start <= frame < _LOST.stop:
            rows[-1][1], rows[-1][3:] = 0.0, np.nan
    return Truth(face, pose, weights + look_weights(gaze), gaze, np.array(rows))


@pytest.fixture(scope="module")
def track(truth: Truth) -> FaceTrack:
    return fit_sightings(Sightings(truth.rows), _SIZE)


def own(frames: int = _FRAMES) -> Array:
    """Frames that show the person."""
    shown = np.ones(frames, bool)
    shown[_LOST], shown[_STRANGER] = False, False
    return shown


def test_pose_and_expression_are_found(truth: Truth, track: FaceTrack) -> None:
    shown = own()
    cameras = [posed_camera(_CAMERA, truth.face.pivot, row) for row in truth.pose]
    turns = [track.camera_at(f).rotation @ cameras[f].rotation.T for f in np.flatnonzero(shown)]
    assert np.degrees(Rotation.from_matrix(turns).magnitude()).mean() < 1.5
    for name, least in (("jawOpen", 0.03), ("mouthSmileLeft", 0.08), ("eyeBlinkRight", 0.06)):
        off = np.abs(track.weights - truth.weights)[shown, ARKIT_INDEX[name]]
        assert off.mean() < least, name
    blinks = track.weights[:, ARKIT_INDEX["eyeBlinkLeft"]]
    assert blinks[[20, 21, 60, 61, 62]].min() > 0.8
    assert blinks[[18, 23, 58, 64]].max() < 0.3
    assert np.degrees(np.abs(track.gaze - truth.gaze)[shown & (blinks < 0.3)]).mean() < 2.0


def test_nothing_is_late(truth: Truth, track: FaceTrack) -> None:
    for found, true in (
        (track.pose[:, 2], truth.pose[:, 2]),
        (track.weights[:, ARKIT_INDEX["jawOpen"]], truth.weights[:, ARKIT_INDEX["jawOpen"]]),
    ):
        first = slice(2, 28)
        match = [np.corrcoef(found[2 + lag : 28 + lag], true[first])[0, 1] for lag in (-1, 0, 1)]
        assert int(np.argmax(match)) == 1
        assert match[1] > 0.95


def test_what_is_not_the_person_is_marked(truth: Truth, track: FaceTrack) -> None:
    np.testing.assert_array_equal(track.seen, own())
    assert track.cuts == (_CUT, _STRANGER.start)
    assert any("no face" in note for note in track.notes)
    assert any("somebody else" in note for note in track.notes)
    inside = track.pose[_LOST, 2]
    before, after = track.pose[_LOST.start - 1, 2], track.pose[_LOST.stop, 2]
    assert min(before, after) - 0.01 <= inside.min() <= inside.max() <= max(before, after) + 0.01
    assert np.isfinite(track.weights).all()
    assert (track.weights >= 0).all()
    assert (track.weights <= 1).all()


def test_a_video_without_a_face_says_so(truth: Truth) -> None:
    rows = truth.rows.copy()
    rows[10:, 1], rows[10:, 3:] = 0.0, np.nan
    with pytest.raises(InputError, match="11% of the pictures show a face"):
        fit_sightings(Sightings(rows), _SIZE)


def test_poses_and_cameras_are_each_others_reverse() -> None:
    rng = np.random.default_rng(0)
    pivot = (0.01, 0.05, -0.03)
    for _ in range(20):
        pose = rng.normal(size=6) * 0.3
        posed = posed_camera(_CAMERA, pivot, pose)
        np.testing.assert_allclose(relative_pose(_CAMERA, pivot, posed), pose, atol=1e-12)
        point = rng.normal(size=3)
        turn = Rotation.from_rotvec(pose[:3])
        moved = turn.apply(point - pivot) + np.array(pivot) + pose[3:]
        np.testing.assert_allclose(posed.view(point), _CAMERA.view(moved), atol=1e-12)


def test_eliminating_the_pictures_changes_no_step() -> None:
    """The step of all pictures at once, by the Schur complement, is that of the whole system."""
    head = load_head()
    model, rng = PointModel.of(head), np.random.default_rng(1)
    problems, states = [], []
    for turn in (-0.2, 0.1, 0.3):
        camera = posed_camera(_CAMERA, head.pivot, np.array([0, 0, turn, 0, 0, 0]))
        identity, weights = rng.normal(size=64) * 0.3, rng.uniform(0.1, 0.3, 52)
        flat = camera.project(model.place(identity, weights, np.zeros(4)))[:, :2].astype(np.float64)
        state = first_state(model, flat, np.arange(478), _CAMERA.centre, 640.0)
        state = replace(state, weights=np.full(52, 0.2), camera=replace(state.camera, focal=900.0))
        states.append(state)
        problems.append(Problem(model, flat, pixel_noise(model, state.camera), 640.0, np.full(52, 0.3)))
    together, moves = shared_step(problems, states, damping=0.0)
    size = 7 + 64 + 52 + 4
    shared, local = np.arange(6, 71), np.setdiff1d(np.arange(size), np.arange(6, 71))
    places = [
        np.concatenate([np.arange(65), 65 + 62 * k + np.arange(62)]) for k in range(3)
    ]  # of [shared, local] in the whole system
    whole, slope = np.zeros((65 + 3 * 62,) * 2), np.zeros(65 + 3 * 62)
    for place, problem, state in zip(places, problems, states, strict=True):
        residual, jacobian = linearised(problem, state)
        gradient, curve = prior_terms(problem, state)
        curve[7:71] = 0.0
        gradient[7:71] = 0.0
        order = np.concatenate([shared, local])
        whole[np.ix_(place, place)] += (jacobian.T @ jacobian + curve)[np.ix_(order, order)]
        slope[place] += (jacobian.T @ residual + gradient)[order]
    whole[1:65, 1:65] += model.precision
    slope[1:65] += model.precision @ states[0].identity
    expected = -np.linalg.solve(whole, slope)
    np.testing.assert_allclose(together, expected[:65], rtol=1e-5, atol=1e-7)
    for move, place in zip(moves, places, strict=True):
        np.testing.assert_allclose(move[local], expected[place[65:]], rtol=1e-5, atol=1e-7)


def test_smoothing_takes_jitter_and_leaves_closures() -> None:
    rng = np.random.default_rng(2)
    still = rng.normal(0, 0.01, (300, 6))
    noise = jitter(np.concatenate([still, rng.normal(0, 0.01, (100, 6)) + np.sin(np.arange(100))[:, None]]))
    assert (noise > 0.5 * 0.01).all()
    assert (noise < 1.5 * 0.01).all()
    calm = smoothed(still, noise, 2)
    assert calm[5:-5].std() < 0.75 * still[5:-5].std()
    closing = still.copy()
    closing[150:152] += 0.3  # 30 times the jitter
    kept = smoothed(closing, noise, 2)
    assert (kept[150:152] > 0.25).all()
    assert np.abs(kept[[148, 153]]).max() < 0.1
    np.testing.assert_allclose(smoothed(closing[::-1], noise, 2)[::-1], kept, atol=1e-12)
    np.testing.assert_array_equal(smoothed(closing[:5], noise, 2), closing[:5])


def lips_seen(face: FaceFile, moved: Array) -> tuple[PointModel, FrameFits, Array]:
    """The head at rest before the camera, and landmarks [1, 478, 3] displaced by `moved` [478, 3] metres."""
    model = person_model(face)
    marks = _CAMERA.project(model.place(np.zeros(0), np.zeros(52), np.zeros(4)) + moved)
    fits = FrameFits(
        _CAMERA.rotation[None], _CAMERA.translation[None], np.zeros((1, 52)), np.zeros((1, 4)), np.zeros(1)
    )
    return model, fits, marks[None].astype(np.float64)


def test_lip_offsets_are_what_moved_the_lips() -> None:
    face = load_head()
    fields = np.zeros((len(face.lip_basis), *face.vertices.shape), np.float32)
    fields[:, face.lip_index] = face.lip_basis
    at = landmark_points(face).of(fields)
    strongest = int(np.linalg.norm(at[..., [0, 2]], axis=(1, 2)).argmax())
    moved = at[strongest] * (1.5e-3 / np.linalg.norm(at[strongest], axis=1).max())
    model, fits, marks = lips_seen(face, moved)
    found = lip_offsets(face, model, fits, _CAMERA, marks)[0]
    shown = np.tensordot(found, at, 1)[:, [0, 2]]
    assert 0.1 < (shown * moved[:, [0, 2]]).sum() / (moved[:, [0, 2]] ** 2).sum() < 1.0
    model, fits, marks = lips_seen(face, 50 * moved)
    limited = np.tensordot(lip_offsets(face, model, fits, _CAMERA, marks)[0], face.lip_basis, 1)
    assert np.linalg.norm(limited, axis=1).max() == pytest.approx(3e-3, rel=1e-3)
    model, fits, marks = lips_seen(face, 0 * moved)
    np.testing.assert_allclose(lip_offsets(face, model, fits, _CAMERA, marks), 0, atol=1e-3)


def test_lips_touch_where_their_landmarks_do() -> None:
    face = load_head()
    for gap, low, high in ((0.1e-3, 0.99, 1.0), (0.6e-3, 0.1, 0.9), (2e-3, 0.0, 0.01)):
        model, fits, marks = lips_seen(face, np.zeros((478, 3)))
        step = _CAMERA.focal / float(_CAMERA.view(model.mean[13])[2])
        marks[0, [178, 87, 14, 317, 402]] = marks[0, [81, 82, 13, 312, 311]] + [0, gap * step, 0]
        contact = lip_contact(fits, model, _CAMERA, marks)[0]
        assert low <= contact <= high, gap


class Watcher:
    """A source whose face is where the picture's brightness says; dark pictures show none."""

    def __init__(self) -> None:
        self.looks = 0

    def detect(self, picture: Array) -> list[DetectedFace]:
        self.looks += 1
        if picture[0, 0, 0] < 10:
            return []
        marks = np.full((478, 3), float(picture[0, 0, 0]), np.float32) + np.arange(478)[:, None]
        return [DetectedFace((0, 0, 1, 1), marks, 0.9)]

    def follow(self, picture: Array) -> DetectedFace | None:
        return next(iter(self.detect(picture)), None)


def test_a_lost_face_is_not_looked_for_in_every_picture() -> None:
    levels = [100] * 5 + [0] * 50 + [100] * 5

    def pictures() -> Iterator[tuple[float, Array]]:
        for index, level in enumerate(levels):
            yield index / 25, np.full((40, 60, 3), level, np.uint8)

    source = Watcher()
    found = Sightings(np.array(list(sight(pictures(), source))))
    assert source.looks < 40
    assert (found.confidence[:5] > 0).all()
    assert (found.confidence[5:55] == 0).all()
    assert (found.confidence[55:] > 0).all()
    assert found.cuts() == (5, 55)
    np.testing.assert_allclose(found.landmarks[2, :, 0], 100 + np.arange(478))


def test_a_face_that_jumps_is_a_cut(truth: Truth) -> None:
    rows = truth.rows[:20].copy()
    rows[:, 2] = 0.0
    rows[12:, 3::3] += 400.0
    assert Sightings(rows).cuts() == (12,)

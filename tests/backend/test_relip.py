"""Another voice for a video: which pictures are shown, and what a new mouth may change of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("cv2")
pytest.importorskip("mediapipe")

from backend.media.video import write_video
from backend.movie.relip import pictures, pictures_in_order
from blender_addon.protocol.arkit import ARKIT_INDEX, LIP_SHAPES, OTHER_SHAPES
from blender_addon.protocol.clip import ClipInfo, expression_clip
from models.face.deform import Deformer
from models.portrait.points import landmark_points
from models.portrait.studio import studio_portrait
from models.portrait.track import FaceTrack
from models.video.motion import FrameMotion
from models.video.relip import (
    LowerFace,
    back_and_forth,
    new_mouths,
    picture_fit,
    steady_landmarks,
)

LEVELS = np.arange(30, 230, 5)  # 40 pictures


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "steps.mp4"
    write_video(path, (np.full((48, 64, 3), level, np.uint8) for level in LEVELS), 25, None)
    return path


def shown(images: object) -> list[int]:
    """Numbers of the pictures."""
    return [int(np.abs(LEVELS - image.mean()).argmin()) for image in images]


@given(st.integers(1, 50), st.integers(1, 300))
def test_a_video_is_played_back_and_forth(available: int, wanted: int) -> None:
    order = back_and_forth(available, wanted)
    assert len(order) == wanted
    head = min(available, wanted)
    assert order[:head].tolist() == list(range(head))
    assert {abs(int(b) - int(a)) for a, b in pairwise(order)} <= ({0} if available == 1 else {1})
    assert 0 <= order.min() <= order.max() < available


@pytest.mark.parametrize("wanted", [5, 40, 41, 60, 130])
def test_pictures_come_in_any_order(video: Path, wanted: int) -> None:
    order = back_and_forth(len(LEVELS), wanted)
    assert shown(pictures_in_order(video, 25.0, order)) == order.tolist()


@pytest.mark.parametrize("fps", [12.5, 23.976, 25.0, 50.0])
def test_any_rate_shows_the_picture_of_its_time(video: Path, fps: float) -> None:
    found = shown(pictures(video, fps))
    expected = [int(number / fps * 25 + 1e-3 * 25) for number in range(len(found))]
    assert found == expected
    assert len(found) == pytest.approx(len(LEVELS) / 25 * fps, abs=1)
    assert shown(pictures(video, fps, 7))[:5] == found[7:12]


def drawn_track(frames: int = 6) -> FaceTrack:
    """A head that turns, seen without error but for one landmark's tremble."""
    portrait = studio_portrait(256)
    rng = np.random.default_rng(2)
    weights = rng.uniform(0, 0.5, (frames, 52)).astype(np.float32)
    pose = np.zeros((frames, 6), np.float32)
    pose[:, 2] = np.linspace(0, 0.1, frames)
    fit = portrait.fit
    return FaceTrack(
        face=fit.face,
        identity=fit.identity,
        times=np.arange(frames) / 25,
        weights=weights,
        lip=np.zeros((frames, 0), np.float32),
        contact=np.zeros(frames, np.float32),
        pose=pose,
        gaze=np.zeros((frames, 4), np.float32),
        camera=fit.camera,
        confidence=np.ones(frames, np.float32),
        landmarks=np.tile(fit.landmarks, (frames, 1, 1)),
        size=fit.size,
    )


def test_only_the_mouth_is_new() -> None:
    track = drawn_track()
    rng = np.random.default_rng(4)
    weights = rng.uniform(0, 0.6, (10, 52)).astype(np.float32)
    contact = np.zeros((10, 2), np.float32)
    contact[4] = (1.0, 0.0)
    order = back_and_forth(track.frames, 10)
    motions = new_mouths(track, expression_clip(ClipInfo(fps=25.0), weights, contact), order)
    others = list(OTHER_SHAPES)
    for number, motion in zip(order, motions, strict=True):
        np.testing.assert_array_equal(motion.weights[others], track.weights[number][others])
        assert not motion.pose.any()
        assert motion.gaze.size == 0
    spoken = np.array([motion.weights for motion in motions])[:, ARKIT_INDEX["jawOpen"]]
    assert np.corrcoef(spoken, weights[:, ARKIT_INDEX["jawOpen"]])[0, 1] > 0.9
    assert np.abs(motions[4].lip).max() > 0.0


def test_the_mask_holds_both_mouths_and_leaves_the_eyes() -> None:
    track = drawn_track()
    fit = picture_fit(track, 0, track.landmarks[0], np.zeros((9, 3)))
    weights = track.weights[0].copy()
    weights[ARKIT_INDEX["jawOpen"]] = 0.9
    motion = FrameMotion(weights, np.zeros(0), np.zeros(6), np.zeros(0))
    mask = LowerFace(track).mask(fit, motion)
    deformer = Deformer(track.face)
    lips = np.concatenate([track.face.rings["lip_upper"], track.face.rings["lip_lower"]])
    lids = np.concatenate([track.face.rings["lid_upper.L"], track.face.rings["lid_upper.R"]])
    for own in (fit.weights, weights):
        x, y = np.floor(fit.camera.project(deformer(own)[lips])[:, :2]).astype(int).T
        assert mask[y, x].min() > 0.99
    x, y = np.floor(fit.camera.project(deformer(fit.weights)[lids])[:, :2]).astype(int).T
    assert mask[y, x].max() < 0.05
    assert mask[0].max() == mask[:, 0].max() == 0.0


def test_tremble_of_landmarks_is_averaged_and_their_place_stays() -> None:
    track = drawn_track(60)
    points, deformer = landmark_points(track.face), Deformer(track.face)
    rng = np.random.default_rng(0)
    misfit = rng.normal(0, 2, (478, 3))
    true = misfit + [
        points.of(track.camera_at(frame).project(deformer(track.weights[frame]))) for frame in range(60)
    ]
    seen = replace(track, landmarks=true + rng.normal(0, 1, true.shape))
    away = steady_landmarks(seen) - true
    assert away.std() < 0.5
    assert np.abs(away.mean(0)).max() < 0.6


def test_lip_shapes_are_what_is_replaced() -> None:
    assert not set(LIP_SHAPES) & set(OTHER_SHAPES)


def test_a_video_without_a_face_is_one_clear_line(tmp_path: Path) -> None:
    from backend.demo import DEMO_VOICE
    from backend.movie.making import Settings, make_movie
    from blender_addon.protocol.errors import InputError

    video = tmp_path / "gray.mp4"
    write_video(video, (np.full((48, 64, 3), 90, np.uint8) for _ in range(2)), 25, None)
    with pytest.raises(InputError, match="face"):
        make_movie(video, DEMO_VOICE, tmp_path / "x.mp4", Settings(), lambda _: None)
    assert not (tmp_path / "x.mp4").exists()

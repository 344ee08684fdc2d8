"""From a video to a clip: resuming, resampling, what training reads, one-line errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.media.video import write_video
from backend.tracking import TrackPlan, find_landmarks, motion_clip, stored_sightings
from blender_addon.protocol.arkit import ARKIT_INDEX
from blender_addon.protocol.clip import write_clip
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import write_face
from blender_addon.protocol.tensorfile import Array
from models.face import eye_rotation, load_head
from models.portrait.landmarks import DetectedFace
from models.portrait.track import FaceTrack
from models.render.camera import Pinhole
from training.dataset import clip_paths, read_dataset

_FRAMES = 120


class Reader:
    """A source that reads the frame's number from its brightness, and may be stopped."""

    def __init__(self, stop_at: int = 10**9) -> None:
        self.seen: list[int] = []
        self._stop_at = stop_at

    def detect(self, picture: Array) -> list[DetectedFace]:
        number = round(float(picture.mean()) / 2)
        if number >= self._stop_at:
            raise KeyboardInterrupt
        self.seen.append(number)
        marks = np.full((478, 3), number, np.float32) + np.arange(478, dtype=np.float32)[:, None]
        return [DetectedFace((0, 0, 1, 1), marks, 1.0)]

    def follow(self, picture: Array) -> DetectedFace | None:
        return self.detect(picture)[0]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "film.mp4"
    pictures = (np.full((64, 64, 3), 2 * number, np.uint8) for number in range(_FRAMES))
    write_video(path, pictures, 25.0, None)
    return path


def test_a_stopped_run_goes_on_where_it_was(video: Path, tmp_path: Path) -> None:
    plan = TrackPlan(video, tmp_path / "one.safetensors")
    with pytest.raises(KeyboardInterrupt):
        find_landmarks(plan, Reader(stop_at=113), lambda steps: None)
    with plan.sightings.open("ab") as file:  # a row that was only half written
        file.write(b"\1" * 1000)
    source, steps = Reader(), []
    find_landmarks(plan, source, steps.append)
    assert len(source.seen) == _FRAMES - 100
    np.testing.assert_allclose(source.seen, np.arange(100, _FRAMES), atol=1)  # coding rounds
    assert sum(steps) == _FRAMES
    whole = TrackPlan(video, tmp_path / "two.safetensors")
    find_landmarks(whole, Reader(), lambda steps: None)
    found, expected = stored_sightings(plan), stored_sightings(whole)
    np.testing.assert_array_equal(found.landmarks, expected.landmarks)
    np.testing.assert_allclose(found.times, np.arange(_FRAMES) / 25, atol=1e-5)
    np.testing.assert_allclose(found.landmarks[:, 0, 0], np.arange(_FRAMES), atol=1.01)


def test_another_video_begins_anew(video: Path, tmp_path: Path) -> None:
    plan = TrackPlan(video, tmp_path / "one.safetensors")
    find_landmarks(plan, Reader(), lambda steps: None)
    other = tmp_path / "other.mp4"
    write_video(other, (np.full((64, 64, 3), 2 * number, np.uint8) for number in range(60)), 25.0, None)
    source = Reader()
    find_landmarks(TrackPlan(other, plan.out), source, lambda steps: None)
    assert len(source.seen) == 60
    assert len(stored_sightings(TrackPlan(other, plan.out)).rows) == 60


def made_track(times: Array, confidence: Array) -> FaceTrack:
    frames = len(times)
    weights = np.zeros((frames, 52), np.float32)
    weights[:, ARKIT_INDEX["jawOpen"]] = np.clip(times / 10, 0, 1)
    gaze = np.stack([0.1 * np.sin(times)] * 4, 1).astype(np.float32)
    return FaceTrack(
        face=load_head(),
        identity=np.zeros(64, np.float32),
        times=times,
        weights=weights,
        lip=np.zeros((frames, 16), np.float32),
        contact=np.full(frames, 0.5, np.float32),
        pose=np.stack([times / 20] * 6, 1).astype(np.float32),
        gaze=gaze,
        camera=Pinhole(np.eye(3), np.array([0.0, 0.0, 1.0]), 500.0, (32.0, 32.0)),
        confidence=confidence.astype(np.float32),
        landmarks=np.zeros((frames, 478, 3), np.float32),
        size=(64, 64),
    )


def test_an_uneven_frame_rate_becomes_even() -> None:
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0.02, 3.0, 90))
    confidence = np.ones(90)
    confidence[40:60] = 0.0
    clip = motion_clip(made_track(times, confidence), 25.0, "who")
    grid = np.arange(clip.frames) / 25
    assert clip.duration >= times[-1]
    inside = (grid >= times[0]) & (grid <= times[-1])
    np.testing.assert_allclose(clip.weights[inside, ARKIT_INDEX["jawOpen"]], grid[inside] / 10, atol=1e-6)
    np.testing.assert_allclose(clip.pose[inside, 3], grid[inside] / 20, atol=1e-6)
    np.testing.assert_allclose(eye_rotation(clip.weights), clip.gaze, atol=1e-5)
    known = clip.layers["known"]["weights"]
    assert not known[:, ARKIT_INDEX["tongueOut"]].any()
    lost = (grid > times[40]) & (grid < times[59])
    assert not known[lost].any()
    assert known[(grid > times[0]) & (grid < times[39]), ARKIT_INDEX["jawOpen"]].all()
    assert not clip.layers["known"]["contact"][:, 1].any()


def test_training_reads_clips_and_leaves_heads_alone(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    times = np.arange(50) / 25
    clip = motion_clip(made_track(times, np.ones(50)), 25.0, "who")
    soundfile.write(tmp_path / "who.wav", np.zeros(32_000, np.float32), 16_000)
    info = replace(clip.info, audio_path="who.wav", audio_duration=2.0)
    write_clip(tmp_path / "who.safetensors", replace(clip, info=info))
    write_face(tmp_path / "who.face.safetensors", load_head())
    assert clip_paths(tmp_path) == [tmp_path / "who.safetensors"]
    (utterance,) = read_dataset(tmp_path)
    assert utterance.motion is not None
    assert utterance.motion.knows_weights[:-1, ARKIT_INDEX["jawOpen"]].all()
    assert not utterance.motion.knows_weights[:, ARKIT_INDEX["tongueOut"]].any()
    assert utterance.motion.knows_contact[:-1, 0].all()
    assert not utterance.motion.knows_contact[:, 1].any()


def test_the_clip_of_a_folder_is_named_after_the_video(tmp_path: Path) -> None:
    plan = TrackPlan(Path("talk.mov"), tmp_path)
    assert plan.clip == tmp_path / "talk.safetensors"
    assert plan.sound == tmp_path / "talk.flac"
    assert TrackPlan(Path("talk.mov"), tmp_path / "a.safetensors").clip == tmp_path / "a.safetensors"


def test_a_video_without_a_face_is_one_line(video: Path, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    from backend.tracking import track_video

    short = tmp_path / "grey.mp4"
    write_video(short, (np.full((64, 64, 3), 90, np.uint8) for _ in range(3)), 25.0, None)
    with pytest.raises(InputError, match=r"grey\.mp4: 0% of the pictures show a face"):
        track_video(TrackPlan(short, tmp_path / "x.safetensors"))
    assert not (tmp_path / "x.safetensors").exists()

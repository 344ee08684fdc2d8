"""Head pose from face landmarks, on heads whose pose is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.face.load import load_head
from training.evaluate.head_track import HeadTrack, head_of
from training.evaluate.mouth_track import EYE_DISTANCE

PIXELS = 2500.0  # per metre at 0.6 m
PLACES = {33: (-0.045, 0.0, 0.0), 263: (0.045, 0.0, 0.0), 10: (0.0, -0.02, 0.08), 152: (0.0, -0.02, -0.1)}


def face() -> Array:
    """[478, 3] metres about the middle of the eyes: left, back, up."""
    points = np.random.default_rng(0).uniform(-0.06, 0.06, (478, 3))
    for number, place in PLACES.items():
        points[number] = place
    points[468], points[473] = (-EYE_DISTANCE / 2, 0.0, 0.0), (EYE_DISTANCE / 2, 0.0, 0.0)
    return points


def filmed(pose: Array) -> Array:
    """[F, 6] -> landmarks [F, 478, 3]: right, down and away, in pixels."""
    head = load_head()
    eyes = np.mean([bone.head for bone in head.bones if bone.name.startswith("eye")], axis=0)
    below = np.array(head.pivot) - eyes
    turned = Rotation.from_rotvec(pose[:, :3]).as_matrix()
    points = (face() - below) @ turned.transpose(0, 2, 1) + below + pose[:, None, 3:]
    scale = PIXELS * 0.6 / (0.6 + points[..., 1].mean(1))
    seen = points[..., [0, 2, 1]] * (1, -1, 1) * scale[:, None, None]
    return np.asarray(seen + np.array([300.0, 200.0, 0.0]))


def poses(frames: int = 120) -> Array:
    """[F, 6] movement of mean 0 on all axes."""
    phase = 2 * np.pi * np.arange(frames)[:, None] / frames * np.array([1, 2, 3, 4, 5, 6])
    return np.asarray(np.sin(phase) * (0.15, 0.08, 0.2, 0.01, 0.008, 0.01))


def test_a_known_movement_is_found() -> None:
    truth = poses()
    found = head_of(filmed(truth), 25.0, "film").pose
    assert np.allclose(found[:, :3], truth[:, :3], atol=1e-6)  # the film, too, is of a camera far away
    assert np.allclose(found[:, 3:], truth[:, 3:], atol=5e-4)


def test_a_head_that_looks_past_the_camera_moves_in_its_own_axes() -> None:
    aside = Rotation.from_rotvec([0.0, 0.0, 0.5])  # half a radian to the left, throughout
    nod = np.zeros((100, 3))
    nod[:, 0] = 0.1 * np.sin(2 * np.pi * np.arange(100) / 50)
    pose = np.zeros((100, 6))
    pose[:, :3] = (aside * Rotation.from_rotvec(nod)).as_rotvec()
    found = head_of(filmed(pose), 25.0, "film").pose
    assert np.allclose(found[:, :3], nod, atol=1e-6)


def test_frames_without_a_face_are_bridged() -> None:
    film = filmed(poses())
    film[40:44] = np.nan
    track = head_of(film, 25.0, "film")
    assert (~track.seen).sum() == 4
    assert np.allclose(track.pose[40:44, :3], poses()[40:44, :3], atol=np.radians(2.0))
    film[:80] = np.nan
    with pytest.raises(InputError, match="33% of its frames"):
        head_of(film, 25.0, "film")


def test_other_rates_keep_gestures_and_lose_noise() -> None:
    times = np.arange(300) / 30.0
    slow, fast = np.sin(2 * np.pi * 2.0 * times), 0.2 * np.sin(2 * np.pi * 12.0 * times)
    track = HeadTrack(30.0, np.stack([slow + fast] * 6, axis=1), np.ones(300, bool))
    at = track.at(25.0)
    assert at.shape == (250, 6)
    assert at.dtype == np.float32
    middle = slice(20, -20)
    expected = np.sin(2 * np.pi * 2.0 * np.arange(250) / 25.0)
    assert np.allclose(at[middle, 2], expected[middle], atol=0.02)

"""A head that is turned and moved by known amounts before a made-up camera."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from training.evaluate.head_track import head_of
from training.evaluate.mouth_track import EYE_DISTANCE, PUPILS, FaceTrack

_HEIGHT, _DISTANCE = 480, 0.6  # pixels, metres
_FOCAL = _HEIGHT / 2 / np.tan(np.radians(63 / 2))


def filmed(pose, seed=0):
    """[F, 6] poses about the pivot -> landmarks of a scaled orthographic camera that looks along +Y."""
    rng = np.random.default_rng(seed)
    face = np.array([0.0, -0.085, 0.03]) + rng.uniform(-0.06, 0.06, (478, 3))
    for landmark, side in zip(PUPILS, (-1.0, 1.0), strict=True):
        face[landmark] = (side * EYE_DISTANCE / 2, -0.09, 0.03)
    turned = np.einsum("fij,nj->fni", Rotation.from_rotvec(pose[:, :3]).as_matrix(), face) + pose[:, None, 3:]
    depth = _DISTANCE + turned[..., 1].mean(1)
    pixels = turned[..., [0, 2, 1]] * [1.0, -1.0, 1.0] * (_FOCAL / depth)[:, None, None]
    return FaceTrack(25.0, [*pixels, 240.0, 200.0, 0.0], _HEIGHT)


def moving(frames=100):
    time = np.arange(frames)[:, None] / 25
    pose = np.sin(2 * np.pi * time * [0.5, 0.8, 0.3, 0.4, 0.25, 0.6] + np.arange(6))
    return pose * [0.12, 0.06, 0.2, 0.01, 0.02, 0.006]


def test_turns_and_shifts_come_back():
    pose = moving()
    found = head_of(filmed(pose), "test").pose
    expected = pose - np.median(pose, axis=0)
    assert np.abs(found - expected)[:, :3].max() < np.radians(1.2)  # rest is a mean turn, not a mean vector
    assert np.abs(found - expected)[:, 3:].max() < 0.003
    for axis in range(6):
        assert np.corrcoef(found[:, axis], pose[:, axis])[0, 1] > 0.985


@pytest.mark.parametrize("axis", range(3))
def test_one_axis_stays_one_axis(axis):
    pose = np.zeros((60, 6))
    pose[:, axis] = 0.2 * np.sin(np.arange(60) / 4)
    found = head_of(filmed(pose), "test").pose
    assert found[:, axis] == pytest.approx(pose[:, axis] - np.median(pose[:, axis]), abs=1e-6)
    others = [other for other in range(3) if other != axis]
    assert np.abs(found[:, others]).max() < 1e-6


def test_what_is_not_seen_is_bridged():
    pose = np.zeros((50, 6))
    pose[:, 2] = np.linspace(-0.1, 0.1, 50)
    face = filmed(pose)
    face.landmarks[20:25] = np.nan
    found = head_of(face, "test")
    assert (~found.seen).sum() == 5
    assert found.pose[:, 2] == pytest.approx(pose[:, 2], abs=1e-3)

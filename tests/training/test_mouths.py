"""A real mouth's measures from landmarks, and how drawn curves are compared with it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from blender_addon.protocol.errors import InputError
from training.evaluate import mouth_track, mouths


def face(gap, width, seed=0):
    """[F, 478, 3] a rigid face whose inner lips and corners are `gap` and `width` [F] apart, eyes 0.063."""
    rng = np.random.default_rng(seed)
    points = np.repeat(rng.uniform(-0.08, 0.08, (1, 478, 3)), len(gap), axis=0)
    for landmark, position in ((468, (-0.0315, 0.04, 0)), (473, (0.0315, 0.04, 0))):
        points[:, landmark] = position
    for landmark, offset, axis in (
        (13, gap / 2, 1),
        (14, -gap / 2, 1),
        (78, -width / 2, 0),
        (308, width / 2, 0),
    ):
        points[:, landmark] = (0.0, -0.04, 0.01)
        points[:, landmark, axis] += offset
    return points


def filmed(points, seed=1):
    """Turned up to 35 degrees, moved and nearer or farther, frame by frame."""
    rng = np.random.default_rng(seed)
    turns = Rotation.from_rotvec(rng.uniform(-0.6, 0.6, (len(points), 3))).as_matrix()
    scale = rng.uniform(400, 900, (len(points), 1, 1))
    return scale * np.einsum("fij,fnj->fni", turns, points) + rng.uniform(0, 500, (len(points), 1, 3))


def test_head_turns_and_distance_are_taken_out():
    time = np.arange(60) / 25
    gap, width = 0.01 + 0.008 * np.sin(5 * time), 0.05 + 0.006 * np.cos(3 * time)
    track = mouth_track.mouth_of(filmed(face(gap, width)), 25.0, "test")
    assert np.allclose(track.gap, gap, atol=2e-4)
    assert np.allclose(track.width, width, atol=4e-4)
    assert track.seen.all()


def test_frames_without_a_face_are_bridged():
    points = face(np.linspace(0, 0.02, 40), np.full(40, 0.05))
    points[10:13] = np.nan
    track = mouth_track.mouth_of(points, 25.0, "test")
    assert (~track.seen).sum() == 3
    assert np.allclose(track.gap, np.linspace(0, 0.02, 40), atol=1e-6)
    points[:30] = np.nan
    with pytest.raises(InputError, match="25% of its frames"):
        mouth_track.mouth_of(points, 25.0, "test")


def wandering(count, seed):
    return gaussian_filter1d(np.random.default_rng(seed).standard_normal(count), 4.0)


@pytest.mark.parametrize("late", [-20, -7, 0, 12])
def test_a_late_copy_is_found_at_its_lag(late):
    long = wandering(1000, 0)
    real, drawn = long[100:900], 3.0 * long[100 - late : 900 - late] + 1.0
    found = mouths.agreement(drawn, real, np.ones(800, bool), late=-late / 100)
    assert found.lag_ms == 10 * late
    assert found.aligned == found.best
    assert found.best > 0.97
    assert found.chance < 0.7


def test_other_curves_are_within_chance():
    inside = 0
    for seed in range(12):
        found = mouths.agreement(wandering(800, seed), wandering(800, 100 + seed), np.ones(800, bool))
        inside += found.best <= found.chance
    assert inside >= 9


def test_only_the_used_frames_count():
    real = wandering(800, 3)
    drawn = real.copy()
    drawn[400:] = wandering(400, 4)
    used = np.arange(800) < 380
    assert mouths.agreement(drawn, real, used).best > 0.97
    assert mouths.agreement(drawn, real, ~used).best < 0.7


def test_loudness_opens_the_mouth_where_it_is_loud():
    samples = np.zeros(32000, np.float32)
    samples[16000:24000] = 0.5 * np.sin(np.arange(8000) * 0.3)
    gap = mouths.loudness_mouth(samples, 2.0)["gap"]
    assert gap[125] > 0.3
    assert gap[50] < 0.01

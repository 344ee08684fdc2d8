"""The layers of life as a stream: any chunking, look-ahead, layers that do not disturb each other, bounds."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.protocol.arkit import ARKIT_NAMES
from blender_addon.protocol.controls import HeadControls
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.face import eye_rotation
from blender_addon.protocol.tensorfile import Array
from models.life import LifeChunk, LifeStream

TENSORS = [field.name for field in fields(LifeChunk) if field.name != "start"]


def _talk(seconds: float, fps: float, seed: int) -> tuple[Array, Array]:
    """Pose [F, 6] that sways and activity [F] with phrases and pauses."""
    random = np.random.default_rng(seed)
    times = np.arange(int(seconds * fps)) / fps
    edges = np.cumsum(random.uniform(0.1, 2.5, int(seconds) + 4))
    activity = (np.searchsorted(edges, times) % 2).astype(np.float32)
    phase = random.uniform(0, 6, 6)
    pose = np.sin(times[:, None] * random.uniform(0.5, 6, 6) + phase) * ([0.12] * 3 + [0.01] * 3)
    return pose.astype(np.float32), activity


def _all(stream: LifeStream, pose: Array, activity: Array, cuts: list[int]) -> dict[str, Array]:
    edges = sorted({0, *(cut % (len(pose) + 1) for cut in cuts), len(pose)})
    chunks = [stream.push(pose[a:b], activity[a:b]) for a, b in pairwise(edges)]
    chunks.append(stream.finish())
    starts = np.cumsum([0] + [len(chunk.blink) for chunk in chunks])
    assert [chunk.start for chunk in chunks] == starts[:-1].tolist()
    return {name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in TENSORS}


def _whole(fps: float, seconds: float, seed: int, **controls: float) -> dict[str, Array]:
    return _all(LifeStream(fps, seed, HeadControls(**controls)), *_talk(seconds, fps, 3), [])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(-(2**31), 2**63),
    fps=st.sampled_from([1.0, 12.5, 23.976, 24.0, 25.0, 30.0, 60.0, 240.0]),
    cuts=st.lists(st.integers(0, 10**6), max_size=12),
)
def test_any_chunking_gives_the_same_bits(seed: int, fps: float, cuts: list[int]) -> None:
    pose, activity = _talk(20.0, fps, seed % 1000)
    whole = _all(LifeStream(fps, seed), pose, activity, [])
    parts = _all(LifeStream(fps, seed), pose, activity, cuts)
    for name in TENSORS:
        assert len(whole[name]) == len(pose)
        assert np.array_equal(whole[name], parts[name]), name


@settings(max_examples=15, deadline=None)
@given(fps=st.sampled_from([10.0, 24.0, 25.0, 60.0]), at=st.floats(2.0, 18.0), seed=st.integers(0, 2**31))
def test_a_change_reaches_back_no_further_than_the_look_ahead(fps: float, at: float, seed: int) -> None:
    pose, activity = _talk(20.0, fps, seed % 1000)
    frame = int(at * fps)
    other_pose, other_activity = pose.copy(), activity.copy()
    other_pose[frame:] += 0.05
    other_activity[frame:] = 1.0 - activity[frame:]
    stream = LifeStream(fps, seed)
    before, after = (
        _all(LifeStream(fps, seed), *talk, []) for talk in ((pose, activity), (other_pose, other_activity))
    )
    for name in TENSORS:
        untouched = frame - stream.look_ahead
        assert np.array_equal(before[name][:untouched], after[name][:untouched]), name
    assert not np.array_equal(before["gaze"][frame:], after["gaze"][frame:])


@pytest.mark.parametrize("fps", [12.5, 24.0, 25.0, 30.0, 60.0, 240.0])
def test_the_look_ahead_is_short(fps: float) -> None:
    assert LifeStream(fps, 0).look_ahead / fps <= 0.8 + 0.5 / fps


def test_layers_do_not_disturb_each_other() -> None:
    """Blinks at another rate leave gaze and breath alone; strengths change only what must follow the head."""
    plain = _whole(25.0, 120.0, 5)
    often = _whole(25.0, 120.0, 5, blink_rate=2.0)
    never = _whole(25.0, 120.0, 5, blink_rate=0.0)
    for name in TENSORS:
        if name != "blink":
            assert np.array_equal(plain[name], often[name]), name
            assert np.array_equal(plain[name], never[name]), name
    assert not never["blink"].any()
    silent = _whole(25.0, 120.0, 5, blinks=0.0, gaze=0.0, breath=0.0, pitch=0.0, yaw=2.0)
    for name in ("blink", "breath_pose", "breath_weights"):
        assert np.array_equal(plain[name], silent[name]), name


def test_seeds_are_takes() -> None:
    first, again, other = (_whole(25.0, 60.0, seed) for seed in (1, 1, 2))
    for name in TENSORS:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name]), name


@pytest.mark.parametrize("fps", [1.0, 25.0, 240.0])
def test_bounds_and_types(fps: float) -> None:
    motion = _whole(fps, 120.0, 9)
    for name, values in motion.items():
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        if name not in ("gaze", "breath_pose"):
            assert values.min() >= 0.0
            assert values.max() <= 1.0
    assert np.abs(np.degrees(motion["breath_pose"][:, :3])).max() < 1.5
    assert np.abs(motion["breath_pose"][:, 3:]).max() < 0.004
    moved = {
        name: {ARKIT_NAMES[i] for i in np.flatnonzero(motion[name].any(0))}
        for name in ("blink", "gaze_weights", "breath_weights")
    }
    assert all(shape.startswith("eye") for shape in moved["blink"])
    assert all(shape.startswith("eyeLook") for shape in moved["gaze_weights"])
    assert moved["breath_weights"] <= {"jawOpen", "noseSneerLeft", "noseSneerRight"}


def test_gaze_is_what_its_weights_turn_the_eyes_by() -> None:
    motion = _whole(25.0, 120.0, 4)
    assert np.array_equal(motion["gaze"], eye_rotation(motion["gaze_weights"]).astype(np.float32))


def test_memory_stays_flat() -> None:
    """What a stream keeps after ten minutes is not more than after one."""
    stream = LifeStream(25.0, 1)
    pose, activity = _talk(60.0, 25.0, 1)
    kept = []
    for _ in range(10):
        for first in range(0, len(pose), 100):
            stream.push(pose[first : first + 100], activity[first : first + 100])
        kept.append(sum(len(part) for part in vars(stream).values() if isinstance(part, (list, np.ndarray))))
    assert max(kept[1:]) <= kept[0] + 20


@pytest.mark.parametrize("fps", [0.0, -1.0, np.nan, np.inf])
def test_a_wrong_frame_rate_is_refused(fps: float) -> None:
    with pytest.raises(InputError, match="frame rate"):
        LifeStream(fps, 0)


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(InputError, match="expected"):
        LifeStream(25.0, 0).push(np.zeros((3, 5)), np.zeros(3))


def test_the_same_plan_at_any_frame_rate() -> None:
    """In unbroken speech frames at 24 per second are every fifth of those at 120; lids only nearly so."""
    slow, fast = (
        _all(LifeStream(fps, 6), np.zeros((int(60 * fps), 6), np.float32), np.ones(int(60 * fps)), [])
        for fps in (24.0, 120.0)
    )
    for name in ("gaze_weights", "gaze", "breath_pose", "breath_weights"):
        assert np.array_equal(slow[name], fast[name][::5]), name
    lid = ARKIT_NAMES.index("eyeBlinkLeft")
    apart = np.abs(slow["blink"][:, lid] - fast["blink"][::5, lid])
    assert np.median(apart) == 0.0
    assert apart.max() < 0.5  # a closure that would fall between frames is drawn to the nearest

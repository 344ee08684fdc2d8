"""How blinks, saccades, counter-rotation and breath look frame by frame."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from blender_addon.protocol.arkit import ARKIT_INDEX, sided_indices
from blender_addon.protocol.controls import HeadControls
from blender_addon.protocol.face import eye_rotation
from blender_addon.protocol.mixing import mixed_pose, mixed_weights
from blender_addon.protocol.tensorfile import Array
from models.face import Deformer, load_head
from models.life import LifeStream
from models.life.blinks import Blink, blink_weights
from models.life.breath import Breath, breath_motion
from models.life.eyes import comfortable, eye_angles, look_weights
from models.life.gaze import Saccade, gaze_at

from .life_talk import FPS, conversation, planned

LIDS = sided_indices("eyeBlink")
FULL = Blink(1.0, 0.1, 0.02, 0.2, (1.0, 1.0), 0.0)


@settings(max_examples=200, deadline=None)
@given(
    fps=st.sampled_from([12.5, 23.976, 24.0, 25.0, 29.97, 30.0, 60.0]),
    start=st.floats(0.5, 3.0),
    closing=st.floats(0.06, 0.14),
    hold=st.floats(0.005, 0.06),
    size=st.floats(0.5, 1.0),
)
def test_no_closure_falls_between_frames(
    fps: float, start: float, closing: float, hold: float, size: float
) -> None:
    blink = Blink(start, closing, hold, 0.2, (size, size), 0.002)
    lids = blink_weights(0, int(5 * fps), fps, [blink])[:, LIDS]
    assert lids.max(0) == pytest.approx([size, size], abs=1e-6)
    deepest = lids[:, 0].argmax() / fps
    assert abs(deepest - blink.middle) <= 0.5 / fps + hold


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0])
def test_every_full_blink_of_a_stream_shuts_both_eyes(fps: float) -> None:
    activity = np.ones(int(180 * FPS))
    blinks = [blink for blink in planned(activity, 2).blinks if blink.end < 179.0]
    frames = int(180 * fps)
    stream = LifeStream(fps, 2)
    lids = np.concatenate([stream.push(np.zeros((frames, 6)), np.ones(frames)).blink, stream.finish().blink])[
        :, LIDS
    ]
    assert len(blinks) > 50
    for blink in blinks:
        seen = lids[int(blink.start * fps) : int(blink.end * fps) + 2].max(0)
        assert (seen > np.array(blink.amplitude) - 0.02).all()


def test_the_curve_of_a_blink() -> None:
    """Shuts in its time, opens slower, nearly as one; the eye turns in and down by 1 to 2 degrees."""
    fps = 1000.0
    weights = blink_weights(0, 2000, fps, [Blink(1.0, 0.1, 0.02, 0.2, (1.0, 1.0), 0.003)])
    left, right = weights[:, LIDS].T.astype(np.float64)
    assert np.flatnonzero(left > 1e-3)[0] >= 1000
    assert left[1100:1121].min() > 0.999
    assert (np.diff(left[1000:1100]) >= 0).all()
    assert (np.diff(left[1121:1325]) <= 0).all()
    assert np.abs(left - right).max() < 0.07
    speed = np.gradient(left, 1 / fps)
    assert speed.max() > 1.3 * -speed.min()
    half = np.flatnonzero(left > 0.5)
    assert 1.6 < (np.flatnonzero(left > 0.05)[-1] - 1120) / (1100 - half[0]) < 5.0
    turn = np.degrees(eye_rotation(weights))
    assert -2.0 < turn[:, [0, 2]].min(0).max() < -1.0
    assert -2.0 < turn[:, 1].min() < -0.8
    assert 0.8 < turn[:, 3].max() < 2.0
    assert turn[:, 0].argmin() < 1100


def test_a_double_blink_is_the_larger_of_its_two() -> None:
    second = Blink(1.15, 0.1, 0.02, 0.2, (0.8, 0.8), 0.0)
    both = blink_weights(0, 60, 30.0, [FULL, second])[:, LIDS]
    apart = [blink_weights(0, 60, 30.0, [blink])[:, LIDS] for blink in (FULL, second)]
    assert np.array_equal(both, np.maximum(*apart))


def test_peak_speeds_of_saccades() -> None:
    """Main sequence: about 250, 400 and 550 degrees per second at 5, 10 and 20 degrees (Becker 1989)."""
    times = np.arange(0.0, 0.4, 1e-4)
    for size, low, high in ((5.0, 200, 330), (10.0, 330, 480), (20.0, 450, 640)):
        saccade = Saccade(0.1, 0.021 + 0.0022 * size, (0.0, 0.0), (size, 0.0))
        path = gaze_at(times, [saccade], 0)[:, 0]
        assert low < np.gradient(path, times).max() < high
        assert path[-1] - path[0] == pytest.approx(size, abs=0.5)


def test_drift_between_saccades_is_small_and_slow() -> None:
    times = np.arange(0.0, 600.0, 0.01)
    drift = gaze_at(times, [], 5)
    drift = drift - drift.mean(0)
    assert 0.05 < drift.std() < 0.2
    assert np.abs(np.gradient(drift, 0.01, axis=0)).max() < 3.0


@settings(max_examples=60, deadline=None)
@given(
    target=st.tuples(st.floats(-20, 20), st.floats(-12, 12)),
    turn=st.tuples(st.floats(-0.2, 0.2), st.floats(-0.15, 0.15), st.floats(-0.3, 0.3)),
    shift=st.tuples(*[st.floats(-0.02, 0.02)] * 3),
)
def test_eyes_meet_at_the_target_in_any_pose(
    target: tuple[float, float], turn: tuple[float, ...], shift: tuple[float, ...]
) -> None:
    """The built-in head's own eye bones: both optical axes pass through one point, 1 m from between them."""
    pose = np.array([*turn, *shift])
    angles = eye_angles(np.array([target]), pose[None])
    if np.abs(np.degrees(angles)).max() > 24:
        return
    bones = DEFORMER.bone_transforms(look_weights(angles)[0], pose.astype(np.float32))
    left, up = np.radians(target)
    toward = np.array([math.sin(left) * math.cos(up), -math.cos(left) * math.cos(up), math.sin(up)])
    point = (EYES[0] + EYES[1]) / 2 + toward
    for place, bone in zip(EYES, EYE_BONES, strict=True):
        centre = bones[bone] @ [*place, 1.0]
        axis = bones[bone][:, :3] @ [0.0, -1.0, 0.0]
        seen = (point - centre) / np.linalg.norm(point - centre)
        assert math.degrees(math.acos(min(1.0, float(axis @ seen)))) < 0.15


HEAD = load_head()
DEFORMER = Deformer(HEAD)
EYE_BONES = [[bone.name for bone in HEAD.bones].index(name) for name in ("eye.L", "eye.R")]
EYES = [np.array(HEAD.bones[bone].head) for bone in EYE_BONES]


def test_gaze_stays_while_the_head_turns() -> None:
    """Between saccades the eye's direction in space keeps to half a degree, breath and strengths included."""
    fps, controls = 100.0, HeadControls(yaw=1.5, pitch=0.5, breath=2.0)
    times = np.arange(0.0, 60.0, 1 / fps)
    turn = np.stack([0.08 * np.sin(5 * times), 0.05 * np.sin(3 * times), 0.1 * np.sin(4 * times)], axis=1)
    pose = np.concatenate([turn, np.zeros_like(turn)], axis=1).astype(np.float32)
    activity = np.interp(times, np.arange(60 * FPS) / FPS, conversation(60.0, 2)).astype(np.float32)
    stream = LifeStream(fps, 8, controls)
    chunks = [stream.push(pose, activity), stream.finish()]
    gaze = np.concatenate([chunk.gaze for chunk in chunks]).astype(np.float64)
    breath = np.concatenate([chunk.breath_pose for chunk in chunks])
    head = mixed_pose({"speech": {"pose": pose}, "breath": {"pose": breath}}, controls)
    space = _seen(head, gaze)
    eased = (np.abs(np.degrees(gaze[:, :2])) < (11.5, 19.5)).all(1)
    assert eased.mean() > 0.8
    checked = 0
    for part in _fixations(space, eased, fps):
        middle = space[part].mean(0) / np.linalg.norm(space[part].mean(0))
        away = np.degrees(np.arccos(np.clip(space[part] @ middle, -1, 1)))
        assert away.max() < 0.5
        checked += len(away)
    assert checked > 0.6 * len(times)
    assert np.degrees(np.ptp(gaze[:, 1])) > 15  # the eyes had to work for it


def _seen(head: Array, gaze: Array) -> Array:
    """[F, 3] the direction from between the eyes at rest to what the left eye looks at, 1 m ahead of it."""
    turn = Rotation.from_rotvec(head[:, :3].astype(np.float64))
    eye = Rotation.from_euler("ZX", np.stack([gaze[:, 1], -gaze[:, 0]], axis=1))
    pivot, middle = np.array(HEAD.pivot), (EYES[0] + EYES[1]) / 2
    point = pivot + head[:, 3:] + turn.apply(EYES[0] - pivot) + (turn * eye).apply([0.0, -1.0, 0.0]) - middle
    return np.asarray(point / np.linalg.norm(point, axis=1, keepdims=True))


def _fixations(space: Array, eased: Array, fps: float) -> list[Array]:
    """Runs of frames longer than 0.1 s in which the gaze jumps by less than 30 degrees per second."""
    step = np.degrees(np.linalg.norm(np.diff(space, axis=0), axis=1)) * fps
    still = np.concatenate([[True], step < 30.0]) & eased
    edges = np.flatnonzero(np.diff(np.concatenate([[False], still, [False]]).astype(int)))
    return [np.arange(a, b) for a, b in edges.reshape(-1, 2) if (b - a) > 0.1 * fps]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1.4, 1.4), min_size=4, max_size=4))
def test_gaze_and_weights_say_the_same(angles: list[float]) -> None:
    gaze = comfortable(np.array([angles]))
    weights = look_weights(gaze)
    assert weights.max() <= 1.0
    assert np.allclose(eye_rotation(weights), gaze, atol=1e-6)


def test_eyes_turn_freely_and_stop_softly() -> None:
    yaw = np.radians(np.arange(-80.0, 80.0, 0.1))
    turned = np.degrees(comfortable(np.stack([yaw * 0, yaw, yaw * 0, yaw], axis=1))[:, 1])
    free = np.abs(np.degrees(yaw)) <= 20.0
    assert np.allclose(turned[free], np.degrees(yaw)[free])
    assert np.abs(turned).max() < 32.0
    slope = np.diff(turned) / 0.1
    assert slope.min() >= 0.0
    assert np.abs(np.diff(slope)).max() < 0.02


def test_a_breath_before_speech() -> None:
    """The head lifts and tips back, the mouth opens for it and is shut before the voice."""
    breath = Breath(1.0, 0.35, 5.0, 0.1, -0.1, 1.0, 1.0)
    times = np.arange(0.9, 3.0, 0.001)
    pose, weights = breath_motion(times, [Breath(0.0, 0.2, 0.2, 0.0, 0.0, 0.0, 0.0), breath])
    top = int(pose[:, 5].argmax())
    assert times[top] == pytest.approx(1.35, abs=0.02)
    assert -1.5 < math.degrees(pose[top, 0]) < -0.3
    assert 0.0005 < pose[top, 5] < 0.003
    jaw = weights[:, ARKIT_INDEX["jawOpen"]]
    assert 0.03 < jaw.max() < 0.1
    assert 1.15 < times[int(jaw.argmax())] < 1.35
    assert not jaw[times > 1.39].any()
    assert 1.0 < times[int(weights[:, ARKIT_INDEX["noseSneerLeft"]].argmax())] < 1.3


def test_breaths_join_without_a_jump() -> None:
    """Over minutes of talk, pose moves by less than 0.15 mm and degrees in 10 ms, its speed smoothly."""
    fps = 100.0
    activity = np.interp(np.arange(0, 180, 1 / fps), np.arange(180 * FPS) / FPS, conversation(180.0, 1))
    stream = LifeStream(fps, 3)
    chunk = stream.push(np.zeros((len(activity), 6)), activity)
    pose = chunk.breath_pose.astype(np.float64) * ([180 / np.pi] * 3 + [1000] * 3)
    assert np.abs(np.diff(pose, axis=0)).max() < 0.15
    assert np.abs(np.diff(pose, 2, axis=0)).max() < 0.02


def test_a_closed_eye_stays_closed_in_the_sum() -> None:
    motion = blink_weights(0, 60, 30.0, [FULL])
    layers = {"blink": {"weights": motion}}
    mixed = mixed_weights(layers, HeadControls())
    assert mixed[:, LIDS].max() == pytest.approx(1.0)
    assert np.allclose(mixed, motion, atol=1e-6)

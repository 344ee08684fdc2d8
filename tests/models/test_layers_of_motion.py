"""Controls, emotions and sides: closed forms, and the same frames for any chunking."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_contact
from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES, LIP_SHAPES, OTHER_SHAPES, sided_indices
from blender_addon.protocol.controls import EMOTION_NAMES, ExpressionControls
from blender_addon.protocol.emotions import EMOTION_POSES, emotion_poses, make_way
from blender_addon.protocol.tensorfile import Array
from models.expression.emotion import brow_energy, emotion_layer, intensities
from models.expression.layers import Layers, articulated, compose
from models.face import load_head

JAW, CLOSE, SMILE = (ARKIT_INDEX[name] for name in ("jawOpen", "mouthClose", "mouthSmileLeft"))
LEFT = [i for i, n in enumerate(ARKIT_NAMES) if n.endswith("Left") and n not in ("jawLeft", "mouthLeft")]
RIGHT = [ARKIT_INDEX[ARKIT_NAMES[i].replace("Left", "Right")] for i in LEFT]


def _speech(seed: int, frames: int = 60) -> tuple[Array, Array]:
    """Random weights [F, 52], left like right, whose lips are closed by mouthClose as far as contact says."""
    random = np.random.default_rng(seed)
    weights = (random.random((frames, 52)) * 0.8).astype(np.float32)
    weights[:, RIGHT] = weights[:, LEFT]
    contact = random.choice([0.0, 0.5, 1.0], (frames, 2)).astype(np.float32)
    contact[:, 1] *= 1 - contact[:, 0]
    weights[:, CLOSE] = weights[:, JAW] * contact[:, 0]
    return weights, contact


def _controls(**settings_: object) -> ExpressionControls:
    return ExpressionControls(**settings_)  # type: ignore[arg-type]


def test_plain_and_even_controls_change_nothing() -> None:
    weights, contact = _speech(0)
    layers = compose(0, 25, weights, contact, _controls(asymmetry=0.0), 1)
    assert np.allclose(layers.weights, weights, atol=1e-6)
    assert np.allclose(layers.speech[:, LIP_SHAPES], weights[:, LIP_SHAPES], atol=1e-6)
    assert np.allclose(layers.brows[:, OTHER_SHAPES], weights[:, OTHER_SHAPES], atol=1e-6)
    assert not layers.speech[:, OTHER_SHAPES].any()
    assert not layers.brows[:, LIP_SHAPES].any()
    assert not layers.emotion.any()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    cuts=st.lists(st.integers(0, 60), max_size=4),
    fps=st.sampled_from([24.0, 25.0, 29.97, 60.0]),
    amount=st.floats(0.3, 1.7),
    energy=st.floats(0.0, 2.0),
    asymmetry=st.floats(0.0, 1.0),
)
def test_chunks_give_what_the_whole_gives(
    seed: int, cuts: list[int], fps: float, amount: float, energy: float, asymmetry: float
) -> None:
    weights, contact = _speech(seed)
    controls = _controls(
        articulation=amount,
        energy=energy,
        asymmetry=asymmetry,
        emotions={"angry": ((0.2, 0.0), (1.1, 1.0)), "sad": ((0.0, 0.5),)},
    )
    whole = compose(100, fps, weights, contact, controls, seed)
    edges = sorted({0, 60, *cuts})
    parts = [compose(100 + a, fps, weights[a:b], contact[a:b], controls, seed) for a, b in pairwise(edges)]
    for item in fields(Layers):
        values = getattr(whole, item.name)
        joined = np.concatenate([getattr(part, item.name) for part in parts])
        assert np.abs(joined - values).max() < 1e-6
        assert values.min() >= 0
        assert values.max() <= 1
        assert values.dtype == np.float32
    total = whole.speech + whole.brows + whole.emotion
    assert np.allclose(whole.weights, np.clip(total, 0, 1))


@pytest.mark.parametrize("amount", [0.3, 0.7, 1.4, 1.7])
def test_articulation_scales_lips_and_keeps_contacts(amount: float) -> None:
    weights, contact = _speech(2)
    found = articulated(weights, contact, amount)
    free = contact.max(1) == 0
    scaled = [i for i in LIP_SHAPES if ARKIT_NAMES[i] not in ("tongueOut", "cheekPuff", "mouthClose")]
    assert np.allclose(found[free][:, scaled], np.minimum(weights[free][:, scaled] * amount, 1), atol=1e-6)
    closed = contact[:, 0] == 1
    assert np.allclose(found[closed, CLOSE], found[closed, JAW], atol=1e-6)
    touching = contact.max(1) == 1
    pressing = sided_indices("mouthPress", "mouthRollLower", "mouthUpperUp")
    assert np.array_equal(found[touching][:, pressing], weights[touching][:, pressing])
    bitten = contact[:, 1] == 1
    assert np.allclose(found[bitten, JAW], weights[bitten, JAW])


def test_energy_scales_what_is_not_the_mouth() -> None:
    weights, contact = _speech(3)
    layers = compose(0, 25, weights, contact, _controls(asymmetry=0.0, energy=0.5), 1)
    assert np.allclose(layers.brows[:, OTHER_SHAPES], weights[:, OTHER_SHAPES] / 2, atol=1e-6)
    assert np.allclose(layers.speech[:, LIP_SHAPES], weights[:, LIP_SHAPES], atol=1e-6)
    still = compose(0, 25, weights, contact, _controls(energy=0.0), 1)
    assert not still.brows.any()


def test_asymmetry_moves_energy_from_side_to_side() -> None:
    weights, contact = _speech(4, 2000)
    weights *= 0.5
    layers = compose(0, 25, weights, contact, _controls(asymmetry=1.0), 5).weights
    before = weights[:, LEFT] ** 2 + weights[:, RIGHT] ** 2
    assert np.allclose(layers[:, LEFT] ** 2 + layers[:, RIGHT] ** 2, before, atol=1e-5)
    lean = layers[:, SMILE] ** 2 / np.maximum(before[:, LEFT.index(SMILE)], 1e-3)
    assert 0.15 < lean.std() < 0.35
    alone = [i for i in range(52) if i not in LEFT + RIGHT]
    assert np.allclose(layers[:, alone], weights[:, alone], atol=1e-6)
    even = sided_indices("eyeBlink", "eyeLookDown", "eyeLookIn")
    assert np.allclose(layers[:, even], weights[:, even], atol=1e-6)


def test_asymmetry_of_the_brows_own_goes_from_none_to_twice() -> None:
    weights = np.zeros((5, 52), np.float32)
    left, right = sided_indices("browOuterUp")
    weights[:, left], weights[:, right] = 0.5, 0.3
    still = np.zeros((5, 2), np.float32)
    even = compose(0, 25, weights, still, _controls(asymmetry=0.0), 1).brows
    assert np.allclose(even[:, [left, right]], 0.4)
    usual, strong = (
        np.mean([compose(0, 25, weights, still, _controls(asymmetry=a), s).brows for s in range(250)], 0)[0]
        for a in (0.3, 0.6)
    )
    assert usual[left] - usual[right] == pytest.approx(0.2, abs=0.02)
    assert strong[left] - strong[right] == pytest.approx(0.4, abs=0.05)


def test_seeds_differ_and_repeat() -> None:
    weights, contact = _speech(5)
    controls = _controls(emotions={"happy": ((0.0, 0.8),)})
    one, again, other = (compose(0, 25, weights, contact, controls, s).weights for s in (1, 1, 2))
    assert np.array_equal(one, again)
    assert np.abs(one - other).max() > 0.02


def test_keys_are_joined_linearly_and_held_outside() -> None:
    keys = {"sad": ((1.0, 0.2), (2.0, 0.8)), "happy": ((5.0, 0.4),)}
    found = intensities(keys, np.array([0.0, 1.0, 1.5, 2.0, 9.0]))
    assert np.allclose(found[:, EMOTION_NAMES.index("sad")], [0.2, 0.2, 0.5, 0.8, 0.8])
    assert np.allclose(found[:, EMOTION_NAMES.index("happy")], 0.4)
    assert not found[:, EMOTION_NAMES.index("angry")].any()


@pytest.mark.parametrize("name", EMOTION_NAMES)
def test_a_held_emotion_is_its_pose_and_lives(name: str) -> None:
    """On a silent face its mean is the pose, and it wavers slowly by a fraction."""
    times = np.arange(20_000) / 25.0
    still = np.zeros((len(times), 52), np.float32)
    layer = emotion_layer({name: ((0.0, 0.5),)}, times, still, still[:, :2], 3)
    pose = 0.5 * emotion_poses()[EMOTION_NAMES.index(name)]
    assert np.allclose(layer.mean(0), pose, atol=0.02)
    moved = pose > 0
    assert (layer.std(0)[moved] / pose[moved] > 0.08).all()
    assert (np.abs(np.diff(layer, axis=0)).max(0)[moved] < 0.1 * pose[moved]).all()
    assert not layer[:, ~moved].any()


def test_poses_name_shapes_of_their_action_units() -> None:
    """EMFACS: 1 inner brow, 2 outer brow, 4 brow down, 5 lids up, 6 cheeks, 7 and 12, 15, 23, 26."""
    units = {
        "happy": ("cheekSquint", "mouthSmile"),
        "sad": ("browInnerUp", "browDown", "mouthFrown"),
        "angry": ("browDown", "eyeWide", "eyeSquint", "mouthPress"),
        "surprised": ("browInnerUp", "browOuterUp", "eyeWide", "jawOpen"),
    }
    assert set(EMOTION_POSES) == set(EMOTION_NAMES)
    for name, shapes in units.items():
        assert all(EMOTION_POSES[name].get(shape, 0) >= 0.15 for shape in shapes)
    poses = emotion_poses()
    assert poses.min() >= 0
    assert poses.max() <= 1
    assert np.array_equal(poses[:, LEFT], poses[:, RIGHT])


def test_emotions_make_way_for_closed_open_round_and_busy_mouths() -> None:
    emotion = np.ones((1, 52), np.float32)

    def way(speech: dict[str, float], contact: tuple[float, float] = (0.0, 0.0)) -> dict[str, float]:
        weights = np.zeros((1, 52), np.float32)
        for name, value in speech.items():
            weights[0, sided_indices(name)] = value
        found = make_way(emotion, weights, np.array([contact], np.float32))[0]
        return dict(zip(ARKIT_NAMES, found.tolist(), strict=True))

    silent = way({})
    assert all(value == 1 for value in silent.values())
    closed = way({"jawOpen": 0.2, "mouthClose": 0.2}, (1.0, 0.0))
    assert closed["jawOpen"] == closed["mouthUpperUpLeft"] == closed["mouthFunnel"] == 0
    assert closed["mouthPressLeft"] == 1
    opened = way({"jawOpen": 0.6})
    assert opened["mouthPressLeft"] == opened["mouthShrugUpper"] == 0
    assert opened["jawOpen"] == pytest.approx(0.2)
    rounded = way({"mouthPucker": 1.0})
    assert rounded["mouthSmileRight"] == rounded["mouthFrownLeft"] == pytest.approx(0.4)
    for found in (closed, opened, rounded):
        assert found["browInnerUp"] == found["cheekSquintLeft"] == found["eyeWideLeft"] == 1


def test_brow_energy_is_plain_without_emotion() -> None:
    times = np.array([0.0, 1.0])
    assert np.allclose(brow_energy({}, times), 1)
    assert (brow_energy({"sad": ((0.0, 1.0),)}, times) < 0.8).all()
    assert (brow_energy(dict.fromkeys(EMOTION_NAMES, ((0.0, 1.0),)), times) > 0.5).all()


def test_lips_seal_in_every_emotion() -> None:
    """After the contact solve, the gap in the middle of the mouth is that of the plain m within 0.1 mm."""
    face = load_head(None)
    lips = prepare_lips(face)
    speech, contact = np.zeros((1, 52), np.float32), np.array([[1.0, 0.0]], np.float32)
    speech[0, [JAW, CLOSE]] = 0.12
    upper, lower = (face.landmarks[f"lip_{side}_middle"] for side in ("upper", "lower"))
    at = {int(vertex): row for row, vertex in enumerate(face.lip_index)}

    def gap(name: str | None) -> float:
        emotions = {} if name is None else {name: ((0.0, 1.0),)}
        weights = compose(0, 25, speech, contact, _controls(emotions=emotions, asymmetry=0.0), 0).weights
        vertices = face.vertices + np.tensordot(weights[0], face.shapes, 1)
        offsets = solve_contact(lips, weights, contact)[0]
        ends = [vertices[v] + offsets[at[v]] for v in (upper, lower)]
        return float(ends[0][2] - ends[1][2])

    plain = gap(None)
    assert all(abs(gap(name) - plain) < 1e-4 for name in EMOTION_NAMES)

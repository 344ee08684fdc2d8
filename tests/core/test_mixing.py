"""Sums of layers against a loop over frames, shapes and axes; eyes that blinks keep shut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.controls import HeadControls
from blender_addon.protocol.face import eye_rotation
from blender_addon.protocol.mixing import mixed_gaze, mixed_pose, mixed_weights
from blender_addon.protocol.tensorfile import Array

HEAD = HeadControls(pitch=0.5, yaw=1.5, roll=0.25, shift=2.0, blinks=0.75, gaze=1.25, breath=0.0)


def drawn_layers(seed: int, frames: int = 7) -> dict[str, dict[str, Array]]:
    rng = np.random.default_rng(seed)

    def draw(columns: int) -> Array:
        return rng.uniform(0, 0.4, (frames, columns)).astype(np.float32)

    named = ("speech", "brows", "blink", "gaze", "breath", "emotion")
    layers = {name: {"weights": draw(52)} for name in named}
    layers["speech"]["pose"], layers["breath"]["pose"] = draw(6) - 0.2, draw(6) - 0.2
    layers["gaze"]["gaze"] = draw(4)
    return layers


@pytest.mark.parametrize("head", [HeadControls(), HEAD])
def test_weights_are_the_sum_frame_by_frame(head: HeadControls) -> None:
    layers = drawn_layers(0)
    strength = {"blink": head.blinks, "gaze": head.gaze, "breath": head.breath}
    expected = np.zeros((7, 52))
    for frame in range(7):
        for index in range(52):
            total = sum(strength.get(n, 1.0) * part["weights"][frame, index] for n, part in layers.items())
            expected[frame, index] = min(max(total, 0.0), 1.0)
        for side in ("Left", "Right"):
            open_lid = 1.0 - expected[frame, ARKIT_INDEX[f"eyeBlink{side}"]]
            for shape in ("eyeSquint", "eyeWide"):
                index = ARKIT_INDEX[shape + side]
                blink = strength["blink"] * layers["blink"]["weights"][frame, index]
                others = sum(
                    strength.get(n, 1.0) * part["weights"][frame, index]
                    for n, part in layers.items()
                    if n != "blink"
                )
                expected[frame, index] = min(min(others, open_lid) + blink, 1.0)
    np.testing.assert_allclose(mixed_weights(layers, head), expected, atol=1e-6)


@pytest.mark.parametrize("shape", ["eyeSquint", "eyeWide"])
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.2))
@settings(max_examples=30)
def test_a_blink_wins(shape: str, closed: float, brows: float, own: float) -> None:
    layers = {name: {"weights": np.zeros((1, 52), np.float32)} for name in ("brows", "blink")}
    lid, other = ARKIT_INDEX[f"{shape}Left"], ARKIT_INDEX[f"{shape}Right"]
    layers["brows"]["weights"][:, [lid, other]] = brows
    layers["blink"]["weights"][:, ARKIT_INDEX["eyeBlinkLeft"]] = closed
    layers["blink"]["weights"][:, lid] = own  # a blink's own share stays
    weights = mixed_weights(layers, HeadControls())[0]
    assert weights[lid] == pytest.approx(min(min(brows, 1 - closed) + own, 1), abs=1e-6)
    assert weights[other] == pytest.approx(brows, abs=1e-6)


def test_pose_is_scaled_per_axis() -> None:
    layers = drawn_layers(1)
    speech, breath = layers["speech"]["pose"], layers["breath"]["pose"]
    np.testing.assert_allclose(mixed_pose(layers, HeadControls()), speech + breath, atol=1e-7)
    # About X the head nods, about Y it tilts, about Z it turns.
    expected = speech * np.array([0.5, 0.25, 1.5, 2.0, 2.0, 2.0], np.float32)
    np.testing.assert_allclose(mixed_pose(layers, HEAD), expected, atol=1e-7)
    breathing = mixed_pose(layers, replace(HEAD, breath=2.0))
    np.testing.assert_allclose(breathing, expected + 2 * breath, atol=1e-6)


def test_gaze_is_what_the_eyes_show() -> None:
    layers = drawn_layers(2)
    looks = [i for i, name in enumerate(ARKIT_NAMES) if name.startswith("eyeLook")]
    for name, part in layers.items():
        part["weights"] *= np.isin(np.arange(52), looks) if name == "gaze" else ~np.isin(np.arange(52), looks)
    layers["gaze"]["gaze"] = eye_rotation(layers["gaze"]["weights"])
    for strength in (0.0, 1.0, 2.0):
        weights = mixed_weights(layers, HeadControls(gaze=strength))
        expected = strength * layers["gaze"]["gaze"]
        np.testing.assert_allclose(mixed_gaze(layers, weights), expected, atol=1e-6)
        np.testing.assert_allclose(mixed_gaze(layers, weights), eye_rotation(weights), atol=1e-7)


def test_nothing_gives_empty_arrays() -> None:
    layers = {"speech": {"weights": np.ones((3, 52), np.float32)}}
    assert mixed_pose(layers, HEAD).shape == (0, 6)
    assert mixed_gaze(layers, mixed_weights(layers, HEAD)).shape == (0, 4)
    assert mixed_weights({}, HEAD).shape == (0, 52)

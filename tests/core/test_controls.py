"""Controls as JSON: both ways, partly, from before there was a head, and wrong."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.protocol.controls import (
    HEAD_STRENGTHS,
    POSE_STYLE_NAMES,
    ExpressionControls,
    HeadControls,
    MotionStyle,
    PoseStyle,
    controls_from_json,
    controls_to_json,
)
from blender_addon.protocol.errors import InputError

unit = st.floats(-1, 1, width=32)
strength = st.floats(0, 2, width=32)
pose_styles = st.builds(PoseStyle, **dict.fromkeys(POSE_STYLE_NAMES, unit))
heads = st.builds(
    HeadControls,
    **dict.fromkeys(HEAD_STRENGTHS, strength),
    blink_rate=st.floats(0, 3, width=32),
    guidance=strength,
    style=pose_styles,
)


@given(heads, unit)
@settings(max_examples=50)
def test_controls_survive_json(head: HeadControls, jaw: float) -> None:
    controls = ExpressionControls(style=MotionStyle(jaw=jaw), emotions={"sad": ((0.5, 1.0),)}, head=head)
    assert controls_from_json(json.loads(json.dumps(controls_to_json(controls)))) == controls


def test_what_is_missing_has_its_default() -> None:
    before = {"articulation": 1.2, "energy": 1.0, "asymmetry": 0.3, "style": {}, "emotions": {}}
    assert controls_from_json(before) == ExpressionControls(articulation=1.2)
    partly = {"head": {"yaw": 0.5, "style": {"nods": -0.25}}}
    expected = HeadControls(yaw=0.5, style=PoseStyle(nods=-0.25))
    assert controls_from_json(partly) == ExpressionControls(head=expected)


def test_plain_head_changes_nothing() -> None:
    plain = HeadControls()
    assert all(getattr(plain, item.name) == 1.0 for item in fields(plain) if item.name != "style")
    np.testing.assert_array_equal(plain.style.vector(), np.zeros(4))
    np.testing.assert_array_equal(
        PoseStyle(0.1, 0.2, 0.3, 0.4).vector(), np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    )


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ({"pitch": 3}, "head pitch is 3"),
        ({"blink_rate": -1}, "head blink_rate is -1"),
        ({"gaze": math.nan}, "head gaze is nan"),
        ({"style": {"nods": 1.5}}, "head style nods is 1.5"),
        ({"style": {"hops": 0}}, "controls cannot be read.*hops"),
        ({"style": 1}, "controls cannot be read"),
        ({"neck": 1}, "controls cannot be read.*neck"),
        ({"yaw": "far"}, "controls cannot be read.*far"),
        ({"yaw": None}, "controls cannot be read"),
        (0.5, "controls cannot be read"),
        (None, "controls cannot be read"),
    ],
)
def test_wrong_heads_are_one_line(head: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        controls_from_json({"head": head})
    assert "\n" not in str(caught.value)

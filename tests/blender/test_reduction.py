"""Reduced keys, against an independent evaluation of the Bézier curve that their handles make."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.protocol.tensorfile import Array
from blender_addon.scene.reduction import key_frames, slopes


def de_casteljau(points: Array, t: float) -> float:
    """The Bézier curve of control values `points` [4] at t."""
    while len(points) > 1:
        points = (1 - t) * points[:-1] + t * points[1:]
    return float(points[0])


def rebuilt(values: Array, slope: Array, keys: list[int]) -> Array:
    """The curve through `keys` on every frame, with handles at thirds of each segment's time."""
    out = values.copy()
    for a, b in pairwise(keys):
        third = (b - a) / 3
        controls = np.array(
            [values[a], values[a] + third * slope[a], values[b] - third * slope[b], values[b]]
        )
        for frame in range(a + 1, b):
            out[frame] = de_casteljau(controls, (frame - a) / (b - a))
    return out


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=120),
    st.sampled_from([0.001, 0.005, 0.05]),
)
def test_no_frame_is_off_by_more_than_the_error(raw: list[float], error: float) -> None:
    values = np.array(raw)
    slope = slopes(values)
    keys = key_frames(values, slope, error)
    assert keys[0] == 0
    assert keys[-1] == len(values) - 1
    assert keys == sorted(set(keys))
    assert np.abs(rebuilt(values, slope, keys) - values).max() <= error + 1e-9


@pytest.mark.parametrize("constant", [0.0, 0.3])
def test_a_still_curve_needs_two_keys(constant: float) -> None:
    values = np.full(250, constant)
    assert key_frames(values, slopes(values), 0.005) == [0, 249]


def test_a_slow_wave_needs_few_keys() -> None:
    values = 0.5 - 0.5 * np.cos(np.arange(250) * 2 * np.pi / 50)
    assert len(key_frames(values, slopes(values), 0.005)) < 40

"""A style that was articulated is found again, at any usual frame rate."""

from __future__ import annotations

import numpy as np
import pytest

from blender_addon.protocol.arkit import sided_indices
from blender_addon.protocol.clip import ClipInfo, MotionClip, expression_clip
from blender_addon.protocol.controls import STYLE_NAMES, MotionStyle
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import Array
from models.expression.style import estimate_style
from training.articulation import spoken_weights
from training.phones import PHONE_CLASSES, SILENCE, Phones, phones_of

SPOKEN = [name for name in PHONE_CLASSES if name != SILENCE]


def _text(seed: int, count: int = 500) -> Phones:
    """Random phones of 50 to 160 ms with a pause after every eight or so."""
    random = np.random.default_rng(seed)
    rows, time = [], 0.0
    for _ in range(count):
        length = float(random.uniform(0.05, 0.16))
        name = SILENCE if random.random() < 0.12 else str(random.choice(SPOKEN))
        rows.append((time, time + length, name))
        time += length
    return phones_of(rows)


def _clip(weights: Array, fps: float) -> MotionClip:
    return expression_clip(ClipInfo(fps=fps), weights, np.zeros((len(weights), 2), np.float32))


def _times(phones: Phones, fps: float) -> Array:
    return np.arange(int(phones.end[-1] * fps)) / fps


@pytest.mark.parametrize("name", STYLE_NAMES)
@pytest.mark.parametrize("value", [-0.9, 0.6])
def test_one_slider_comes_back(name: str, value: float) -> None:
    phones = _text(1)
    times = _times(phones, 50)
    style = MotionStyle(**{name: value})
    found = estimate_style(_clip(spoken_weights(phones, times, style), 50), spoken_weights(phones, times))
    assert np.abs(found.vector() - style.vector()).max() < 0.15


@pytest.mark.parametrize("fps", [25.0, 50.0])
def test_random_styles_come_back(fps: float) -> None:
    random = np.random.default_rng(2)
    errors = []
    for seed in range(12):
        phones = _text(seed)
        times = _times(phones, fps)
        style = MotionStyle(*np.clip(random.normal(0, 0.5, 6), -1, 1).tolist())
        found = estimate_style(
            _clip(spoken_weights(phones, times, style), fps), spoken_weights(phones, times)
        )
        errors.append(np.abs(found.vector() - style.vector()))
    assert np.mean(errors) < 0.06
    assert np.quantile(errors, 0.95) < 0.15


def test_a_trackers_noise_and_a_held_smile_matter_little() -> None:
    phones = _text(3)
    times = _times(phones, 50)
    style = MotionStyle(jaw=0.5, rounding=-0.5)
    weights = spoken_weights(phones, times, style)
    weights[:, sided_indices("mouthSmile")] += 0.2
    weights += 0.01 * np.random.default_rng(0).standard_normal(weights.shape).astype(np.float32)
    plain = spoken_weights(phones, times)
    found = estimate_style(_clip(weights, 50), plain)
    assert abs(found.jaw - 0.5) < 0.25
    assert abs(found.rounding + 0.5) < 0.25


def test_what_is_never_moved_counts_as_average() -> None:
    phones = _text(4)
    times = _times(phones, 50)
    plain = spoken_weights(phones, times)
    assert np.abs(estimate_style(_clip(plain, 50), plain).vector()).max() < 1e-5
    still = np.zeros_like(plain)
    assert not estimate_style(_clip(still, 50), plain).vector().any()


def test_extreme_styles_are_limited() -> None:
    phones = _text(5)
    times = _times(phones, 50)
    plain = spoken_weights(phones, times)
    assert estimate_style(_clip(plain, 50), plain * np.float32(0.2)).jaw == 1.0


def test_lengths_must_agree() -> None:
    plain = np.zeros((100, 52), np.float32)
    with pytest.raises(InputError, match="100 frames of motion and 90"):
        estimate_style(_clip(plain, 50), plain[:90])
    with pytest.raises(InputError, match="20 frames"):
        estimate_style(_clip(plain[:20], 50), plain[:20])

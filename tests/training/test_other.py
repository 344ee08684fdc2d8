"""Targets of brows, lids, cheeks and nose: what accents, silence and noise make of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import periodogram

from blender_addon.protocol.arkit import OTHER_NAMES
from blender_addon.protocol.tensorfile import Array
from models.expression.noise import NOISE_CHANNELS, noise_track
from models.expression.prosody import Prosody
from training.other import other_targets, targets_of

INNER, OUTER = OTHER_NAMES.index("browInnerUp"), OTHER_NAMES.index("browOuterUpLeft")
STILL = [i for i, name in enumerate(OTHER_NAMES) if name.startswith(("eyeBlink", "eyeLook"))]
MEAN = np.zeros((400, NOISE_CHANNELS), np.float32)


def _accents(at: tuple[int, ...], high: float = 5.0) -> Prosody:
    """400 frames of level speech with pitch accents centred on the frames `at`."""
    frames = np.arange(400.0)
    pitch = high * sum(np.exp(-0.5 * ((frames - middle) / 6) ** 2) for middle in at)
    ones = np.ones(400, np.float32)
    return Prosody(np.asarray(pitch * ones, np.float32), 0 * ones, ones, ones)


def _noise(channel: int, value: float) -> Array:
    noise = MEAN.copy()
    noise[:, channel] = value
    return noise


def test_brows_rise_with_the_accent() -> None:
    """Fully up at the accent, on their way a tenth of a second before it, down a second after it."""
    brow = targets_of(_accents((200,)), MEAN)[:, INNER]
    assert abs(int(brow.argmax()) - 200) <= 5
    assert brow.max() > 0.1
    assert brow[194] > 0.3 * brow.max()
    assert max(brow[170], brow[245]) < 0.02


def test_noise_decides_which_accents_raise_the_brows() -> None:
    heights = [
        targets_of(_accents((200,), high=2.5), _noise(0, value))[200, INNER] for value in (-2, -1, 0, 1, 2)
    ]
    assert heights[0] < 0.02
    assert heights[-1] > 0.3
    assert (np.diff(heights) >= -1e-6).all()


def test_higher_accents_raise_brows_further() -> None:
    low, high = (targets_of(_accents((200,), pitch), MEAN)[200, INNER] for pitch in (3.5, 6.0))
    assert low < high


def test_inner_and_outer_ends_are_balanced_by_noise() -> None:
    inner, outer = (targets_of(_accents((200,)), _noise(2, value))[200] for value in (2.0, -2.0))
    assert inner[INNER] > inner[OUTER]
    assert outer[INNER] < outer[OUTER]


def test_left_and_right_differ_by_noise_only() -> None:
    left = [i for i, name in enumerate(OTHER_NAMES) if name.endswith("Left")]
    right = [OTHER_NAMES.index(OTHER_NAMES[i].replace("Left", "Right")) for i in left]
    even = targets_of(_accents((200,)), MEAN)
    assert np.array_equal(even[:, left], even[:, right])
    one, other = (targets_of(_accents((200,)), _noise(5, value)) for value in (1.0, -1.0))
    assert np.allclose(one[:, left], other[:, right])
    assert one[200, OUTER] > even[200, OUTER]


def test_silence_is_calm_yet_alive() -> None:
    noise = noise_track(3, 0, 1000, NOISE_CHANNELS)
    weights = other_targets(np.zeros(320_000, np.float32), noise)
    assert weights.max() < 0.1
    assert weights[:, INNER].std() > 0.002


def test_music_moves_no_brow_when_nobody_speaks() -> None:
    sound = np.sin(np.cumsum(0.05 + 0.02 * np.sin(np.arange(160_000) / 5000)))
    noise, nobody = noise_track(4, 0, 500, NOISE_CHANNELS), np.zeros(500)
    still = other_targets(np.zeros(160_000, np.float32), noise)
    assert np.allclose(other_targets(sound.astype(np.float32), noise, nobody), still)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), scale=st.floats(0.0, 20.0))
def test_weights_stay_in_range_and_leave_blinks_and_looks_alone(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    wild = [np.cumsum(random.standard_normal(200)).astype(np.float32) * np.float32(scale) for _ in range(2)]
    prosody = Prosody(wild[0], wild[1], np.ones(200, np.float32), random.random(200).astype(np.float32))
    weights = targets_of(prosody, noise_track(seed, 0, 200, NOISE_CHANNELS) * np.float32(2))
    assert weights.shape == (200, len(OTHER_NAMES))
    assert weights.min() >= 0
    assert weights.max() <= 1
    assert not weights[:, STILL].any()


def test_nothing_twitches() -> None:
    """Random accents four times a second: under 1 % of the power lies above 4 Hz."""
    random = np.random.default_rng(1)
    middles = tuple(int(i) for i in random.integers(20, 380, 32))
    weights = targets_of(_accents(middles, high=2.0), noise_track(9, 0, 400, NOISE_CHANNELS))
    moving = weights[:, [i for i in range(23) if i not in STILL]]
    hertz, power = periodogram(moving, fs=50, window="hann", axis=0)
    assert (power[hertz > 4].sum(0) < 0.01 * power.sum(0)).all()


def test_seeds_give_other_brows() -> None:
    prosody = _accents((60, 140, 230, 320), high=3.5)
    brows = np.stack(
        [targets_of(prosody, noise_track(s, 0, 400, NOISE_CHANNELS))[:, INNER] for s in range(8)]
    )
    assert (np.abs(brows[:, None] - brows).max(-1) > 0.05)[~np.eye(8, dtype=bool)].all()

"""Every audio encoder behind one interface: the same features streamed and whole, each at its time."""

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.audio.features import FeatureConfig, FeatureSource, LogMel, feature_source
from models.audio.mel import SAMPLE_RATE


def noise(count: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(count) * 0.1).astype(np.float32)


def streamed(source: FeatureSource, samples: np.ndarray, cuts: list[int]) -> np.ndarray:
    """[n] samples in pieces of the sizes `cuts`, then the rest -> [T, width]."""
    listener, parts, start = source.stream(), [], 0
    for cut in cuts:
        parts.append(listener.push(samples[start : start + cut]))
        start += cut
    return np.concatenate([*parts, listener.push(samples[start:]), listener.finish()])


@given(
    cuts=st.lists(st.integers(0, 9000), max_size=10), count=st.integers(0, 50_000), seed=st.integers(0, 99)
)
@settings(max_examples=25, deadline=None)
def test_log_mel_streamed_is_whole(cuts, count, seed):
    samples = noise(count, seed) * np.linspace(0.0, 1.0, count, dtype=np.float32)
    pair = np.stack([samples, samples[::-1]])
    whole = feature_source(FeatureConfig()).whole(torch.from_numpy(pair)).numpy()
    for sound, expected in zip(pair, whole, strict=True):
        found = streamed(LogMel(), np.ascontiguousarray(sound), cuts)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_silence_is_what_silence_sounds_like():
    np.testing.assert_array_equal(streamed(LogMel(), np.zeros(16000, np.float32), [])[40], LogMel.silence)


def test_a_source_needs_its_name():
    for kind, name in (("mel", "model"), ("transformers", ""), ("fbank", "")):
        with pytest.raises(ValueError, match="features"):
            FeatureConfig(kind, name)


FRAME_RATES = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60.0)


def clicks_at_frames(starts: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Seconds -> frame times near them [n], one per frame rate and 2 s apart; half a frame of each [n]."""
    pairs = [
        (round((start + 2.0 * i) * fps) / fps, 0.5 / fps)
        for start in starts
        for i, fps in enumerate(FRAME_RATES)
    ]
    times, halves = np.array(pairs).T
    return times, halves


def click_errors(listener, per_frame: int, times: np.ndarray, seconds: int, threshold: float) -> np.ndarray:
    """Pushes `seconds` of clicks at `times`, minute by minute -> where their features are, less `times`.

    A click is where a feature is more than `threshold` away from its median about it.
    """
    positions, heard, made = np.round(times * SAMPLE_RATE).astype(int), [], 0
    for start in range(0, seconds, 60):
        samples = np.zeros(min(60, seconds - start) * SAMPLE_RATE, np.float32)
        inside = positions - start * SAMPLE_RATE
        samples[inside[(inside >= 0) & (inside < len(samples))]] = 0.9
        features = listener.push(samples)
        if start + 60 >= seconds:
            features = np.concatenate([features, listener.finish()])
        features = features[:, ::4]
        away = np.abs(features - scipy.ndimage.median_filter(features, (21, 1))).max(1)
        heard += list(np.flatnonzero(away > threshold) + made)
        made += len(features)
    groups = np.split(heard, np.flatnonzero(np.diff(heard) > 25 * per_frame) + 1)
    return np.array([group.mean() for group in groups]) / (50 * per_frame) - times


def test_log_mel_hears_clicks_at_their_frames_for_an_hour():
    times, half_frame = clicks_at_frames([1.0, 700.0, 1800.3, 2900.0, 3580.0])
    errors = click_errors(LogMel().stream(), 2, times, 3600, 0.01)
    assert (np.abs(errors) <= half_frame).all()
    drift = errors.reshape(5, -1)[-1] - errors.reshape(5, -1)[0]
    assert np.abs(drift).max() <= 0.011  # a click lies anywhere between two features

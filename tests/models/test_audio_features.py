"""Features against brute force, SciPy and torchaudio, and what must not move them."""

import numpy as np
import pytest
import scipy.signal
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from models.audio import level, mel
from models.audio.stream import FEATURE_LOOK_AHEAD, FeatureStream


def features_of(samples):
    """[n] samples of a whole sound -> [2F, MELS] features."""
    stream = FeatureStream()
    return np.concatenate([stream.push(samples), stream.finish()])


def noise(seconds: float, seed: int = 0, gain: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(int(seconds * mel.SAMPLE_RATE)) * gain).astype(np.float32)


def words(gap: float, count: int = 12) -> np.ndarray:
    """Swelling 0.4 s bursts with digital silence between them."""
    burst = noise(0.4, 3) * np.hanning(int(0.4 * mel.SAMPLE_RATE)).astype(np.float32)
    pause = np.zeros(int(gap * mel.SAMPLE_RATE), np.float32)
    return np.concatenate([part for _ in range(count) for part in (burst, pause)])


def test_power_is_that_of_a_windowed_dft():
    samples = noise(0.1)
    window = scipy.signal.get_window("hann", mel.WINDOW)
    expected = [
        np.abs(np.fft.fft(samples[i : i + mel.WINDOW] * window, mel.FFT)[: mel.BINS]) ** 2
        for i in range(0, len(samples) - mel.WINDOW + 1, mel.HOP)
    ]
    found = mel.power_spectrum(torch.from_numpy(samples)).numpy()
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4)


def test_mel_bands_are_torchaudio_s_scaled_to_sum_one():
    expected = torchaudio.functional.melscale_fbanks(mel.BINS, 50.0, 7600.0, mel.MELS, mel.SAMPLE_RATE).T
    wide = expected.sum(1) > 0.7  # torchaudio leaves bands narrower than a bin empty
    expected = expected[wide] / expected[wide].sum(1, keepdim=True)
    torch.testing.assert_close(mel.mel_bands()[wide], expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(mel.mel_bands().sum(1), torch.ones(mel.MELS))


def test_frame_j_is_centred_on_its_time():
    samples = np.zeros(2 * mel.SAMPLE_RATE, np.float32)
    samples[mel.SAMPLE_RATE] = 0.5
    loudest = features_of(samples).mean(1)
    assert np.flatnonzero(loudest > -2.99).mean() == pytest.approx(100, abs=0.6)


def brute_force_level(loudness: np.ndarray) -> np.ndarray:
    """The definition in the module's docstring, one frame at a time."""
    forget = np.exp(-1.0 / level.TIME_CONSTANT)
    peak, power, weight, result = level.FLOOR, 0.0, 0.0, []
    for value in loudness:
        peak = max(peak - level.DECAY, value, level.FLOOR)
        loud = value > peak - level.GATE
        power = forget * power + (np.exp(value) if loud else 0.0)
        weight = forget * weight + float(loud)
        prior = 0.01
        result.append(max(level.FLOOR, np.log((power + prior * np.exp(level.FLOOR)) / (weight + prior))))
    ahead = [min(i + level.LOOK_AHEAD, len(result) - 1) for i in range(len(result))]
    return np.array(result)[ahead]


@given(seed=st.integers(0, 10_000), count=st.integers(1, 1500))
@settings(max_examples=25, deadline=None)
def test_level_is_its_definition(seed, count):
    rng = np.random.default_rng(seed)
    loudness = rng.uniform(-18.0, 3.0) + np.cumsum(rng.normal(0, 0.5, count))
    np.testing.assert_allclose(level.running_level(loudness), brute_force_level(loudness), atol=1e-9)


def test_features_are_brute_force_features():
    samples = noise(3.0) * np.linspace(0.01, 1, 48000, dtype=np.float32)
    found = features_of(samples)
    padded = np.pad(samples, (mel.WINDOW // 2, mel.WINDOW + (len(found)) * mel.HOP))
    window = scipy.signal.get_window("hann", mel.WINDOW)
    frames = np.stack([padded[j * mel.HOP :][: mel.WINDOW] * window for j in range(len(found))])
    power = np.abs(np.fft.rfft(frames, mel.FFT)) ** 2
    bands = np.log(power @ mel.mel_bands().numpy().T.astype(float) + 1e-8)
    relative = bands - brute_force_level(bands.mean(1))[:, None] - 1.0
    np.testing.assert_allclose(found, np.clip(relative, -9, 4) / 3, atol=2e-3)


@given(cuts=st.lists(st.integers(0, 5000), max_size=30), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_chunking_does_not_matter(cuts, seed):
    samples = noise(2.5, seed)
    samples[8000:14000] = 0.0
    stream, parts, start = FeatureStream(), [], 0
    for cut in cuts:
        parts.append(stream.push(samples[start : start + cut]))
        start += cut
    parts += [stream.push(samples[start:]), stream.finish()]
    np.testing.assert_allclose(np.concatenate(parts), features_of(samples), atol=1e-5)


@given(count=st.integers(0, 8000))
@settings(max_examples=50, deadline=None)
def test_features_cover_the_sound_in_pairs(count):
    frames = len(features_of(np.zeros(count, np.float32)))
    assert frames % 2 == 0
    assert (frames // 2 - 1) / 50 >= count / mel.SAMPLE_RATE


def test_look_ahead_is_what_it_says():
    stream, made = FeatureStream(), []
    for i in range(200):
        made.append(len(stream.push(noise(0.01, i))))
    pushed = 0.01 * np.arange(1, 201)
    last = np.cumsum(made) - 1
    behind = pushed[last >= 0] - last[last >= 0] / 100
    assert behind.max() <= FEATURE_LOOK_AHEAD + 0.01 + 1e-9


def test_gain_does_not_matter_above_the_floor():
    samples = words(0.3)
    np.testing.assert_allclose(features_of(samples)[60:], features_of(samples * 0.25)[60:], atol=0.1)


@pytest.mark.parametrize("gap", [0.5, 2.0, 10.0])
def test_digital_silence_between_words_does_not_move_the_level(gap):
    peaks = []
    for pause in (0.05, gap):
        features = features_of(words(pause)).mean(1)
        period = round((0.4 + pause) * 100)
        peaks.append([features[i * period : i * period + 40].max() for i in range(4, 12)])
    assert np.abs(np.mean(peaks[0]) - np.mean(peaks[1])) < 0.1


def test_what_is_below_the_floor_is_not_amplified():
    assert features_of(noise(2.0, gain=10 ** (-80 / 20))).max() < -1.0
    assert np.all(features_of(np.zeros(32000, np.float32)) == -3.0)

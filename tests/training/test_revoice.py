"""Changed voices: pitch by autocorrelation, formants by linear prediction, times by energy."""

import numpy as np
import pytest
from scipy.linalg import solve_toeplitz
from scipy.signal import butter as butterworth
from scipy.signal import lfilter, sosfiltfilt

from training.corpus.effects import EFFECTS, recordings
from training.corpus.revoice import TimeWarp, revoice, stretched, tilted, whisper
from training.corpus.store import read_source

RATE = 16000
FORMANTS = (700.0, 1800.0, 3000.0)


def vowel(seconds: float, pitch: float = 125.0, formants: tuple[float, ...] = FORMANTS) -> np.ndarray:
    """[n] f32: a train of pulses through resonators."""
    pulses = np.zeros(int(seconds * RATE))
    pulses[:: int(RATE / pitch)] = 1.0
    for hertz in formants:
        radius, angle = np.exp(-np.pi * 90.0 / RATE), 2 * np.pi * hertz / RATE
        pulses = lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], pulses)
    return (0.3 * pulses / np.abs(pulses).max()).astype(np.float32)


def periodicity(samples: np.ndarray) -> tuple[float, float]:
    """(hertz, strength 0-1) of the shortest lag from 60 to 400 Hz that is nearly as like as the likest."""
    part = samples[len(samples) // 4 : len(samples) * 3 // 4].astype(np.float64)
    whole = np.correlate(part, part, "full")[len(part) - 1 :]
    whole /= whole[0] * (1.0 - np.arange(len(part)) / len(part) + 1e-9)
    lags = np.arange(RATE // 400, RATE // 60)
    near = lags[whole[lags] > 0.9 * whole[lags].max()]
    best = near[0] + whole[near[0] : near[0] + 12].argmax()
    return RATE / best, float(whole[best])


def formants(samples: np.ndarray) -> list[float]:
    """Hertz of the sharp resonances of an order-14 linear prediction."""
    part = samples[len(samples) // 4 : len(samples) * 3 // 4].astype(np.float64)
    part = np.append(part[0], part[1:] - 0.9 * part[:-1]) * np.hamming(len(part))
    r = np.correlate(part, part, "full")[len(part) - 1 : len(part) + 14]
    roots = np.roots(np.concatenate([[1.0], -solve_toeplitz(r[:-1], r[1:])]))
    sharp = roots[(np.abs(roots) > 0.93) & (roots.imag > 0)]
    return sorted(np.angle(sharp) * RATE / (2 * np.pi))


def has_formant(samples: np.ndarray, hertz: float, pitch: float) -> bool:
    """Linear prediction finds the harmonic next to a formant rather than the formant."""
    return min(abs(found - hertz) for found in formants(samples)) < max(0.04 * hertz, 0.65 * pitch)


def plain(seconds: float) -> TimeWarp:
    return stretched(np.array([seconds]), np.ones(1))


def test_changing_nothing_changes_nothing():
    sound = vowel(0.6)
    same = revoice(sound, plain(0.6), np.ones(2), 1.0)
    error = same[600:-600] - sound[600 : len(same) - 600]
    assert np.mean(error**2) < 2e-3 * np.mean(sound**2)


@pytest.mark.parametrize("pitch", [0.7, 1.4])
def test_pitch_moves_and_formants_stay(pitch):
    changed = revoice(vowel(0.8), plain(0.8), np.full(2, pitch), 1.0)
    hertz, strength = periodicity(changed)
    assert hertz == pytest.approx(125.0 * pitch, rel=0.02)
    assert strength > 0.6
    for expected in FORMANTS[:2]:
        assert has_formant(changed, expected, hertz)


@pytest.mark.parametrize("factor", [0.85, 1.2])
def test_formants_move_and_pitch_stays(factor):
    changed = revoice(vowel(0.8, pitch=80.0), plain(0.8), np.ones(2), factor)
    assert periodicity(changed)[0] == pytest.approx(80.0, rel=0.02)
    for expected in FORMANTS[:2]:
        assert has_formant(changed, expected * factor, 80.0)
        assert not has_formant(changed, expected, 80.0)


def test_a_stretched_vowel_is_where_its_label_says():
    rng = np.random.default_rng(0)
    durations, factors = np.array([0.2, 0.2, 0.2]), np.array([1.0, 4.0, 1.0])
    sound = np.zeros(int(0.6 * RATE), np.float32)
    sound[: int(0.2 * RATE)] = 0.05 * np.diff(rng.standard_normal(int(0.2 * RATE) + 1))
    sound[int(0.2 * RATE) : int(0.4 * RATE)] = vowel(0.2)
    warp = stretched(durations, factors)
    changed = revoice(sound, warp, np.ones(2), 1.0)
    assert len(changed) == int(1.2 * RATE)
    low = sosfiltfilt(butterworth(4, 1200, fs=RATE, output="sos"), changed)
    level = np.sqrt(np.convolve(low**2, np.full(160, 1 / 160), "same"))
    heard = np.flatnonzero(level > 0.3 * np.median(level[int(0.4 * RATE) : int(0.8 * RATE)])) / RATE
    start, end = warp.forward(np.array([0.2, 0.4]))
    assert heard[0] == pytest.approx(start, abs=0.02)
    assert heard[-1] == pytest.approx(end, abs=0.03)
    assert periodicity(changed[int(start * RATE) : int(end * RATE)])[0] == pytest.approx(125.0, rel=0.02)


def test_sound_after_digital_silence_is_heard_again():
    sound = np.concatenate([vowel(0.3), np.zeros(RATE // 5, np.float32), vowel(0.3)])
    changed = revoice(sound, stretched(np.array([len(sound) / RATE]), np.array([1.5])), np.ones(2), 1.0)
    assert np.std(changed[-5000:-2000]) > 0.5 * np.std(changed[2000:5000])


def test_time_goes_back_as_it_went_forth():
    warp = stretched(np.array([0.1, 0.3, 0.05]), np.array([2.0, 0.5, 3.0]))
    times = np.linspace(0, 0.45, 100)
    np.testing.assert_allclose(warp.backward(warp.forward(times)), times, atol=1e-12)
    assert warp.duration == pytest.approx(0.2 + 0.15 + 0.15)


def test_a_whisper_has_formants_but_no_pitch():
    spoken = vowel(1.0)
    soft = whisper(spoken, np.random.default_rng(0))
    assert periodicity(spoken)[1] > 0.9
    assert periodicity(soft)[1] < 0.3
    assert min(abs(f / FORMANTS[1] - 1.0) for f in formants(soft)) < 0.08


def test_tilt_is_decibels_per_octave():
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    ratio = np.abs(np.fft.rfft(tilted(noise, 6.0))) / np.abs(np.fft.rfft(noise))
    decibels = 20 * np.log10(ratio[[250, 500, 1000, 2000, 4000]])
    np.testing.assert_allclose(decibels, [0, 0, 6, 12, 18], atol=1e-3)


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_effects_keep_what_is_said(corpus, name):
    """In the toy corpus vowels hum, s hisses and p is silent: loudness must follow the labels."""
    source = read_source(corpus, "flite")
    vowels, stops, lengths = [], [], []
    for recording in recordings(EFFECTS[name], [source], 0.4, seed=2):
        assert recording.samples.dtype == np.float32
        assert recording.segments[-1][1] <= len(recording.samples) / RATE + 1e-3
        for start, end, kind in recording.segments:
            middle = recording.samples[int((start + 0.03) * RATE) : int((end - 0.03) * RATE)]
            if len(middle) and kind in "aiup":
                (stops if kind == "p" else vowels).append(np.mean(middle**2))
                lengths += [end - start] if kind in "aiu" else []
    assert np.median(vowels) > 20 * np.median(stops)
    if name == "sung":
        assert 0.2 < np.median(lengths) < 0.6
        assert max(lengths) > 0.35


def test_effects_repeat_with_their_seed(corpus):
    source = [read_source(corpus, "flite")]
    first, second = (next(recordings(EFFECTS["sung"], source, 0.05, seed=7)) for _ in range(2))
    np.testing.assert_array_equal(first.samples, second.samples)
    assert first.segments == second.segments

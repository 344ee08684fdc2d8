"""The synthetic prior of head motion: its figures, its relation to speech, its repeatability."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BPoly
from scipy.signal import butter, sosfiltfilt

from blender_addon.protocol.clip import read_clip
from blender_addon.protocol.controls import PoseStyle
from blender_addon.protocol.tensorfile import Array
from training.corpus.store import Recording, Utterance, write_source
from training.dataset import read_dataset
from training.phones import phones_of
from training.pose.__main__ import main
from training.pose.events import SpeechEvents
from training.pose.paths import FINE_RATE, band_noise, stroked
from training.pose.prior import (
    long_speech,
    sample_motion,
    sample_style,
    speech_events,
    unheard_events,
)
from training.pose.render import render_clips
from training.pose.speech import long_recording
from training.pose.statistics import PoseStatistics, head_speed, in_degrees, statistics
from training.scenes import Pool

RATE = 16000
PHRASES = ((0.5, 2.0), (2.6, 4.4), (6.5, 8.0))
ACCENTS = (0.9, 1.6, 3.2, 3.9, 7.0)
AVERAGE = PoseStyle()


@pytest.fixture(scope="module")
def taken() -> tuple[list[SpeechEvents], list[Array]]:
    """Twelve minutes of different speakers."""
    rng = np.random.default_rng(7)
    events = [unheard_events(60.0, rng) for _ in range(12)]
    return events, [sample_motion(one, AVERAGE, rng) for one in events]


def voice(seconds: float = 9.0) -> Array:
    """[n] f32 a buzz in PHRASES whose pitch rises by 5 semitones at ACCENTS."""
    times = np.arange(int(seconds * RATE)) / RATE
    rise = sum(5.0 * np.exp(-0.5 * ((times - at) / 0.07) ** 2) for at in ACCENTS)
    phase = 2 * np.pi * np.cumsum(120.0 * 2.0 ** (rise / 12.0)) / RATE
    buzz = sum(np.cos(k * phase) / k for k in range(1, 12))
    gate = np.sum([(times >= a) & (times < b) for a, b in PHRASES], 0)
    return np.asarray(0.1 * buzz * gate, np.float32)


def spoken(name: str, level: int, seconds: float = 1.5) -> Utterance:
    """An utterance of one vowel whose every sample is `level`."""
    phones = phones_of([(0.1, seconds - 0.1, "a")])
    return Utterance(name, np.full(int(seconds * RATE), level, np.int16), phones)


def test_phrases_and_accents_are_found_in_a_sound() -> None:
    events = speech_events(voice())
    assert np.allclose(events.phrases, PHRASES, atol=0.06)
    strongest = np.sort(events.accents[np.argsort(events.strength)[-5:]])
    assert np.allclose(strongest, ACCENTS, atol=0.08)
    assert events.turns.tolist() == [True, False, True]
    assert events.frames == 225 == len(events.pitch) == len(events.loudness)


def test_phrases_are_found_in_a_noisy_room() -> None:
    noise = 0.004 * np.random.default_rng(0).standard_normal(9 * RATE).astype(np.float32)
    assert np.allclose(speech_events(voice() + noise).phrases, PHRASES, atol=0.06)


def test_known_phones_say_where_phrases_are() -> None:
    phones = phones_of([(0.6, 0.85, "m"), (0.85, 1.0, "a"), (2.7, 3.1, "m"), (3.1, 3.25, "a")])
    events = speech_events(voice(), phones)
    assert np.allclose(events.phrases, [(0.6, 1.0), (2.7, 3.25)], atol=0.03)
    assert events.accents == pytest.approx([0.925, 3.175], abs=1e-9)  # the vowels' middles


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 3000))
def test_poses_cover_a_sound_of_any_length(count: int) -> None:
    events = speech_events(np.zeros(count, np.float32))
    pose = sample_motion(events, AVERAGE, np.random.default_rng(count))
    assert pose.shape == (-(-count // 640), 6)
    assert np.isfinite(pose).all()


def test_ranges_are_those_of_talking(taken: tuple[list[SpeechEvents], list[Array]]) -> None:
    figures = statistics(taken[1], taken[0])
    lowest, highest = [1.8, 1.0, 2.0, 1.5, 1.8, 0.4], [3.8, 2.6, 4.4, 3.6, 4.2, 1.4]
    assert (figures.deviation > lowest).all()
    assert (figures.deviation < highest).all()
    assert figures.deviation[1] < min(figures.deviation[0], figures.deviation[2])  # roll is the smallest
    assert (figures.farthest <= [18, 12, 24, 20 + 9, 20 + 4, 20]).all()
    assert (figures.mean_30[:3] < 2.2).all()
    assert (figures.mean_30[3:] < 6.0).all()
    assert 20.0 < figures.nods < 60.0
    assert 2.0 < figures.nod_size[0] < 5.0


def test_nothing_moves_faster_than_a_gesture(taken: tuple[list[SpeechEvents], list[Array]]) -> None:
    window = np.hanning(1500)[:, None]
    power = np.mean([np.abs(np.fft.rfft(pose * window, axis=0)) ** 2 for pose in taken[1]], axis=0)
    frequency = np.fft.rfftfreq(1500, 1 / 25)
    share = power / power.sum(0)
    assert (share[frequency > 8.0].sum(0) < 1e-6).all()
    assert (share[frequency < 2.0].sum(0) > 0.9).all()
    assert share[(frequency > 2.0) & (frequency < 7.0), 0].sum() > 0.01  # strokes are there


def test_the_head_strikes_at_accents(taken: tuple[list[SpeechEvents], list[Array]]) -> None:
    rng = np.random.default_rng(0)
    real = [_dips(one, events.accents) for events, one in zip(*taken, strict=True)]
    other = [
        _dips(one, rng.choice(np.flatnonzero(events.speech()) / 25.0, 4 * len(events.accents)))
        for events, one in zip(*taken, strict=True)
    ]
    assert np.concatenate(real).mean() > 0.3
    assert abs(np.concatenate(other).mean()) < 0.15


def _dips(pose: Array, times: Array) -> Array:
    """[n] degrees that the face is lower at `times` than before and after."""
    pitch, seconds = np.degrees(pose[:, 0]), np.arange(len(pose)) / 25.0
    at, before, after = (np.interp(times + shift, seconds, pitch) for shift in (-0.02, -0.26, 0.3))
    return np.asarray(at - 0.5 * (before + after))


def test_a_sound_does_not_determine_the_motion() -> None:
    events = unheard_events(60.0, np.random.default_rng(3))
    takes = [sample_motion(events, AVERAGE, np.random.default_rng(seed)) for seed in range(8)]
    together = np.corrcoef([one[:, 0] for one in takes])[np.triu_indices(8, 1)]
    assert 0.02 < together.mean() < 0.5


def test_the_same_generator_gives_the_same_motion() -> None:
    sound = voice()
    first, second, third = (
        sample_motion(speech_events(sound), AVERAGE, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert np.array_equal(first, second)
    assert not np.allclose(first, third, atol=1e-3)
    made = [unheard_events(20.0, np.random.default_rng(5)) for _ in range(2)]
    assert np.array_equal(made[0].accents, made[1].accents)


def test_pauses_are_still_but_not_frozen(taken: tuple[list[SpeechEvents], list[Array]]) -> None:
    figures = statistics(taken[1], taken[0])
    speaking, _, deep = figures.speed
    assert 0.3 < deep < 0.2 * speaking
    assert figures.moving[0] > 0.85
    assert figures.moving[2] < 0.15  # 0.13 in Hadar et al. (1983)
    silence = speech_events(np.zeros(60 * RATE, np.float32))
    alone = in_degrees(sample_motion(silence, AVERAGE, np.random.default_rng(0)))
    assert 0.2 < head_speed(alone).mean() < 3.0
    assert head_speed(alone).min() > 0.0


@pytest.mark.parametrize(("name", "column"), [("energy", 0), ("turns", 2), ("tilts", 1)])
def test_styles_scale_what_they_say(name: str, column: int) -> None:
    less, more = (_figures(replace(AVERAGE, **{name: value})).deviation[column] for value in (-1.0, 1.0))
    assert more / less == pytest.approx(2.0, rel=0.2)  # two units of sqrt(2), and the little life on top


def test_lively_nodders_nod_more() -> None:
    few, usual, many = (_figures(replace(AVERAGE, nods=value)).nods for value in (-1.0, 0.0, 1.0))
    assert few < 0.9 * usual < 0.81 * many


def _figures(style: PoseStyle) -> PoseStatistics:
    """Of three minutes that differ between styles in nothing else."""
    rng = np.random.default_rng(11)
    events = [unheard_events(60.0, rng) for _ in range(3)]
    poses = [sample_motion(one, style, np.random.default_rng(seed)) for seed, one in enumerate(events)]
    return statistics(poses, events)


def test_random_styles_are_often_average_and_always_legal() -> None:
    rng = np.random.default_rng(2)
    drawn = np.stack([sample_style(rng).vector() for _ in range(400)])
    assert 0.2 < (drawn == 0.0).all(1).mean() < 0.4
    assert np.abs(drawn).max() <= 1.0
    assert np.abs(drawn.mean(0)).max() < 0.1


def test_nods_carry_the_joint_forward(taken: tuple[list[SpeechEvents], list[Array]]) -> None:
    fast = butter(4, [1.5, 5.0], "bandpass", fs=25, output="sos")
    moved = sosfiltfilt(fast, np.concatenate(taken[1]), axis=0)
    # +x turns down, -y is forward; the body sways as well
    metres_per_radian = -(moved[:, 0] @ moved[:, 4]) / (moved[:, 0] @ moved[:, 0])
    assert 0.005 < metres_per_radian < 0.02  # the axis lies up to 16 mm below the joint (Moore et al. 2005)


def test_strokes_have_least_jerk() -> None:
    stops, values = np.array([0.2, 0.5, 1.1]), np.array([[0.0, 1.0], [2.0, -1.0], [-1.0, 0.0]])
    path = stroked(stops, values, 130)
    times = np.arange(130) / FINE_RATE
    still = np.zeros((3, 2, 2))
    reference = BPoly.from_derivatives(stops, np.concatenate([values[:, None], still], axis=1))
    inside = (times >= 0.2) & (times <= 1.1)
    assert np.allclose(path[inside], reference(times[inside]), atol=1e-9)
    assert np.allclose(path[times < 0.2], values[0])
    assert np.allclose(path[times > 1.1], values[-1])


def test_noise_has_its_band_and_variance() -> None:
    noise = band_noise((60000, 2), 0.2, 0.7, np.random.default_rng(1))
    assert noise.std(0) == pytest.approx([1.0, 1.0], rel=0.06)
    power = np.abs(np.fft.rfft(noise, axis=0)) ** 2
    frequency = np.fft.rfftfreq(len(noise), 1 / FINE_RATE)
    assert power[frequency > 1.8].sum() < 0.01 * power.sum()
    assert power[frequency < 0.05].sum() < 0.05 * power.sum()


def test_long_speech_is_one_voice_with_pauses() -> None:
    one, other = [spoken("one", 1000) for _ in range(3)], [spoken("other", 9000) for _ in range(3)]
    speeches: list[Pool | list[Utterance]] = [[*one, *other], Pool((one, other), (0.5, 0.5))]
    for seed, speech in enumerate(speeches):
        samples = long_speech(speech, 40.0, np.random.default_rng(seed))
        assert samples.shape == (640000,)
        assert samples.dtype == np.float32
        loud = np.abs(samples[np.abs(samples) > 0.01])
        assert 0.15 < len(loud) / len(samples) < 0.9
        assert loud.max() / loud.min() < 10 ** (8.0 / 20.0) * 1.5  # one voice: gains differ by 8 dB at most


def test_phones_stay_with_their_sounds() -> None:
    recording = long_recording([spoken("one", 9000)], 30.0, np.random.default_rng(4))
    middle = ((recording.phones.start + recording.phones.end) / 2 * RATE).astype(int)
    assert len(middle) >= 3
    assert (np.abs(recording.samples[middle]) > 0.1).all()
    assert recording.phones.end.max() <= 30.0


def test_clips_hold_the_motion_of_their_sound(tmp_path: Path) -> None:
    paths = render_clips(tmp_path, [spoken("one", 9000)], 0.3, np.random.default_rng(0))
    clip = read_clip(paths[0])
    assert clip.pose.shape == (450, 6)
    assert set(clip.info.controls["head"]["style"]) == {"energy", "nods", "turns", "tilts"}
    (utterance,) = read_dataset(tmp_path)
    assert utterance.motion is None  # no weights are known
    assert utterance.duration == pytest.approx(18.0)
    again = speech_events(np.asarray(utterance.samples, np.float32) / 32768.0, utterance.phones)
    assert again.frames == len(clip.pose)


def test_commands_print_figures_and_write_clips(tmp_path: Path) -> None:
    recording = Recording("flite slt", voice(), [(0.5, 2.0, "a"), (2.6, 4.4, "o")])
    write_source(tmp_path, "flite", [recording])
    printed = CliRunner().invoke(main, ["statistics", "--corpus", str(tmp_path), "--minutes", "1"])
    assert printed.exit_code == 0
    assert "deviation" in printed.output
    written = CliRunner().invoke(
        main, ["render", "--corpus", str(tmp_path), "--minutes", "0.1", "-o", str(tmp_path / "clips")]
    )
    assert written.exit_code == 0
    assert read_clip(tmp_path / "clips/000000.safetensors").frames == 150


def test_figures_of_a_known_movement() -> None:
    times = np.arange(1500) / 25.0
    pose = np.zeros((1500, 6))
    pose[:, 0] = np.radians(2.0) * np.cos(2 * np.pi * times)  # a nod of 4 degrees every second
    events = replace(unheard_events(60.0, np.random.default_rng(0)), phrases=np.array([[0.0, 60.0]]))
    figures = statistics([pose], [events])
    assert figures.deviation[0] == pytest.approx(2.0 / 2**0.5, rel=0.01)
    assert figures.span[0] == pytest.approx(4.0, rel=0.01)
    assert figures.bands[1, 0] > 0.99
    assert figures.nods == pytest.approx(60.0, abs=2.0)
    assert figures.nod_size[0] == pytest.approx(4.0, rel=0.01)
    assert figures.speed[0] == pytest.approx(2.0 * 2 * np.pi * 2 / np.pi, rel=0.02)
    assert np.abs(figures.mean_30[0]) < 0.1

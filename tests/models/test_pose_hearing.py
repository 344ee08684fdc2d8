"""What the head hears: pitch and power against closed forms, and the same numbers however a sound is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.pose.hearing import ACTIVITY, HEARD, HEARD_LATE, HEARD_NAMES, SILENT, Hearing, heard
from models.pose.voice import VoiceStream

RATE = 16000


def voice(hertz: np.ndarray) -> np.ndarray:
    """Buzz of eight harmonics with this pitch at every sample."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    return sum(np.cos(k * phase + k * k) / k for k in range(1, 9)).astype(np.float32) * np.float32(0.1)


def sentence(seconds: float, seed: int = 0) -> np.ndarray:
    """Buzz that glides and pauses, in a little noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    sound = voice(150 + 30 * np.sin(2 * np.pi * 0.7 * time)) * (np.sin(2 * np.pi * 0.4 * time) > -0.5)
    return (sound + 1e-3 * rng.standard_normal(len(time))).astype(np.float32)


@pytest.mark.parametrize("hertz", [75.0, 130.0, 222.0, 400.0])
def test_pitch_of_a_voice(hertz):
    _, pitches = VoiceStream().push(voice(np.full(RATE, hertz)))
    inside = pitches[5:-5]
    assert np.abs(inside[:, 0] - 12 * np.log2(hertz / 60)).max() < 0.25
    assert inside[:, 1].min() > 0.9


def test_noise_and_silence_have_no_pitch():
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    assert np.median(VoiceStream().push(noise)[1][:, 1]) < 0.5
    assert not VoiceStream().push(np.zeros(RATE, np.float32))[1].any()


def test_power_of_low_and_high_tones():
    time = np.arange(RATE) / RATE
    low = VoiceStream().push((0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32))[0][5:-5]
    assert np.allclose(low[:, 0], 0.3**2 / 2, rtol=0.05)
    high = VoiceStream().push((0.3 * np.sin(2 * np.pi * 5000 * time)).astype(np.float32))[0][5:-5]
    assert high[:, 0].max() < 1e-4
    # the difference of a sine over one sample has its amplitude times 2 sin(w / 2)
    assert np.allclose(high[:, 1], (0.3 * 2 * np.sin(np.pi * 5000 / RATE)) ** 2 / 2, rtol=0.05)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 9000), min_size=1, max_size=12))
def test_any_cut_is_heard_the_same_to_the_bit(cuts):
    sound = sentence(2.5)
    whole = Hearing().push(sound)
    edges = np.clip(np.cumsum([0, *cuts]), 0, len(sound))
    stream = Hearing()
    parts = [stream.push(sound[a:b]) for a, b in zip(edges, [*edges[1:], len(sound)], strict=True)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_a_frame_hears_no_further_than_it_says():
    sound = sentence(4.0)
    other = sound.copy()
    moment = 2 * RATE
    other[moment:] = 0.2 * np.random.default_rng(1).standard_normal(len(other) - moment)
    changed = np.flatnonzero((heard(sound, 100) != heard(other, 100)).any(1))
    assert changed[0] / 25 >= (moment - HEARD_LATE) / RATE - 1e-9
    assert changed[0] / 25 < moment / RATE + 0.1


def test_frames_come_as_soon_as_they_are_certain():
    stream, sound, made = Hearing(), sentence(1.0), 0
    for i in range(0, len(sound), 100):
        made += len(stream.push(sound[i : i + 100]))
        assert made >= (i + 100 - HEARD_LATE) / (RATE / 25) - 0.5


def test_a_quiet_voice_is_heard_as_a_loud_one():
    sound = sentence(6.0)
    loud, quiet = heard(sound, 150), heard(sound * np.float32(0.1), 150)
    assert np.abs(loud - quiet)[75:].max() < 0.1


def test_activity_begins_and_ends_with_the_voice():
    sound = np.zeros(6 * RATE, np.float32)
    sound[2 * RATE : 4 * RATE] = voice(np.full(2 * RATE, 140.0))
    active = heard(sound, 150)[:, ACTIVITY]
    assert active[:45].max() < 0.01
    assert active[56:100].min() > 0.8
    assert active[125:].max() < 0.05


def test_silence_is_what_is_said_to_be_silence():
    rows = heard(np.zeros(RATE, np.float32), 25)
    assert rows.shape == (25, HEARD)
    assert len(HEARD_NAMES) == HEARD
    assert np.allclose(rows, SILENT)


def test_memory_does_not_grow():
    stream, sizes = Hearing(), []
    for second in range(20):
        stream.push(sentence(1.0, second))
        arrays = [*vars(stream).values(), *vars(stream._voice).values()]
        sizes.append(sum(a.nbytes for a in arrays if isinstance(a, np.ndarray)))
    assert max(sizes[5:]) <= max(sizes[:5])

"""The shipped weights: they rest when nobody speaks and close the lips when a real voice says p, b or m."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from blender_addon.protocol.arkit import ARKIT_INDEX, LIP_SHAPES
from models.expression import DEFAULT_WEIGHTS, ExpressionModel
from models.face import Deformer, load_head

RATE = 16000
VOICE = Path(DEFAULT_WEIGHTS).parent / "demo_voice.flac"
# Centres of the bilabials in VOICE, from a forced alignment of its text with an acoustic model.
BILABIALS = (0.39, 4.05, 4.57, 4.815, 4.995, 5.775, 6.765)


@pytest.fixture(scope="module")
def model():
    return ExpressionModel.load()


@pytest.fixture(scope="module")
def voice():
    samples, rate = soundfile.read(VOICE, dtype="float32")
    assert rate == RATE
    return samples


def run(model, samples, fps=25.0):
    stream = model.stream(fps)
    chunks = [stream.push(np.asarray(samples, np.float32)), stream.finish()]
    return np.concatenate([c.weights for c in chunks]), np.concatenate([c.contact for c in chunks])


def aperture(weights):
    return weights[:, ARKIT_INDEX["jawOpen"]] - weights[:, ARKIT_INDEX["mouthClose"]]


def test_lips_are_sealed_on_the_head_at_every_contact(model, voice):
    head = load_head(None)
    deformer, (upper, lower) = Deformer(head), (head.rings["lip_upper"], head.rings["lip_lower"])
    weights, contact = run(model, voice, fps=50.0)
    closed = np.flatnonzero(contact[:, 0] > 0.98)
    assert len(closed) > 10
    middle = slice(len(upper) // 5, -(len(upper) // 5))
    for frame in closed:
        vertices = deformer(weights[frame])
        gap = vertices[upper, 2] - vertices[lower, 2]
        assert gap[middle].max() < 0.5e-3


def tone(hertz, seconds=3.0):
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)


def chord(seconds=3.0):
    """Three notes with overtones that start anew twice a second."""
    decay = np.exp(-4 * (np.arange(int(seconds * RATE)) / RATE % 0.5))
    notes = sum(tone(k * f, seconds) / k for f in (220.0, 277.2, 329.6) for k in (1, 2, 3, 4))
    return 0.1 * notes * decay


def noise(decibels, seconds=3.0):
    return 10 ** (decibels / 20) * np.random.default_rng(0).standard_normal(int(seconds * RATE))


def test_identity(model):
    assert model.model_id.startswith("vividtalk-expression")
    assert model.licence == "CC0-1.0"
    assert DEFAULT_WEIGHTS.stat().st_size < 10e6


@pytest.mark.parametrize(
    "sound",
    [np.zeros(3 * RATE), noise(-60), noise(-30), 0.3 * tone(440.0), 0.03 * tone(50.0), chord()],
    ids=["silence", "quiet noise", "noise", "tone", "hum", "chord"],
)
def test_the_face_rests_when_nobody_speaks(model, sound):
    weights, _ = run(model, sound)
    assert aperture(weights).max() < 0.03
    assert weights[:, LIP_SHAPES].max() < 0.15  # closed lips may press where a tone ends


def test_the_lips_close_for_p_b_m_and_open_between(model, voice):
    weights, contact = run(model, voice, fps=50.0)
    opening = aperture(weights)
    usual = np.percentile(opening, 95)
    assert usual > 0.2
    closest = [opening[int((t - 0.06) * 50) : int((t + 0.06) * 50) + 2].min() for t in BILABIALS]
    assert sum(c < 0.15 * usual for c in closest) >= 6
    runs = np.flatnonzero(np.diff((contact[:, 0] > 0.5).astype(int)) == 1)
    assert 5 <= len(runs) <= 12


def test_the_jaw_does_not_follow_loudness(model, voice):
    """Loudness-driven jaws correlate by 0.8 or more; a vowel's opening is not its loudness."""
    weights, _ = run(model, voice, fps=50.0)
    power = np.convolve(voice**2, np.full(800, 1 / 800), "same")[::320]
    loudness = np.sqrt(power)[: len(weights)]
    jaw = weights[: len(loudness), ARKIT_INDEX["jawOpen"]]
    speaking = loudness > 0.1 * loudness.max()
    assert np.corrcoef(loudness[speaking], jaw[speaking])[0, 1] < 0.7


def test_gain_does_not_matter(model, voice):
    loud, soft = (aperture(run(model, voice * gain)[0]) for gain in (1.0, 0.2))
    assert np.abs(loud - soft).mean() < 0.01


def test_a_delayed_voice_gives_a_delayed_face(model, voice):
    now = aperture(run(model, voice)[0])
    later = aperture(run(model, np.concatenate([np.zeros(2 * RATE), voice]))[0])
    assert later[:45].max() < 0.03
    assert np.abs(later[50 : 50 + len(now)] - now).mean() < 0.01


@pytest.mark.parametrize("fps", [24.0, 25.0])
def test_closures_survive_film_frame_rates(model, voice, fps):
    weights, _ = run(model, voice, fps=fps)
    opening = aperture(weights)
    closest = [opening[int((t - 0.08) * fps) : int((t + 0.08) * fps) + 2].min() for t in BILABIALS]
    assert sum(c < 0.15 * np.percentile(opening, 95) for c in closest) >= 6


@pytest.mark.parametrize("seconds", [0.0, 0.2, 1.0])
def test_short_sounds_have_all_their_frames(model, seconds):
    weights, contact = run(model, noise(-20, seconds))
    assert len(weights) == len(contact) == max(1, int(seconds * 25))

"""Streams of the expression model: the same for every chunking, on time, flat in memory."""

import itertools
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.lips.offsets import CANONICAL_OFFSETS
from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES, LIP_SHAPES, OTHER_SHAPES, sided_indices
from blender_addon.protocol.clip import frame_count
from blender_addon.protocol.controls import ExpressionControls, MotionStyle
from blender_addon.protocol.errors import ModelError
from models.expression import ExpressionModel
from models.expression.checkpoint import Checkpoint, ModelIdentity, write_checkpoint
from models.expression.curves import CURVES, from_arkit, to_arkit
from models.expression.finishing import (
    FUTURE,
    PAST,
    UNFINISHED,
    Finishing,
    bite_lip,
    close_lips,
    decisive_contacts,
    finish,
    speech_gate,
)
from models.expression.network import STYLE_SIZE, ExpressionConfig, ExpressionNetwork
from models.expression.noise import NOISE_CHANNELS
from models.expression.sampling import FrameSampler, Sampled

CONFIG = ExpressionConfig(classes=("sil", "a", "p"), channels=16)
JAW, CLOSE = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]


def random_network():
    """Output maps start at zero; here they draw something, and the phones say that somebody speaks."""
    network = ExpressionNetwork(CONFIG)
    with torch.no_grad():
        for branch in (network.lip, network.other, network.offsets, network.contacts):
            branch.out.weight.normal_(0, 0.5)
        network.encoder.phones.bias.copy_(torch.tensor([-3.0, 0.0, 0.0]))
    return network


def frames(weights, contacts):
    """`Sampled` of [n, 52] weights and [n, 2] contacts, without offsets."""
    return Sampled(weights, contacts, np.zeros((len(weights), CANONICAL_OFFSETS), np.float32))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    write_checkpoint(path, Checkpoint(random_network(), CONFIG, ModelIdentity("random", "CC0-1.0")))
    return path


@pytest.fixture(scope="module")
def model(weights):
    return ExpressionModel.load(weights)


def noise(count: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(count) * 0.1).astype(np.float32)


def run(model, samples, fps, cuts=()):
    stream, chunks, start = model.stream(fps), [], 0
    for cut in cuts:
        chunks.append(stream.push(samples[start : start + cut]))
        start += cut
    chunks += [stream.push(samples[start:]), stream.finish()]
    ends = itertools.accumulate(len(chunk.weights) for chunk in chunks)
    assert [chunk.start for chunk in chunks] == [0, *ends][:-1]
    return tuple(
        np.concatenate([getattr(c, name) for c in chunks]) for name in ("weights", "contact", "offsets")
    )


@given(
    cuts=st.lists(st.integers(0, 9000), max_size=25),
    fps=st.sampled_from([12.0, 24000 / 1001, 24.0, 25.0, 30000 / 1001, 50.0, 60.0, 120.0]),
    count=st.integers(0, 60000),
)
@settings(max_examples=40, deadline=None)
def test_streaming_is_offline(model, cuts, fps, count):
    samples = noise(count)
    whole, streamed = run(model, samples, fps), run(model, samples, fps, cuts)
    assert len(whole[0]) == len(whole[1]) == frame_count(count / 16000, fps)
    for expected, found in zip(whole, streamed, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert found.dtype == np.float32
    for found in streamed[:2]:
        assert found.min() >= 0.0
        assert found.max() <= 1.0


def test_windows_give_what_the_whole_sound_gives(model):
    samples = noise(16000 * 70)  # longer than the largest window
    whole, streamed = run(model, samples, 50.0), run(model, samples, 50.0, [16000] * 69)
    np.testing.assert_allclose(streamed[0], whole[0], atol=1e-4)


def test_context_is_all_that_the_network_sees():
    network = random_network().eval()
    features = torch.randn(1, 300, 80, requires_grad=True)
    drawn = network(features, torch.zeros(1, STYLE_SIZE), torch.zeros(1, 150, NOISE_CHANNELS))
    sum(part[0, 75].sum() for part in vars(drawn).values()).backward()
    seen = torch.nonzero(features.grad[0].abs().sum(1)).flatten()
    assert seen.min() >= 2 * (75 - CONFIG.context)
    assert seen.max() <= 2 * (75 + CONFIG.context)


@pytest.mark.parametrize("fps", [24.0, 25.0, 60.0])
def test_frames_come_out_within_the_look_ahead(model, fps):
    stream, emitted = model.stream(fps), 0
    for i in range(400):
        emitted += len(stream.push(noise(160, i)).weights)
        certain = (i + 1) * 0.01 - model.look_ahead - 0.5 / fps
        assert emitted >= np.floor(certain * fps + 1e-6) + (certain >= 0)
    assert model.look_ahead < 1.7


def test_memory_is_flat_in_the_length(model):
    peaks = []
    for seconds in (20, 120):
        tracemalloc.start()
        stream = model.stream(25.0)
        for i in range(seconds):
            stream.push(noise(16000, i))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("fps", [24000 / 1001, 24.0, 25.0, 30.0, 50.0, 60.0])
def test_an_hour_of_frames_does_not_drift(fps):
    sampler, peaks, period = FrameSampler(fps), [], 97  # a closure every 97 frames of 20 ms
    total = 3600 * 50
    for first in range(0, total, 5000):
        contacts = np.zeros((5000, 2), np.float32)
        contacts[(np.arange(first, first + 5000) % period) == 0, 0] = 1.0
        start = sampler.emitted
        sampled = sampler.push(frames(np.zeros((5000, 52), np.float32), contacts))
        peaks += list(start + np.flatnonzero(sampled.contacts[:, 0] >= 1.0 - 1e-6))
    truth = np.arange(1, total // period - 2) * period / 50
    found = np.array(peaks)[np.searchsorted(peaks, truth * fps - 0.5 - 1e-6)] / fps
    assert np.abs(found - truth).max() <= 0.5 / fps + 1e-9


@given(
    start=st.floats(0.2, 0.8), length=st.floats(0.06, 0.12), fps=st.sampled_from([23.976, 24.0, 25.0, 30.0])
)
@settings(max_examples=100, deadline=None)
def test_short_closures_survive_low_frame_rates(start, length, fps):
    times = np.arange(75) / 50
    closed = ((times >= start) & (times <= start + length)).astype(np.float32)
    weights = np.zeros((75, len(ARKIT_NAMES)), np.float32)
    weights[:, JAW], weights[:, CLOSE] = 0.5, 0.5 * closed
    sampler = FrameSampler(fps)
    parts = [sampler.push(frames(weights, np.stack([closed, closed], 1))), sampler.finish(int(1.4 * fps))]
    sampled = np.concatenate([part.weights for part in parts])
    contacts = np.concatenate([part.contacts for part in parts])
    assert contacts[:, 0].max() == pytest.approx(1.0)
    aperture = sampled[:, JAW] - sampled[:, CLOSE]
    assert aperture.min() == pytest.approx(0.0, abs=1e-6)
    shut = np.flatnonzero(contacts[:, 0] > 0.99) / fps
    inside = times[closed > 0]
    assert shut.min() >= inside.min() - 0.5 / fps - 1e-9
    assert shut.max() <= inside.max() + 0.5 / fps + 1e-9


@given(jaw=st.floats(0, 1), close=st.floats(0, 1), contact=st.floats(0, 1))
def test_mouth_close_never_exceeds_the_jaw(jaw, close, contact):
    weights = np.full((3, len(ARKIT_NAMES)), 0.3, np.float32)
    weights[:, JAW], weights[:, CLOSE] = jaw, close
    some = np.full(3, contact, np.float32)
    shaped = bite_lip(close_lips(weights, some), some)
    assert (shaped[:, CLOSE] <= shaped[:, JAW] + 1e-6).all()
    assert shaped.min() >= 0.0
    if contact == 1.0:
        np.testing.assert_allclose(shaped[:, JAW] - shaped[:, CLOSE], 0.0, atol=1e-6)


def test_each_finishing_step_can_be_left_out():
    rng = np.random.default_rng(0)
    weights = rng.uniform(0, 1, (60, len(ARKIT_NAMES))).astype(np.float32)
    contacts = rng.uniform(0, 1, (60, 2)).astype(np.float32)
    silence = np.r_[np.zeros(5), np.ones(55)].astype(np.float32)
    np.testing.assert_array_equal(finish(weights, contacts, silence, UNFINISHED).weights, weights)
    closed = finish(weights, contacts, silence, Finishing(bites=False, rest=False, limits=False))
    changed = np.flatnonzero(np.abs(closed.weights - weights).max(0))
    allowed = sided_indices("mouthClose", "mouthPress", "mouthUpperUp", "mouthLowerDown", "mouthFunnel")
    assert set(changed) <= set(allowed)
    rested = finish(weights, contacts, silence, Finishing(closures=False, bites=False, limits=False))
    assert rested.weights[50:, LIP_SHAPES].max() == 0.0
    np.testing.assert_array_equal(rested.weights[:, OTHER_SHAPES], weights[:, OTHER_SHAPES])
    limited = finish(weights, contacts, silence, Finishing(closures=False, bites=False, rest=False))
    assert limited.weights[:, JAW].max() == pytest.approx(0.85)
    assert weights[:, JAW].max() > 0.85


def test_style_and_seed_reach_the_network(model):
    samples = noise(32000)
    even = ExpressionControls(asymmetry=0.0)
    plain = model.stream(25.0, even)
    plain = np.concatenate([plain.push(samples).weights, plain.finish().weights])
    wide = model.stream(25.0, ExpressionControls(asymmetry=0.0, style=MotionStyle(jaw=1.0)))
    wide = np.concatenate([wide.push(samples).weights, wide.finish().weights])
    assert np.abs(wide - plain)[:, LIP_SHAPES].max() > 1e-3
    other = model.stream(25.0, even, seed=5)
    other = np.concatenate([other.push(samples).weights, other.finish().weights])
    np.testing.assert_array_equal(other[:, LIP_SHAPES], plain[:, LIP_SHAPES])
    assert np.abs(other - plain)[:, OTHER_SHAPES].max() > 1e-3


@given(st.lists(st.floats(0, 1), min_size=12, max_size=12))
def test_curves_and_arkit_weights_round_trip(values):
    curves = np.array([values], np.float32)
    np.testing.assert_allclose(from_arkit(to_arkit(curves)), curves, atol=1e-6)


def test_contacts_are_decided_and_exclusive():
    probability = np.zeros((40, 2), np.float32)
    probability[10:14, 0] = 0.9
    probability[25:29, 1] = 0.9
    probability[33:, :] = 0.2
    contacts = decisive_contacts(probability)
    assert contacts[11:13, 0].min() == 1.0
    assert contacts[26:28, 1].min() == 1.0
    assert contacts[33:].max() == 0.0
    assert (contacts.sum(1) <= 1.0 + 1e-6).all()


def test_the_gate_opens_before_speech_and_closes_after_it():
    speech = np.zeros(200)
    speech[100:120] = 1.0
    gate = speech_gate(speech)
    assert gate[100:130].min() == 1.0
    assert gate[: 100 - FUTURE].max() == 0.0
    assert gate[120 + PAST :].max() == 0.0
    assert np.abs(np.diff(gate)).max() < 0.2


def test_left_and_right_are_the_same_and_the_rest_is_still():
    weights = to_arkit(np.tile(np.linspace(0.1, 0.9, len(CURVES)), (2, 1)))
    for name, index in ARKIT_INDEX.items():
        if name.endswith("Left") and name.replace("Left", "Right") in ARKIT_INDEX:
            np.testing.assert_array_equal(
                weights[:, index], weights[:, ARKIT_INDEX[name.replace("Left", "Right")]]
            )
        if name.startswith(("brow", "eye", "nose", "cheek")):
            assert weights[:, index].max() == 0.0
    assert weights[0, ARKIT_INDEX["mouthSmileLeft"]] == pytest.approx(np.linspace(0.1, 0.9, 12)[6])


def test_damaged_or_foreign_weights_are_refused(weights, tmp_path):
    data = weights.read_bytes()
    broken = {
        "missing": None,
        "empty": b"",
        "truncated": data[: len(data) // 2],
        "text": b"not weights at all, but long enough to look like something",
        "renamed": data.replace(b"encoder.listen.weight", b"encoder.listem.weight"),
        "foreign": data.replace(b"vividtalk_model", b"vividtalk_motel"),
        "no silence": data.replace(b'\\"sil\\"', b'\\"sol\\"'),
        "other kind": data.replace(b'\\"kind\\": \\"expression\\"', b'\\"kind\\": \\"headmotion\\"'),
    }
    for name, content in broken.items():
        path = tmp_path / f"{name}.safetensors"
        if content is not None:
            assert content != data, name
            path.write_bytes(content)
        with pytest.raises(ModelError, match=name) as caught:
            ExpressionModel.load(path)
        assert caught.value.hint


def test_an_unknown_device_is_refused(weights):
    with pytest.raises(ModelError, match="nonsense"):
        ExpressionModel.load(weights, device="nonsense")

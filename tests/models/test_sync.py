"""The sync expert: measures of a mouth, offsets found in likeness, and the weights file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_addon.protocol.arkit import ARKIT_INDEX, ARKIT_NAMES
from blender_addon.protocol.errors import InputError, ModelError
from models.audio.mel import SAMPLE_RATE
from models.audio.stream import FeatureStream
from models.face import load_head
from models.face.deform import deform
from models.sync import MEASURES, MouthMeter, SyncModel
from models.sync.checkpoint import Calibration, SyncCheckpoint, read_sync, write_sync
from models.sync.matching import match, peak_near, peak_of
from models.sync.measures import resampled, standardised
from models.sync.model import embed_mouth, embed_sound, probability
from models.sync.network import RATE, SyncConfig, SyncNetwork

GAP, WIDTH, PROTRUSION, BITE, JAW = range(5)


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def meter(head):
    return MouthMeter.of(head)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SyncNetwork(SyncConfig()).eval()


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def posed(**weights):
    row = np.zeros((1, len(ARKIT_NAMES)))
    for name, value in weights.items():
        row[0, ARKIT_INDEX[name]] = value
    return row


def smooth_motion(seconds, fps, seed=0):
    """[F, 5] sums of slow sines, the same curves at every rate."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(seconds * fps)) / fps
    hertz, phase = rng.uniform(0.5, 3.0, (2, 4, len(MEASURES)))
    waves = np.sin(2 * np.pi * (times[:, None, None] * hertz + phase))
    return 0.01 + 0.002 * waves.sum(1)


def test_measures_are_distances_on_the_deformed_head(head, meter):
    rng = np.random.default_rng(1)
    weights = np.zeros(len(ARKIT_NAMES))
    chosen = [i for i, name in enumerate(ARKIT_NAMES) if name.startswith(("jaw", "mouth"))]
    weights[chosen] = rng.uniform(0.0, 0.4, len(chosen))
    vertices = deform(head, weights).astype(np.float64)
    at = {name: vertices[i] for name, i in head.landmarks.items()}
    found = meter.measure(weights[None])[0]
    width = np.linalg.norm(at["mouth_corner.L"] - at["mouth_corner.R"])
    gap = max(0.0, at["lip_upper_middle"][2] - at["lip_lower_middle"][2])
    assert found[WIDTH] == pytest.approx(width, abs=1e-6)
    assert found[GAP] == pytest.approx(gap, abs=1e-6)


def test_measures_say_what_their_names_say(meter):
    rest = meter.measure(posed())[0]
    opened, pressed = (meter.measure(posed(jawOpen=0.5, mouthClose=c))[0] for c in (0.0, 0.5))
    rounded = meter.measure(posed(mouthPucker=1.0))[0]
    bitten = meter.measure(posed(mouthRollLower=0.5, mouthUpperUpLeft=0.3, mouthUpperUpRight=0.3))[0]
    assert opened[GAP] > 8e-3
    assert pressed[GAP] < 1e-3
    assert pressed[JAW] == pytest.approx(opened[JAW], abs=2e-3)
    assert opened[JAW] > rest[JAW] + 5e-3
    assert rounded[WIDTH] < rest[WIDTH] - 5e-3
    assert rounded[PROTRUSION] > rest[PROTRUSION] + 2e-3
    assert bitten[BITE] < opened[BITE]


def test_a_face_without_teeth_has_no_bite(head):
    rings = {name: ring for name, ring in head.rings.items() if not name.startswith("teeth")}
    found = MouthMeter.of(dataclasses.replace(head, rings=rings)).measure(posed())
    assert np.isnan(found[0, BITE])
    assert np.isfinite(np.delete(found, BITE, 1)).all()


def test_a_face_without_landmarks_is_refused(head):
    with pytest.raises(InputError, match="lacks"):
        MouthMeter.of(dataclasses.replace(head, landmarks={}))


@settings(max_examples=20, deadline=None)
@given(st.floats(0.3, 5.0), st.floats(-0.1, 0.1))
def test_rest_and_scale_of_a_face_do_not_count(scale, rest):
    motion = smooth_motion(3.0, 25.0)
    assert np.allclose(standardised(motion)[0], standardised(scale * motion + rest)[0], atol=1e-3)


def test_unknown_columns_are_marked_and_never_looked_at(network):
    motion = smooth_motion(2.0, 50.0)
    hidden = motion.copy()
    hidden[:, [PROTRUSION, JAW]] = np.nan
    values, known = standardised(hidden)
    assert known.tolist() == [1, 1, 0, 1, 0]
    other = torch.from_numpy(values.copy())[None]
    other[..., [PROTRUSION, JAW]] = 7.0
    mask = torch.from_numpy(known)[None]
    same = network.embed_motion(torch.from_numpy(values)[None], mask)
    assert torch.equal(same, network.embed_motion(other, mask))
    assert not torch.allclose(same, network.embed_motion(other, torch.ones(1, 5)))


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0, 60.0])
def test_frame_rates_do_not_count(network, fps):
    fine = embed_mouth(network, smooth_motion(4.0, 200.0), 200.0)
    coarse = embed_mouth(network, smooth_motion(4.0, fps), fps)
    count = min(len(fine), len(coarse)) - 12  # the ends know less
    likeness = (fine[:count] * coarse[:count]).sum(1)
    assert likeness.min() > 0.97


def test_resampling_keeps_lines_and_time():
    line = np.arange(30)[:, None] * np.ones(5) / 24.0
    found = resampled(line, 24.0, 50.0)
    assert np.allclose(found[:, 0], np.arange(len(found)) / 50.0)
    assert len(found) == int(29 / 24.0 * 50.0) + 1


def test_match_sums_what_a_double_loop_sums():
    rng = np.random.default_rng(2)
    audio, motion = unit(rng.standard_normal((130, 8))), unit(rng.standard_normal((117, 8)))
    found = match(audio, motion)
    half = (found.sums.shape[1] - 1) // 2
    for offset in (-half, -7, 0, 31, half):
        for second in range(len(found.sums)):
            frames = [t for t in range(50 * second, min(130, 50 * second + 50)) if 0 <= t + offset < 117]
            expected = sum(audio[t] @ motion[t + offset] for t in frames)
            assert found.sums[second, offset + half] == pytest.approx(expected)
            assert found.frames[second, offset + half] == len(frames)
    assert found.mean == pytest.approx((audio @ motion.T).mean())


@settings(max_examples=25, deadline=None)
@given(st.integers(-45, 45), st.integers(0, 2**31))
def test_a_shifted_copy_is_found_at_its_shift(shift, seed):
    rng = np.random.default_rng(seed)
    source = unit(rng.standard_normal((400, 16)))
    audio, motion = source[100:250], source[100 - shift : 250 - shift]
    noisy = unit(motion + 0.2 * rng.standard_normal(motion.shape))
    peak = peak_of(match(audio, noisy).profile())
    assert peak.offset == pytest.approx(shift / RATE, abs=0.5 / RATE)
    assert peak.margin > 0.3
    assert peak.lead > 0.1


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.2, 0.2))
def test_offsets_between_frames(seconds):
    def turning(times):  # likeness of two turning vectors is the cosine of their angle
        return np.stack([np.cos(6.0 * times), np.sin(6.0 * times)], axis=1)

    times = np.arange(300) / RATE
    peak = peak_of(match(turning(times), turning(times - seconds)).profile())
    assert peak.offset == pytest.approx(seconds, abs=0.003)


def test_peak_near_ignores_better_ones_elsewhere():
    profile = np.zeros(101)
    profile[30], profile[70] = 1.0, 2.0
    assert peak_near(profile, (30 - 50) / RATE).offset == pytest.approx((30 - 50) / RATE)
    assert peak_near(profile, (30 - 50) / RATE).lead == pytest.approx(-1.0)
    assert peak_of(profile).offset == pytest.approx((70 - 50) / RATE)


def test_more_likeness_and_more_time_mean_more_trust():
    calibration = Calibration(-4.0, 3.0, 2.0)
    weak, strong = (dataclasses.replace(peak_of(np.eye(101)[50]), margin=m) for m in (0.2, 0.9))
    assert probability(weak, 4.0, calibration) < probability(strong, 4.0, calibration)
    assert probability(strong, 1.0, calibration) < probability(strong, 8.0, calibration)
    odds = -4.0 + 2.0 * (3.0 * 0.9 + 2.0 * strong.lead)
    assert probability(strong, 4.0, calibration) == pytest.approx(1.0 / (1.0 + np.exp(-odds)))


def test_long_sounds_are_embedded_as_in_one_piece(network):
    samples = np.random.default_rng(3).standard_normal(64 * SAMPLE_RATE).astype(np.float32) * 0.1
    listener = FeatureStream()
    features = np.concatenate([listener.push(samples), listener.finish()])
    with torch.inference_mode():
        whole = network.embed_audio(torch.from_numpy(features)[None])[0].numpy()
    found = embed_sound(network, samples)
    assert len(found) == 64 * RATE + 1
    assert np.abs(found - whole[: len(found)]).max() < 1e-4


def test_an_embedding_sees_a_fifth_of_a_second(network):
    features = torch.randn(1, 200, 80, requires_grad=True)
    network.embed_audio(features)[0, 50, 0].backward()
    seen = torch.nonzero(features.grad[0].abs().sum(1))[:, 0]
    assert 60 <= int(seen.min()) < 100 < int(seen.max()) <= 140  # frames of 10 ms around frame 100


def test_weights_survive_the_disk(tmp_path, network, meter):
    path = tmp_path / "sync.safetensors"
    calibration = Calibration(-1.0, 2.0, 3.0)
    write_sync(
        path, SyncCheckpoint(network, SyncConfig(), calibration, meter, "test", "CC0-1.0", {"step": 1})
    )
    back = read_sync(path)
    assert (back.id, back.licence, back.training) == ("test", "CC0-1.0", {"step": 1})
    assert back.calibration == calibration
    for name, value in network.state_dict().items():
        assert torch.allclose(back.network.state_dict()[name], value, atol=2e-3), name
    weights = np.random.default_rng(4).uniform(0, 0.5, (3, len(ARKIT_NAMES)))
    assert np.allclose(back.meter.measure(weights), meter.measure(weights), atol=1e-6)


def test_damaged_weights_are_refused(tmp_path):
    path = tmp_path / "sync.safetensors"
    with pytest.raises(ModelError, match="no file"):
        SyncModel.load(path)
    path.write_bytes(b"not weights")
    with pytest.raises(ModelError):
        SyncModel.load(path)


@pytest.fixture(scope="module")
def untrained(network, meter):
    return SyncModel(SyncCheckpoint(network, SyncConfig(), Calibration(0, 1, 1), meter, "test", "CC0-1.0"))


def test_pairs_that_cannot_be_judged_are_refused(untrained):
    sound, motion = np.zeros(3 * SAMPLE_RATE, np.float32), smooth_motion(3.0, 25.0)
    with pytest.raises(InputError, match="too short"):
        untrained.score(sound[:8000], motion, 25.0)
    with pytest.raises(InputError, match="shape"):
        untrained.score(sound, motion[:, :3], 25.0)
    with pytest.raises(InputError, match="no measure"):
        untrained.score(sound, np.full_like(motion, np.nan), 25.0)


def test_a_score_has_a_value_for_each_second(untrained):
    sound = np.random.default_rng(5).standard_normal(int(3.5 * SAMPLE_RATE)).astype(np.float32) * 0.1
    score = untrained.score(sound, smooth_motion(3.5, 25.0), 25.0)
    assert score.curve.shape == (4,)
    assert ((score.curve >= 0) & (score.curve <= 1)).all()
    assert 0.0 <= score.confidence <= 1.0
    assert abs(score.offset_seconds) <= 1.01

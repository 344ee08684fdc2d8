"""The code transformer: what a step sees, one step after the other as all at once, how a code is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from blender_addon.protocol.controls import PoseStyle
from models.pose.checkpoint import Sampling
from models.pose.choosing import choose, stream_key, uniform
from models.pose.hearing import HEARD, SILENT
from models.pose.mapper import (
    FRAMES_AFTER,
    FRAMES_BEFORE,
    Conditions,
    MapperConfig,
    MapperNetwork,
    around_steps,
)
from models.pose.network import CodebookConfig, PoseCodec
from models.pose.quantiser import CODES
from models.pose.stepping import CodeChooser, Mode, StepNetwork

SMALL = MapperConfig(channels=16, layers=2, heads=2, past=5, width=8)
STEPS = 20


@pytest.fixture
def network():
    torch.manual_seed(0)
    return MapperNetwork(SMALL).eval()


def conditions(steps: int = STEPS, batch: int = 2) -> Conditions:
    torch.manual_seed(1)
    heard = torch.randn(batch, FRAMES_BEFORE + 4 * steps + FRAMES_AFTER, HEARD)
    return Conditions(
        around_steps(heard, steps),
        torch.tensor([True, False][:batch]),
        torch.randn(batch, 4),
        torch.randn(batch, 6),
    )


@torch.no_grad()
def test_a_step_sees_only_codes_before_it(network):
    told, vectors = conditions(), torch.randn(2, STEPS, 8)
    codes = torch.randint(CODES, (2, STEPS, 2))
    before = network(codes, vectors, told)
    vectors[:, 11] += 1.0
    changed = (network(codes, vectors, told) != before).any((0, 2, 3)).nonzero()[:, 0]
    assert changed.min() == 12
    assert changed.max() <= 12 + SMALL.layers * (SMALL.past - 1)


@torch.no_grad()
def test_the_second_level_knows_the_first_and_no_more(network):
    told, vectors = conditions(), torch.randn(2, STEPS, 8)
    codes = torch.randint(CODES, (2, STEPS, 2))
    before = network(codes, vectors, told)
    other = codes.clone()
    other[:, 7] = (other[:, 7] + 1) % CODES
    changed = network(other, vectors, told) != before
    assert changed[:, 7, 1].any()
    changed[:, 7, 1] = False
    assert not changed.any()


@torch.no_grad()
def test_one_step_after_the_other_is_as_all_at_once(network):
    told, vectors = conditions(), torch.randn(2, STEPS, 8)
    given = network.conditioned(told)
    given = given + torch.cat([network.begin(told.start)[:, None], network.recall(vectors[:, :-1])], 1)
    whole = given
    for layer in network.layers:
        whole, _ = layer(whole)
    known = [None] * SMALL.layers
    for step in range(STEPS):
        x = given[:, step : step + 1]
        for number, layer in enumerate(network.layers):
            x, known[number] = layer(x, known[number])
        assert torch.allclose(x[:, 0], whole[:, step], atol=1e-5), step
    assert all(pair.shape[3] == SMALL.past - 1 for pair in known)


@torch.no_grad()
def test_what_is_not_heard_does_not_count(network):
    told = conditions()
    other = Conditions(told.sound + 1.0, told.hears, told.style, told.start)
    one, two = network.conditioned(told), network.conditioned(other)
    assert not torch.allclose(one[0], two[0])
    assert torch.equal(one[1], two[1])


def test_windows_of_steps_are_their_frames():
    frames = FRAMES_BEFORE + 4 * 3 + FRAMES_AFTER
    heard = torch.arange(frames).float()[None, :, None].expand(1, frames, HEARD)
    windows = around_steps(heard, 3).unflatten(2, (HEARD, -1))  # [1, 3, HEARD, frames]
    assert windows.shape[3] == FRAMES_BEFORE + 4 + FRAMES_AFTER
    assert windows[0, :, 0, 0].tolist() == [0, 4, 8]
    assert windows[0, 2, 5, -1] == frames - 1


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="heads"):
        MapperConfig(channels=30, heads=4)


def test_draws_follow_the_softmax():
    rng = np.random.default_rng(0)
    logits, temperature = rng.normal(size=12), 0.7
    drawn = [choose(logits, temperature, 12, uniform(stream_key(4), step, 0)) for step in range(6000)]
    share = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
    counts = np.bincount(drawn, minlength=12)
    assert stats.chisquare(counts, 6000 * share).pvalue > 1e-3


def test_only_the_most_probable_are_drawn():
    logits = np.random.default_rng(1).normal(size=40)
    drawn = {choose(logits, 5.0, 6, chance) for chance in np.linspace(0, 1, 400, endpoint=False)}
    assert drawn == set(np.argsort(logits)[-6:])
    assert choose(logits, 1e-9, 40, 0.999) == logits.argmax()


def test_rounding_errors_do_not_change_the_choice():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(2000, 30))
    noisy = logits + 1e-7 * rng.normal(size=logits.shape)
    chances = rng.random(2000)
    pairs = zip(logits, noisy, chances, strict=True)
    assert all(choose(a, 1.0, 20, c) == choose(b, 1.0, 20, c) for a, b, c in pairs)


def test_chances_are_uniform_and_their_own():
    keys = [stream_key(seed) for seed in range(-2, 2)]
    drawn = np.array([uniform(key, step, level) for key in keys for step in range(500) for level in (0, 1)])
    assert stats.kstest(drawn, "uniform").pvalue > 1e-3
    assert len(set(drawn.tolist())) == len(drawn)
    assert uniform(keys[3], 77, 1) == uniform(stream_key(1), 77, 1)
    lag = np.corrcoef(drawn[:-1], drawn[1:])[0, 1]
    assert abs(lag) < 4 / np.sqrt(len(drawn))


@pytest.mark.parametrize("weight", [1.0, 0.0, 1.7])
@torch.no_grad()
def test_steps_in_numpy_choose_as_the_network_does(network, weight):
    """The network sees all that NumPy chose at once, and would have chosen the same with the same chances."""
    codec = PoseCodec(CodebookConfig(channels=16, blocks=1, width=8)).eval()
    rng = np.random.default_rng(3)
    heard = rng.normal(size=(4 * STEPS + FRAMES_AFTER, HEARD)).astype(np.float32)
    style, sampling = PoseStyle(energy=0.5, tilts=-0.7), Sampling(resting=1.0, top=40)
    chooser = CodeChooser(StepNetwork(network, codec), Mode(5, style, weight, sampling))
    codes = torch.from_numpy(np.concatenate([chooser.push(part) for part in np.split(heard, [7, 8, 50])]))
    frames = np.concatenate([np.tile(SILENT, (FRAMES_BEFORE, 1)), heard])
    told = Conditions(
        around_steps(torch.from_numpy(frames)[None], STEPS).expand(2, -1, -1),
        torch.tensor([True, False]),
        torch.from_numpy(style.vector()).expand(2, -1),
        torch.zeros(2, 6),
    )
    vectors = codec.quantiser.vectors(codes)[None].expand(2, -1, -1)
    with_sound, without = network(codes[None].expand(2, -1, -1), vectors, told)
    logits = (without + weight * (with_sound - without)).numpy()
    key = stream_key(5)
    again = [[choose(logits[t, k], 1.0, 40, uniform(key, t, k)) for k in (0, 1)] for t in range(STEPS)]
    assert codes.shape == (STEPS, 2)
    assert codes.tolist() == again

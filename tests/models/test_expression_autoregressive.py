"""The autoregressive variant: what it may see, and that a stream draws what training means."""

import numpy as np
import pytest
import torch

from blender_addon.protocol.errors import ModelError
from models.expression import ExpressionModel
from models.expression.autoregressive import (
    BRANCHES,
    AutoregressiveConfig,
    AutoregressiveNetwork,
    Past,
    Rollout,
    past_of,
)
from models.expression.checkpoint import Checkpoint, ModelIdentity, read_checkpoint, write_checkpoint
from models.expression.network import STYLE_SIZE, ExpressionConfig, Heard
from models.expression.noise import NOISE_CHANNELS

ENCODER = ExpressionConfig(classes=("sil", "a", "p"), channels=16, heads=2)
CONFIG = AutoregressiveConfig(ENCODER, layers=2, past=7, audio=3, period=5)
FRAMES = 40


@pytest.fixture(scope="module")
def network():
    """Random weights, output maps too, so that what it drew before matters."""
    torch.manual_seed(2)
    network = AutoregressiveNetwork(CONFIG).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
        network.encoder.phones.bias.copy_(torch.tensor([-3.0, 0.0, 0.0]))  # speech, so that nothing rests
    return network


@pytest.fixture(scope="module")
def model(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "autoregressive.safetensors"
    write_checkpoint(path, Checkpoint(network, CONFIG, ModelIdentity("random", "CC0-1.0")))
    return ExpressionModel.load(path)


def scene(seed: int = 0, batch: int = 1) -> tuple[Heard, torch.Tensor, torch.Tensor, Past]:
    drawn = torch.Generator().manual_seed(seed)
    heard = Heard(*(torch.randn(batch, FRAMES, size, generator=drawn) for size in (16, 3)))
    style = torch.randn(batch, STYLE_SIZE, generator=drawn)
    noise = torch.randn(batch, FRAMES, NOISE_CHANNELS, generator=drawn)
    past = Past(*(torch.rand(batch, FRAMES, size, generator=drawn) for size, _, _ in BRANCHES.values()))
    return heard, style, noise, past


def test_a_rollout_draws_what_the_whole_network_draws_after_it(network):
    """`forward` masks whole scenes; a rollout keeps what it looks back to. Both must be the same function."""
    heard, style, noise, _ = scene(batch=2)
    with torch.no_grad():
        rolled = Rollout(network, style).draw(heard, noise)
        whole = network(heard, style, noise, past_of(rolled))
    for name in BRANCHES:
        torch.testing.assert_close(getattr(rolled, name), getattr(whole, name), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("branch", list(BRANCHES))
def test_a_branch_sees_its_own_past_and_no_other_s_nor_the_future(network, branch):
    heard, style, noise, past = scene()
    with torch.no_grad():
        before = network(heard, style, noise, past)
        changed = {name: part.clone() for name, part in vars(past).items()}
        changed[branch][:, 20] += 1.0 if branch != "offsets" else 100.0
        after = network(heard, style, noise, Past(**changed))
    for name in BRANCHES:
        moved = torch.nonzero((getattr(before, name) != getattr(after, name)).any(-1)[0]).flatten()
        if name == branch:
            assert moved.min() == 21
            assert moved.max() == 21 + 2 * (CONFIG.past - 1)  # two layers look back, one after the other
        elif not (name == "lip" and branch == "contacts"):  # closures take the jaw back
            assert len(moved) == 0


def test_context_is_all_the_sound_to_come_that_a_frame_hears(network):
    features = torch.randn(1, 2 * 120, ENCODER.feature_width, requires_grad=True)
    past = Past(*(torch.zeros(1, 120, size) for size, _, _ in BRANCHES.values()))
    silent = torch.zeros(1, 120, NOISE_CHANNELS)
    drawn = network(network.encoder(features), torch.zeros(1, STYLE_SIZE), silent, past)
    sum(getattr(drawn, name)[0, 60].sum() for name in BRANCHES).backward()
    seen = torch.nonzero(features.grad[0].abs().sum(1)).flatten()
    assert 2 * (60 + CONFIG.context - 1) <= seen.max() <= 2 * (60 + CONFIG.context)


def test_training_starts_from_no_motion():
    fresh = AutoregressiveNetwork(CONFIG).eval()
    heard, style, noise, _ = scene()
    drawn = Rollout(fresh, style).draw(heard, noise)
    assert drawn.lip.max() < 0.05
    assert drawn.offsets.abs().max() == 0.0
    assert drawn.contacts.sigmoid().max() < 0.05


def streamed(model, samples, cuts):
    stream, start, chunks = model.stream(25.0), 0, []
    for cut in cuts:
        chunks.append(stream.push(samples[start : start + cut]))
        start += cut
    chunks += [stream.push(samples[start:]), stream.finish()]
    return tuple(
        np.concatenate([getattr(c, name) for c in chunks]) for name in ("weights", "contact", "offsets")
    )


def test_streaming_is_offline(model):
    samples = (np.random.default_rng(0).standard_normal(48_000) * 0.1).astype(np.float32)
    whole = streamed(model, samples, [])
    assert whole[0].std(0).max() > 0.01
    for cuts in ([700] * 60, [1, 20_000, 0, 5000], [16_000, 16_000]):
        for expected, found in zip(whole, streamed(model, samples, cuts), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-4)


def test_frames_come_out_within_the_look_ahead(model):
    stream, emitted = model.stream(25.0), 0
    for i in range(60):
        emitted += len(stream.push(np.full(800, 0.01, np.float32)).weights)
        certain = (i + 1) * 0.05 - model.look_ahead - 0.02
        assert emitted >= np.floor(certain * 25 + 1e-6) + (certain >= 0)


def test_a_checkpoint_says_which_variant_it_is(network, tmp_path):
    path = tmp_path / "weights.safetensors"
    write_checkpoint(path, Checkpoint(network, CONFIG, ModelIdentity("random", "CC0-1.0")))
    back = read_checkpoint(path)
    assert isinstance(back.network, AutoregressiveNetwork)
    assert back.config == CONFIG
    for name, weights in network.state_dict().items():
        torch.testing.assert_close(back.network.state_dict()[name], weights, rtol=1e-3, atol=1e-4)
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(path.read_bytes().replace(b'autoregressive\\"', b'autoaggressive\\"'))
    with pytest.raises(ModelError, match="autoaggressive"):
        read_checkpoint(foreign)

"""The baselines of evaluate pose on made-up banks: they learn what can be known, and draw what cannot."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blender_addon.protocol.errors import InputError, ModelError
from models.pose.hearing import HEARD
from training.loop.fit import fit
from training.pose.baseline_networks import BaselineShape, Regressor, WindowVae
from training.pose.baselines import (
    CVAE,
    REGRESSOR,
    BaselineRun,
    BaselineTask,
    baseline_weights,
    read_baseline,
    smoke_run,
)

SMALL = BaselineShape(width=16, hidden=48, latent=4, window=16, margin=4, past=2)
SPREAD = torch.full((6,), 0.05)


def bank(folder, scenes=3, frames=320):
    """Scenes whose heads follow what is heard, each of two heads with an offset of its own."""
    rng = np.random.default_rng(0)
    for part in ("trained", "held"):
        (folder / part).mkdir(parents=True)
        for number in range(scenes):
            heard = rng.standard_normal((frames, HEARD)).astype(np.float32)
            poses = 0.05 * heard[None, :, :6] + 0.01 * rng.standard_normal((2, 1, 6))
            arrays = {"heard": heard, "poses": poses, "styles": np.zeros((2, 4))}
            for name, array in arrays.items():
                np.save(folder / part / f"{number:05d}.{name}.npy", array.astype(np.float32))
    return folder


@pytest.fixture(autouse=True)
def _same_first_weights():
    torch.manual_seed(0)


def improved(network, steps=150):
    """Losses before and after some steps on motion that is the sound, plus a random offset a sequence."""
    torch.manual_seed(0)
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    losses = []
    for _ in range(steps):
        heard = torch.randn(8, 48, HEARD)
        motion = 0.05 * heard[..., :6] + 0.05 * torch.randn(8, 1, 6)
        loss = network.loss(heard, torch.zeros(8, 4), motion)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return np.mean(losses[:10]), np.mean(losses[-10:])


def test_the_regressor_draws_the_mean_and_the_same_with_every_seed():
    network = Regressor(SMALL, SPREAD)
    before, after = improved(network)
    assert after == pytest.approx(1.0, abs=0.25)  # the noise's variance is left, nothing of the sound's
    assert before > 1.6
    heard = torch.randn(100, HEARD)
    one, other = (network.draw(heard, torch.zeros(4), seed) for seed in (0, 1))
    assert torch.equal(one, other)
    assert np.corrcoef(one.numpy().ravel(), heard[:, :6].numpy().ravel())[0, 1] > 0.9


def test_the_cvae_differs_by_seed_and_has_every_frame():
    network = WindowVae(SMALL, SPREAD)
    before, after = improved(network, 150)
    assert after < 0.7 * before
    heard = torch.randn(70, HEARD)  # not a whole number of windows
    one, again, other = (network.draw(heard, torch.zeros(4), seed) for seed in (0, 0, 1))
    assert one.shape == (70, 6)
    assert torch.equal(one, again)
    assert (one - other).abs().mean() > 1e-3


def test_later_sound_changes_nothing_before_the_window_that_hears_it():
    network = WindowVae(SMALL, SPREAD)
    heard = torch.randn(160, HEARD)
    changed = heard.clone()
    changed[100:] = 0.0
    one, other = (network.draw(sound, torch.zeros(4), 0) for sound in (heard, changed))
    first = (100 - SMALL.margin) // SMALL.window * SMALL.window - 6  # the smoothing's reach
    assert torch.equal(one[:first], other[:first])
    assert not torch.equal(one, other)


@pytest.mark.parametrize("kind", [REGRESSOR, CVAE])
def test_a_smoke_run_gives_weights_that_load(kind, tmp_path):
    run = smoke_run(BaselineRun(kind=kind, bank=bank(tmp_path / "bank"), frames=64, shape=SMALL))
    found = fit(BaselineTask(replace(run, batch=2)), run, tmp_path / kind)
    network = read_baseline(found.weights)
    assert network.spread == pytest.approx(torch.full((6,), 0.05), rel=0.1)
    assert baseline_weights(kind, tmp_path, None) == found.weights  # there: nothing is trained
    (tmp_path / "broken.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ModelError, match="no baseline"):
        read_baseline(tmp_path / "broken.safetensors")


def test_without_weights_bank_and_corpus_there_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="Give --corpus"):
        baseline_weights(CVAE, tmp_path, None)
    with pytest.raises(ValueError, match="one of regressor, cvae"):
        BaselineRun(kind="gan")

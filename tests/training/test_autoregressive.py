"""Training the autoregressive variant: on its own outputs, with the encoder as it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blender_addon.protocol.errors import InputError
from models.expression import ExpressionModel
from models.expression.autoregressive import AutoregressiveConfig, AutoregressiveNetwork, Rollout
from models.expression.checkpoint import Checkpoint, ModelIdentity, read_checkpoint, write_checkpoint
from models.expression.network import ExpressionConfig, ExpressionNetwork
from training.autoregressive import AutoregressiveRun, AutoregressiveTask, RolloutBatch
from training.batches import BatchConfig
from training.loop.config import LoopConfig, smoke
from training.loop.fit import fit
from training.losses import expression_losses
from training.phones import PHONE_CLASSES

LOOP = LoopConfig(steps=100, learning_rate=3e-3, precision="32-true")


def parallel_weights(path, classes=PHONE_CLASSES):
    torch.manual_seed(0)
    config = ExpressionConfig(classes=classes, channels=16, heads=2, dropout=0.0)
    write_checkpoint(
        path, Checkpoint(ExpressionNetwork(config), config, ModelIdentity("parallel", "CC0-1.0"))
    )
    return path


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    weights = parallel_weights(tmp_path_factory.mktemp("weights") / "parallel.safetensors")
    batch = BatchConfig(scenes=3, frames=64, solved=4)
    return AutoregressiveRun(corpus, weights, LOOP, batch, layers=1, development_share=5)


@pytest.fixture(scope="module")
def task(run):
    return AutoregressiveTask(run)


def rolled_loss(network: AutoregressiveNetwork, batch: RolloutBatch) -> float:
    scenes = batch.scenes
    with torch.no_grad():
        heard = network.eval().encoder(scenes.features)
        return float(expression_losses(Rollout(network, scenes.style).draw(heard, scenes.noise), scenes).lip)


def test_the_past_becomes_its_own_as_training_goes_on(task):
    shares = [task.batch(step).own for step in (0, 10, 35, 60, 99)]
    assert shares == [0.0, 0.0, pytest.approx(0.5), 1.0, 1.0]
    first, again = task.batch(7).scenes, task.batch(7).scenes
    for name, tensor in vars(first).items():
        assert torch.equal(tensor, getattr(again, name))


def test_the_loss_hears_the_true_past_at_first_and_its_own_at_last(task):
    """Nonsense as truth of the past moves the losses of a first step, not those of a last one."""
    torch.manual_seed(1)
    network = task.network().eval()
    with torch.no_grad():
        for map_out in network.out.values():
            map_out.weight.normal_(0.0, 0.2)
        known = task.batch(0).scenes
        guessed = {own: task.losses(network, RolloutBatch(known, own))["offsets"] for own in (0.0, 1.0)}
        drawn = {own: task.losses(network, RolloutBatch(known, own))["contacts"] for own in (0.0, 1.0)}
    assert torch.equal(guessed[0.0], guessed[1.0])  # offsets always follow their own past
    assert not torch.equal(drawn[0.0], drawn[1.0])


def test_one_batch_is_learnt_by_the_rollout_and_the_encoder_stays(task):
    torch.manual_seed(2)
    network = task.network()
    before = {name: weights.clone() for name, weights in network.encoder.state_dict().items()}
    batch, start = task.batch(0), None
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], 3e-3)
    start = rolled_loss(network, batch)
    for step in range(120):
        network.train()
        task.losses(network, replace(batch, own=min(1.0, step / 60)))["total"].backward()
        optimiser.step()
        optimiser.zero_grad()
    assert rolled_loss(network, batch) < 0.5 * start
    for name, weights in network.encoder.state_dict().items():
        assert torch.equal(weights, before[name])


def test_a_run_writes_weights_that_speak(run, tmp_path):
    short = replace(run, loop=smoke(run.loop))
    result = fit(AutoregressiveTask(short), short, tmp_path)
    model = ExpressionModel.load(result.weights)
    assert "autoregressive" in model.model_id
    chunk = model.stream(25.0)
    chunk.push(np.zeros(16_000, np.float32))
    assert np.isfinite(chunk.finish().weights).all()
    assert isinstance(read_checkpoint(result.weights).network, AutoregressiveNetwork)
    assert "autoregressive" in result.weights.with_suffix(".md").read_text()


def test_an_encoder_that_does_not_fit_is_refused(run, tmp_path):
    other = parallel_weights(tmp_path / "other.safetensors", classes=("sil", "a"))
    with pytest.raises(InputError, match="other phones"):
        AutoregressiveTask(replace(run, encoder=other))
    facts = ModelIdentity("own", "CC0-1.0")
    shape = AutoregressiveConfig(ExpressionConfig(PHONE_CLASSES, channels=16, heads=2))
    own = Checkpoint(AutoregressiveNetwork(shape), shape, facts)
    write_checkpoint(tmp_path / "own.safetensors", own)
    with pytest.raises(InputError, match="no parallel network"):
        AutoregressiveTask(replace(run, encoder=tmp_path / "own.safetensors"))

"""The loop against closed forms: averages, accumulation, clipping, what is kept, what is refused."""

from __future__ import annotations

import math
from collections import namedtuple
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from blender_addon.protocol.errors import FileFormatError, InputError, VividTalkError
from blender_addon.protocol.tensorfile import read_tensors
from training.loop.config import LoopConfig, smoke
from training.loop.fit import CURVES_NAME, fit
from training.loop.learner import follow, improve, moved, new_learner
from training.loop.state import STATE_NAME, Progress, read_state

from .overfitting import overfit
from .toy import ToyRun, ToyTask, toy_run


def weights_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_the_average_is_the_weighted_sum_of_all_that_was():
    torch.manual_seed(0)
    network, average = nn.Linear(3, 2), nn.Linear(3, 2)
    seen, keeps = [average.weight.detach().clone()], [0.1, 0.7, 0.9, 0.5]
    for keep in keeps:
        nn.init.normal_(network.weight)
        seen.append(network.weight.detach().clone())
        follow(average, network, keep)
    gains = [1.0] + [1.0 - keep for keep in keeps]
    closed = sum(
        gain * math.prod(keeps[i:]) * value for i, (gain, value) in enumerate(zip(gains, seen, strict=True))
    )
    torch.testing.assert_close(average.weight.detach(), closed)


def test_the_average_takes_statistics_as_they_are():
    network, average = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    network(torch.randn(8, 3))
    follow(average, network, 0.9)
    torch.testing.assert_close(average.running_mean, network.running_mean)
    assert average.num_batches_tracked == 1


class HalfBatches(ToyTask):
    """A quarter of another task's batch at a time, without what depends on a batch's size."""

    def network(self):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))

    def batch(self, step):
        whole, parts = ToyTask(replace(self.run, size=16)).batch, 16 // self.run.size
        torch.manual_seed(step // parts)
        full, part = whole(step // parts), step % parts
        piece = slice(part * self.run.size, (part + 1) * self.run.size)
        return replace(full, inputs=full.inputs[piece], targets=full.targets[piece])


@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_accumulation_equals_a_bigger_batch(clip_norm):
    networks, totals = [], []
    for size in (16, 4):
        config = replace(toy_run(6).loop, accumulate=16 // size, clip_norm=clip_norm)
        task = HalfBatches(ToyRun(size=size, loop=config))
        learner = new_learner(task, config)
        totals.append([float(improve(learner, task, step)["total"]) for step in range(6)])
        networks.append(learner.network)
    assert totals[0] == pytest.approx(totals[1], rel=1e-5)
    torch.testing.assert_close(weights_of(networks[0]), weights_of(networks[1]), rtol=1e-4, atol=1e-6)


def test_steps_are_those_of_adamw_with_clipped_gradients():
    config = toy_run(5, clip_norm=0.3, warm_up=0, final_rate=1.0).loop
    task = HalfBatches(ToyRun(loop=config))
    learner, reference = new_learner(task, config), task.network()
    adam = torch.optim.AdamW(reference.parameters(), 2e-3, betas=(0.9, 0.98), weight_decay=0.02)
    for step in range(5):
        improve(learner, task, step)
        adam.zero_grad()
        task.losses(reference, task.batch(step))["total"].backward()
        torch.nn.utils.clip_grad_norm_(reference.parameters(), 0.3)
        adam.step()
    torch.testing.assert_close(weights_of(learner.network), weights_of(reference), rtol=1e-6, atol=1e-7)
    norm = torch.cat([p.grad.flatten() for p in learner.network.parameters()]).norm()
    assert float(norm) <= 0.3 + 1e-5


class Scripted(ToyTask):
    """Scores from a list, whatever the network does; keeps what it was asked to judge."""

    def __init__(self, run, scores):
        super().__init__(run)
        self.scores, self.judged = iter(scores), []

    def validate(self, network):
        assert not network.training
        assert not torch.is_grad_enabled()
        self.judged.append(weights_of(network))
        return {"score": next(self.scores)}


def test_the_averaged_weights_of_the_first_best_validation_are_kept(tmp_path):
    task = Scripted(toy_run(23), [0.1, 0.7, 0.3, 0.7, 0.2])
    result = fit(task, task.run, tmp_path)
    assert [check.step for check in result.history] == [5, 10, 15, 20, 23]
    assert (result.best.step, result.best.score, result.step) == (10, 0.7, 23)
    kept = read_tensors(result.weights)
    assert kept.metadata["step"] == "10"
    for name, value in task.judged[1].items():
        np.testing.assert_array_equal(kept.tensors[name].reshape(value.shape), value.numpy())
    assert "0.7000 after 10 steps" in (tmp_path / "toy.md").read_text()


def test_a_network_learns(tmp_path):
    run = toy_run(100, learning_rate=0.02, validate_every=50, state_every=100)
    task = ToyTask(run)
    untrained = task.validate(new_learner(task, run.loop).average.eval())
    result = fit(task, run, tmp_path)
    assert result.best.score > 0.3 * untrained["score"]  # scores are negative


def test_one_batch_can_be_learnt_by_heart():
    run = ToyRun(width=64, dropout=0.5)
    first, last = overfit(ToyTask(run), steps=200, learning_rate=0.02)
    assert last["total"] < 0.01 * first["total"]


def test_smoke_passes_through_everything(tmp_path):
    run = replace(toy_run(1000), loop=smoke(toy_run(1000).loop))
    result = fit(ToyTask(run), run, tmp_path)
    assert len(result.history) == 2
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"config.yaml", STATE_NAME, CURVES_NAME, "toy.safetensors", "toy.md"}


def test_a_loss_that_is_not_finite_ends_the_run_before_its_state(tmp_path):
    class Diverging(ToyTask):
        def losses(self, network, batch):
            losses = super().losses(network, batch)
            self.steps = getattr(self, "steps", 0) + 1
            return {"total": losses["total"] * (math.nan if self.steps > 5 else 1.0)}

    run = toy_run(20)
    with pytest.raises(VividTalkError, match="step 6 is not finite"):
        fit(Diverging(run), run, tmp_path)
    learner = new_learner(ToyTask(run), run.loop)
    assert read_state(tmp_path / STATE_NAME, learner).step == 3
    assert all(torch.isfinite(value).all() for value in learner.network.state_dict().values())


def test_a_score_that_is_not_finite_is_an_error(tmp_path):
    run = toy_run(20)
    with pytest.raises(VividTalkError, match="step 5 gave no finite score"):
        fit(Scripted(run, [math.nan]), run, tmp_path)


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"precision": "16-mixed"}, "needs CUDA"), ({"device": "mps"}, "cannot train on mps")],
)
def test_what_this_machine_lacks_is_said(tmp_path, changed, words):
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this machine has an accelerator")
    run = toy_run(5, **changed)
    with pytest.raises(InputError, match=words):
        fit(ToyTask(run), run, tmp_path)


def test_mixed_precision_computes_in_half_and_keeps_whole_weights():
    seen = set()

    class Watched(ToyTask):
        def losses(self, network, batch):
            seen.add(network(batch.inputs).dtype)
            return super().losses(network, batch)

    task = Watched(toy_run(5, precision="bf16-mixed"))
    learner = new_learner(task, task.run.loop)
    improve(learner, task, 0)
    assert seen == {torch.bfloat16}
    assert {p.dtype for p in learner.network.parameters()} == {torch.float32}


@pytest.mark.parametrize("damage", ["cut", "other", "header"])
def test_a_damaged_state_is_refused_in_one_line(tmp_path, damage):
    run = toy_run(6)
    fit(ToyTask(run), run, tmp_path)
    state = tmp_path / STATE_NAME
    content = state.read_bytes()
    if damage == "cut":
        state.write_bytes(content[:-100])
    if damage == "header":
        state.write_bytes(content.replace(b"vividtalk_training", b"vividtalk_somewhat"))
    task = ToyTask(replace(run, width=9) if damage == "other" else run)
    with pytest.raises(FileFormatError) as caught:
        fit(task, run, tmp_path)
    assert str(state) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_without_its_weights_is_refused(tmp_path):
    run = toy_run(6)
    fit(ToyTask(run), run, tmp_path).weights.unlink()
    with pytest.raises(InputError, match="lost its weights"):
        fit(ToyTask(run), run, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(VividTalkError, match="file"):
        fit(ToyTask(toy_run(6)), toy_run(6), tmp_path / "file" / "run")


def test_batches_of_any_shape_move():
    Pair = namedtuple("Pair", "a b")

    @dataclass(frozen=True)
    class Item:
        x: torch.Tensor
        n: int

    one = torch.ones(2)
    batch = {"i": Item(one, 3), "l": [one, "text"], "p": Pair(one, None), "t": (one,)}
    there = moved(batch, torch.device("meta"))
    assert there["i"].x.device.type == there["l"][0].device.type == there["p"].a.device.type == "meta"
    assert there["t"][0].device.type == "meta"
    assert (there["i"].n, there["l"][1], there["p"].b) == (3, "text", None)


def test_nothing_is_best_before_the_first_validation():
    assert Progress().best is None
    assert LoopConfig().steps > 0

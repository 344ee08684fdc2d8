"""Whatever interrupts a run, it ends as if nothing had: the same weights bit for bit, the same curves."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import read_tensors
from training.loop.fit import CURVES_NAME, fit
from training.loop.state import STATE_NAME

from .toy import ToyTask, toy_run, train_in_process

STEPS = 40


def tensors(path: Path) -> dict[str, np.ndarray]:
    return dict(read_tensors(path).tensors)


def assert_same_run(one: Path, other: Path) -> None:
    for name in (STATE_NAME, "toy.safetensors"):
        first, second = tensors(one / name), tensors(other / name)
        assert first.keys() == second.keys()
        for key, value in first.items():
            np.testing.assert_array_equal(value, second[key], err_msg=f"{name} {key}")
    assert (one / "toy.md").read_bytes() == (other / "toy.md").read_bytes()
    assert curves(one) == curves(other)


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder / CURVES_NAME), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def processes():
    """A context whose processes begin with everything imported, so that a test may start many."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.toy"])
    return context


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    fit(ToyTask(toy_run(STEPS)), toy_run(STEPS), folder)
    return folder


def stopped_at(folder: Path, batch: int, number: int) -> int:
    """Train in a process, send it signal `number` once it has begun `batch`, and give its exit code."""
    context = processes()
    begun = context.Value("i", 0)
    child = context.Process(target=train_in_process, args=(folder, toy_run(STEPS), begun))
    child.start()
    while child.is_alive() and begun.value < batch:
        time.sleep(0.0005)
    time.sleep(random.uniform(0.0, 0.01))  # anywhere in a step, a validation or a write
    os.kill(child.pid, number)
    child.join(60)
    return child.exitcode


def test_five_kills_change_nothing(whole, tmp_path):
    for batch in sorted(random.sample(range(2, STEPS - 3), 5)):
        assert stopped_at(tmp_path, batch, signal.SIGKILL) == -signal.SIGKILL
    result = fit(ToyTask(toy_run(STEPS)), toy_run(STEPS), tmp_path)
    assert result.step == STEPS
    assert_same_run(whole, tmp_path)
    assert not list(tmp_path.glob(".*")), "what a killed write left behind is swept away"


@pytest.mark.skipif(sys.platform == "win32", reason="signals cannot be sent to a process of its own there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_the_step_that_was_under_way(whole, tmp_path, number):
    assert stopped_at(tmp_path, 8, number) not in (0, -number)
    again = []
    fit(ToyTask(toy_run(STEPS), again.append), toy_run(STEPS), tmp_path)
    assert 8 <= again[0] < STEPS
    assert again == list(range(again[0], STEPS)), "no step is made twice"
    assert_same_run(whole, tmp_path)


class CrashError(Exception):
    pass


@pytest.mark.parametrize("loop", [{"precision": "bf16-mixed"}, {"accumulate": 3, "log_every": 7}])
def test_crashes_between_any_two_batches_change_nothing(tmp_path, loop):
    run = toy_run(12, **loop)
    fit(ToyTask(run), run, tmp_path / "whole")

    def fail(step):
        if step == stops[0]:
            stops.pop(0)
            raise CrashError

    stops = [random.randrange(4), random.randrange(4, 12), -1]
    for _ in stops[:-1]:
        torch.manual_seed(random.randrange(1 << 30))
        with pytest.raises(CrashError):
            fit(ToyTask(run, fail), run, tmp_path / "torn")
    fit(ToyTask(run, fail), run, tmp_path / "torn")
    assert_same_run(tmp_path / "whole", tmp_path / "torn")


def test_a_run_in_many_sittings_is_one_run(whole, tmp_path):
    sitting = toy_run(STEPS, minutes=1e-6)
    steps = [fit(ToyTask(sitting), sitting, tmp_path).step for _ in range(3)]
    assert steps == [1, 2, 3]
    assert fit(ToyTask(toy_run(STEPS)), toy_run(STEPS), tmp_path).step == STEPS
    assert_same_run(whole, tmp_path)


def test_a_finished_run_is_not_trained_again(whole):
    asked, before = [], (whole / STATE_NAME).read_bytes()
    result = fit(ToyTask(toy_run(STEPS), asked.append), toy_run(STEPS), whole)
    assert asked == []
    assert result.step == STEPS
    assert result.weights == whole / "toy.safetensors"
    assert (whole / STATE_NAME).read_bytes() == before


def test_a_run_goes_on_only_with_its_own_configuration(whole, tmp_path):
    mine = Path(shutil.copytree(whole, tmp_path / "mine"))
    other = toy_run(STEPS + 1, ema=0.5)
    with pytest.raises(InputError) as caught:
        fit(ToyTask(other), other, mine)
    assert "loop.steps (40, now 41); loop.ema (0.998, now 0.5)" in str(caught.value)
    elsewhere = toy_run(STEPS, state_every=4, minutes=5.0, nice=1)
    assert fit(ToyTask(elsewhere), elsewhere, mine).step == STEPS


def test_curves_have_every_point_once(whole):
    drawn = curves(whole)
    assert [step for step, _ in drawn["loss/total"]] == list(range(2, STEPS + 1, 2))
    assert [step for step, _ in drawn["validation/score"]] == list(range(5, STEPS + 1, 5))
    assert drawn["loss/rate"][0][1] == pytest.approx(2e-3 * 2 / 4)

"""Whatever interrupts a run, it ends as if nothing had: the same weights bit for bit, the same curves."""

from __future__ import annotations

import random
import shutil
import signal
from pathlib import Path

import pytest
import torch

from blender_addon.protocol.errors import InputError
from training.loop.fit import fit
from training.loop.state import STATE_NAME

from .interrupting import assert_same_run, curves, kill_five_times, needs_signals, processes, stopped_at
from .toy import ToyTask, toy_run, train_in_process

STEPS = 40


pytestmark = [needs_signals, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def context():
    return processes("tests.training.toy")


def assert_same_toy(one: Path, other: Path) -> None:
    assert_same_run(one, other, "toy")
    assert (one / "toy.md").read_bytes() == (other / "toy.md").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    fit(ToyTask(toy_run(STEPS)), toy_run(STEPS), folder)
    return folder


def test_five_kills_change_nothing(context, whole, tmp_path):
    kill_five_times(context, train_in_process, (tmp_path, toy_run(STEPS)), STEPS)
    result = fit(ToyTask(toy_run(STEPS)), toy_run(STEPS), tmp_path)
    assert result.step == STEPS
    assert_same_toy(whole, tmp_path)
    assert not list(tmp_path.glob(".*")), "what a killed write left behind is swept away"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_the_step_that_was_under_way(context, whole, tmp_path, number):
    code = stopped_at(context, train_in_process, (tmp_path, toy_run(STEPS)), 8, number)
    assert code not in (0, -number)
    again = []
    fit(ToyTask(toy_run(STEPS), again.append), toy_run(STEPS), tmp_path)
    assert 8 <= again[0] < STEPS
    assert again == list(range(again[0], STEPS)), "no step is made twice"
    assert_same_toy(whole, tmp_path)


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
    assert_same_toy(tmp_path / "whole", tmp_path / "torn")


def test_a_run_in_many_sittings_is_one_run(whole, tmp_path):
    sitting = toy_run(STEPS, minutes=1e-6)
    steps = [fit(ToyTask(sitting), sitting, tmp_path).step for _ in range(3)]
    assert steps == [1, 2, 3]
    assert fit(ToyTask(toy_run(STEPS)), toy_run(STEPS), tmp_path).step == STEPS
    assert_same_toy(whole, tmp_path)


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

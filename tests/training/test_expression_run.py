"""The documented command trains the real network, and survives kills."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.cli import main

from .expression_process import SMALL, command, train_in_process
from .interrupting import assert_same_run, kill_five_times, needs_signals, processes

STEPS = 12


@needs_signals
@pytest.mark.timeout(600)
def test_five_kills_of_the_command_change_nothing(corpus: Path, tmp_path: Path) -> None:
    context = processes("tests.training.expression_process")
    kill_five_times(context, train_in_process, (corpus, tmp_path / "torn", STEPS), STEPS)
    for name in ("torn", "whole"):
        assert main(command(corpus, tmp_path / name, {**SMALL, "loop.steps": STEPS})) == 0
    assert_same_run(tmp_path / "torn", tmp_path / "whole", "expression")

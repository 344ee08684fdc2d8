"""The training loop: from first weights, or from where an interrupted run stands, to the best weights."""

from __future__ import annotations

import logging
import math
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Generic

from torch import Tensor

from blender_addon.protocol.errors import InputError, VividTalkError
from blender_addon.protocol.tensorfile import atomic_path, output_error

from .config import LoopConfig, Run
from .interrupts import held_back
from .learner import Learner, improve, new_learner, validate
from .record import Record
from .schedule import learning_rate
from .state import STATE_NAME, Progress, read_state, write_state
from .task import SCORE, B, Check, RunFacts, Task
from .yaml_config import deciding_text, differences, write_config

_log = logging.getLogger(__name__)

CONFIG_NAME, CURVES_NAME = "config.yaml", "log"
_PACKAGES = ("vividtalk", "torch", "numpy", "lightning-fabric")


@dataclass(frozen=True)
class FitResult:
    """Where a run stands when `fit` returns.

    Attributes:
        weights: the weights of the best validation; None before the first one.
        step: steps done; fewer than `steps` when the time was over.
        best: the best validation.
    """

    weights: Path | None
    step: int
    steps: int
    best: Check | None
    history: tuple[Check, ...]


@dataclass(frozen=True)
class _Work(Generic[B]):
    """What stays the same while `fit` runs. `started`: monotonic, as if never interrupted."""

    task: Task[B]
    learner: Learner
    record: Record
    out: Path
    settings: str
    started: float


def fit(task: Task[B], run: Run, out: Path) -> FitResult:
    """Train `task` in the folder `out`, going on from the state that is there.

    The folder gets config.yaml, state.safetensors, log (TensorBoard), and the best weights so far with their
    card, NAME.safetensors and NAME.md. After a kill at any moment the same call ends with the same weights:
    bit-equal on a CPU with the same number of threads.

    Raises:
        InputError: `out` holds a run of another configuration, or this machine lacks what `run` asks for.
        OutputError: `out` cannot be written.
        VividTalkError: the loss is no longer finite.
        KeyboardInterrupt: after Ctrl-C, once the step is finished and its state is on disk.
    """
    _open_folder(out, run)
    learner = new_learner(task, run.loop)
    progress = _resumed(task, learner, out)
    with Record(out / CURVES_NAME, progress.step) as record, held_back() as stop_wanted:
        work = _Work(task, learner, record, out, deciding_text(run), time.monotonic() - progress.seconds)
        deadline = math.inf if run.loop.minutes is None else time.monotonic() + 60.0 * run.loop.minutes
        while progress.step < run.loop.steps:
            losses = improve(learner, task, progress.step)
            progress = replace(progress, step=progress.step + 1, seconds=time.monotonic() - work.started)
            progress = _look(work, progress, losses)
            stop = stop_wanted() or time.monotonic() > deadline
            _save(work, progress, stop)
            if stop:
                break
        if stop_wanted() and progress.step < run.loop.steps:
            raise KeyboardInterrupt
    best = progress.best
    weights = _weights_path(task, out) if best else None
    return FitResult(weights, progress.step, run.loop.steps, best, progress.history)


def _weights_path(task: Task[B], out: Path) -> Path:
    return out / f"{task.name}.safetensors"


def _open_folder(out: Path, run: Run) -> None:
    """Make `out`, or check that its state belongs to `run`; config.yaml then is `run`."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for torn in out.glob(".*-????????.*"):  # what `atomic_path` had open when a run was killed
            torn.unlink()
    except OSError as error:
        raise output_error(out, error) from error
    config = out / CONFIG_NAME
    if (out / STATE_NAME).exists() and (changed := differences(config, run)):
        raise InputError(
            f"{out} holds a run of another configuration: {'; '.join(changed)}",
            "Choose another folder, or delete this one to start anew",
        )
    write_config(config, run)


def _resumed(task: Task[B], learner: Learner, out: Path) -> Progress:
    state = out / STATE_NAME
    if not state.exists():
        return Progress()
    progress = read_state(state, learner)
    if progress.best and not _weights_path(task, out).exists():
        raise InputError(f"{out} has lost its weights, {task.name}.safetensors", "Delete it to start anew")
    _log.info("going on after step %d of %s", progress.step, out)
    return progress


def _is_due(step: int, every: int, config: LoopConfig) -> bool:
    return step % every == 0 or step == config.steps


def _look(work: _Work[B], progress: Progress, losses: Mapping[str, Tensor]) -> Progress:
    """Log, validate and keep the best weights, each when it is due; `progress` with a new validation."""
    config, step = work.learner.config, progress.step
    due = [_is_due(step, n, config) for n in (config.log_every, config.validate_every, config.state_every)]
    if not any(due):
        return progress
    values = {name: float(value) for name, value in losses.items()}
    if not all(map(math.isfinite, values.values())):
        raise VividTalkError(
            f"the loss at step {step} is not finite: {values}",
            f"Lower loop.learning_rate; the state in {work.out} is from before",
        )
    if due[0]:
        work.record.add("loss", {**values, "rate": learning_rate(config, step - 1)}, step)
    return _validated(work, progress) if due[1] else progress


def _validated(work: _Work[B], progress: Progress) -> Progress:
    scores = validate(work.learner, work.task, progress.step)
    if not math.isfinite(scores[SCORE]):
        raise VividTalkError(f"the validation at step {progress.step} gave no finite score: {scores}")
    work.record.add("validation", scores, progress.step)
    progress = replace(progress, history=(*progress.history, Check(progress.step, scores)))
    facts = _facts(work, progress)
    weights = _weights_path(work.task, work.out)
    if facts.step == progress.step:
        with atomic_path(weights) as temporary:
            work.task.write(temporary, work.learner.average, facts)
    with atomic_path(weights.with_suffix(".md")) as temporary:
        temporary.write_text(work.task.card(facts), encoding="utf-8")
    return progress


def _save(work: _Work[B], progress: Progress, stop: bool) -> None:
    config = work.learner.config
    if stop or _is_due(progress.step, config.state_every, config):
        work.record.flush()
        write_state(work.out / STATE_NAME, work.learner, progress)


def _facts(work: _Work[B], progress: Progress) -> RunFacts:
    config, best = work.learner.config, progress.best
    assert best is not None
    return RunFacts(
        name=work.task.name,
        step=best.step,
        steps=config.steps,
        seconds=progress.seconds,
        device=work.learner.fabric.device.type,
        precision=config.precision,
        seed=config.seed,
        parameters=work.learner.parameters,
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        config=work.settings,
        scores=best.scores,
        history=progress.history,
    )

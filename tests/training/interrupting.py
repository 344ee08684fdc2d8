"""Ending a training in another process at a random moment, and comparing two run folders."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from blender_addon.protocol.tensorfile import read_tensors
from training.loop.fit import CURVES_NAME
from training.loop.state import STATE_NAME

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="there SIGKILL and SIGTERM are no signals")


def processes(preload: str) -> BaseContext:
    """Processes that begin with the module `preload` imported, so that a test may start many."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload])
    return context


def stopped_at(
    context: BaseContext, train: Callable[..., None], arguments: tuple[Any, ...], batch: int, number: int
) -> int | None:
    """Run `train(*arguments, begun)` in a process, send it signal `number` once `begun` has reached `batch`.

    Returns:
        The exit code.
    """
    begun = context.Value("i", 0)
    child = context.Process(target=train, args=(*arguments, begun))
    child.start()
    while child.is_alive() and begun.value < batch:
        time.sleep(0.0005)
    time.sleep(random.uniform(0.0, 0.01))  # anywhere in a step, a validation or a write
    assert child.pid is not None
    os.kill(child.pid, number)
    child.join(120)
    return child.exitcode


def kill_five_times(
    context: BaseContext, train: Callable[..., None], arguments: tuple[Any, ...], steps: int
) -> None:
    """Kill a training at five random steps, going on in between."""
    for batch in sorted(random.sample(range(2, steps - 1), 5)):
        assert stopped_at(context, train, arguments, batch, signal.SIGKILL) == -signal.SIGKILL


def tensors(path: Path) -> dict[str, np.ndarray]:
    return dict(read_tensors(path).tensors)


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder / CURVES_NAME), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def assert_same_run(one: Path, other: Path, name: str) -> None:
    """Weights, average, optimiser, kept weights and curves are the same bit for bit."""
    for file in (STATE_NAME, f"{name}.safetensors"):
        first, second = tensors(one / file), tensors(other / file)
        assert first.keys() == second.keys()
        for key, value in first.items():
            np.testing.assert_array_equal(value, second[key], err_msg=f"{file} {key}")
    assert curves(one) == curves(other)

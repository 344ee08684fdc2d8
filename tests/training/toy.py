"""A task of milliseconds for the loop: a small network with dropout learns a smooth function of noise."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from blender_addon.protocol.tensorfile import write_tensors
from training.loop.config import LoopConfig
from training.loop.fit import fit
from training.loop.task import RunFacts


@dataclass(frozen=True)
class ToyRun:
    width: int = 8
    dropout: float = 0.2
    size: int = 16  # of a batch
    loop: LoopConfig = field(default_factory=LoopConfig)


@dataclass(frozen=True)
class ToyBatch:
    inputs: Tensor  # [N, 4]
    targets: Tensor  # [N, 1]


class ToyTask:
    name = "toy"

    def __init__(self, run: ToyRun, on_batch: Callable[[int], None] = lambda step: None) -> None:
        self.run, self.on_batch = run, on_batch

    def network(self) -> nn.Module:
        width = self.run.width
        hidden = (nn.Linear(4, width), nn.BatchNorm1d(width), nn.GELU(), nn.Dropout(self.run.dropout))
        return nn.Sequential(*hidden, nn.Linear(width, 1))

    def batch(self, step: int) -> ToyBatch:
        self.on_batch(step)
        rng = np.random.default_rng([self.run.loop.seed, step])
        inputs = torch.from_numpy(rng.standard_normal((self.run.size, 4)).astype(np.float32))
        return ToyBatch(inputs, torch.sin(inputs).sum(1, keepdim=True) + 0.1 * torch.rand(len(inputs), 1))

    def losses(self, network: nn.Module, batch: ToyBatch) -> Mapping[str, Tensor]:
        error = network(batch.inputs) - batch.targets
        return {"total": error.square().mean(), "absolute": error.abs().mean()}

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        inputs = torch.linspace(-1.0, 1.0, 64).reshape(16, 4)
        error = network(inputs) - torch.sin(inputs).sum(1, keepdim=True)
        return {"score": -float(error.square().mean())}

    def write(self, path: Path, network: nn.Module, facts: RunFacts) -> None:
        tensors = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
        write_tensors(path, tensors, {"step": str(facts.step)})

    def card(self, facts: RunFacts) -> str:
        return f"# {facts.name}\n\nscore {facts.scores['score']:.4f} after {facts.step} steps\n"


def toy_run(steps: int, **loop: Any) -> ToyRun:
    schedule = {"warm_up": 4, "validate_every": 5, "state_every": 3, "log_every": 2, "seed": 3}
    return ToyRun(loop=LoopConfig(**{"steps": steps, **schedule, **loop}))


def train_in_process(out: Path, run: ToyRun, begun: Synchronized[int]) -> None:
    """What a test runs in a process that it kills; `begun` counts the batches that were asked for."""

    def count(step: int) -> None:
        begun.value = step + 1
        time.sleep(0.002)

    fit(ToyTask(replace(run), count), run, out)

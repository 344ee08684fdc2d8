"""A task of milliseconds for the loop: a small network with dropout learns a smooth function of noise.

python -m tests.training.toy FOLDER STEPS     trains it, as a process that a test can kill
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

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
    pause: float = 0.0  # seconds per batch, so that a test has time to kill
    loop: LoopConfig = field(default_factory=LoopConfig)


@dataclass(frozen=True)
class ToyBatch:
    inputs: Tensor  # [N, 4]
    targets: Tensor  # [N, 1]


class ToyTask:
    name = "toy"

    def __init__(self, run: ToyRun) -> None:
        self.run = run

    def network(self) -> nn.Module:
        width = self.run.width
        return nn.Sequential(
            nn.Linear(4, width), nn.BatchNorm1d(width), nn.GELU(), nn.Dropout(0.2), nn.Linear(width, 1)
        )

    def batch(self, step: int) -> ToyBatch:
        time.sleep(self.run.pause)
        rng = np.random.default_rng([self.run.loop.seed, step])
        inputs = torch.from_numpy(rng.standard_normal((16, 4)).astype(np.float32))
        return ToyBatch(inputs, torch.sin(inputs).sum(1, keepdim=True) + 0.1 * torch.rand(16, 1))

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


def toy_run(steps: int, pause: float = 0.0) -> ToyRun:
    return ToyRun(
        pause=pause,
        loop=LoopConfig(steps=steps, warm_up=4, validate_every=5, state_every=3, log_every=2, seed=3),
    )


if __name__ == "__main__":
    run = toy_run(int(sys.argv[2]), pause=0.02)
    print(fit(ToyTask(run), run, Path(sys.argv[1])).step)

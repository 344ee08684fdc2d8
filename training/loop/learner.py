"""A network, its average and its optimiser, and one step of them, on Lightning Fabric."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from blender_addon.protocol.errors import InputError

from .config import LoopConfig
from .schedule import kept_share, learning_rate
from .task import TOTAL, B, Task

# What a seed is for, so that no two uses draw the same numbers.
WEIGHTS, BATCH, VALIDATION = range(3)


@dataclass(frozen=True)
class Learner:
    """What changes while a run goes on. `average` follows `network` and is what is kept."""

    config: LoopConfig
    fabric: Fabric
    network: nn.Module
    average: nn.Module
    optimiser: Any  # Fabric's wrapper of AdamW, which has no public type

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.network.parameters())


def new_learner(task: Task[B], config: LoopConfig) -> Learner:
    """First weights, drawn from the seed.

    Raises:
        InputError: this machine lacks what `config` asks for.
    """
    _use_machine(config)
    fabric = _fabric(config)
    seed_torch(config.seed, WEIGHTS, 0)
    network = fabric.to_device(task.network())
    optimiser = torch.optim.AdamW(
        network.parameters(), config.learning_rate, betas=config.betas, weight_decay=config.weight_decay
    )
    average = copy.deepcopy(network).requires_grad_(False)
    return Learner(config, fabric, network, average, fabric.setup_optimizers(optimiser))


def seed_torch(seed: int, purpose: int, number: int) -> None:
    """Seed torch on every device from the run's seed, a purpose and a number."""
    drawn = np.random.SeedSequence([seed, purpose, number]).generate_state(1, np.uint64)
    torch.manual_seed(int(drawn[0]) >> 1)


def improve(learner: Learner, task: Task[B], step: int) -> dict[str, Tensor]:
    """Update the weights once; the losses, each the mean over the accumulated batches."""
    config, fabric = learner.config, learner.fabric
    for group in learner.optimiser.param_groups:
        group["lr"] = learning_rate(config, step)
    learner.network.train()
    learner.optimiser.zero_grad()
    means: dict[str, Tensor] = {}
    for number in range(step * config.accumulate, (step + 1) * config.accumulate):
        seed_torch(config.seed, BATCH, number)
        batch = moved(task.batch(number), fabric.device)
        with fabric.autocast():
            losses = task.losses(learner.network, batch)
        fabric.backward(losses[TOTAL] / config.accumulate)
        for name, value in losses.items():
            means[name] = means.get(name, 0.0) + value.detach() / config.accumulate
    if config.clip_norm is not None:
        fabric.clip_gradients(
            learner.network, learner.optimiser, max_norm=config.clip_norm, error_if_nonfinite=False
        )
    learner.optimiser.step()
    follow(learner.average, learner.network, kept_share(config.ema, step))
    return means


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Move `average` towards `network`, `keep` of it staying; buffers are copied."""
    for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - keep)
    for kept, latest in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(latest)


@torch.no_grad()
def validate(learner: Learner, task: Task[B], step: int) -> Mapping[str, float]:
    """The task's scores of the averaged weights."""
    seed_torch(learner.config.seed, VALIDATION, step)
    return dict(task.validate(learner.average.eval()))


def moved(batch: Any, device: torch.device) -> Any:
    """`batch` with every tensor in it on `device`: dataclasses, tuples, lists and maps are searched."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if is_dataclass(batch) and not isinstance(batch, type):
        entries = {e.name: moved(getattr(batch, e.name), device) for e in fields(batch) if e.init}
        return replace(batch, **entries)
    if isinstance(batch, Mapping):
        return {key: moved(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        items = [moved(item, device) for item in batch]
        return type(batch)(*items) if hasattr(batch, "_fields") else type(batch)(items)
    return batch


def _use_machine(config: LoopConfig) -> None:
    torch.set_num_threads(config.threads)
    if config.nice and hasattr(os, "setpriority"):
        now = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, max(now, config.nice))


def _fabric(config: LoopConfig) -> Fabric:
    try:
        fabric = Fabric(accelerator=config.device, devices=1, precision=config.precision)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        what = f"this machine cannot train on {config.device}: {reason}"
        raise InputError(what, "Set loop.device to auto") from error
    if config.precision == "16-mixed" and fabric.device.type != "cuda":
        what = f"precision 16-mixed needs CUDA, and this run is on {fabric.device.type}"
        raise InputError(what, "Set loop.precision to bf16-mixed or 32-true")
    return fabric

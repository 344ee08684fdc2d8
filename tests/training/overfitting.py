"""Whether a network can learn one batch by heart: the first thing that a broken loss or gradient fails."""

from __future__ import annotations

import torch

from training.loop.task import TOTAL, B, Task


def overfit(task: Task[B], steps: int, learning_rate: float) -> tuple[dict[str, float], dict[str, float]]:
    """Losses of batch 0 before and after `steps` steps on nothing else, without dropout."""
    torch.manual_seed(0)
    network, batch = task.network().eval(), task.batch(0)
    optimiser = torch.optim.AdamW(network.parameters(), learning_rate)
    history = []
    for _ in range(steps + 1):
        losses = task.losses(network, batch)
        history.append({name: value.item() for name, value in losses.items()})
        optimiser.zero_grad()
        torch.autograd.backward(losses[TOTAL])
        optimiser.step()
    return history[0], history[-1]

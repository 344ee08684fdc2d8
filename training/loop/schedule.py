"""Closed forms by step: the learning rate, and how much the averaged weights keep."""

from __future__ import annotations

import math

from .config import LoopConfig

_EMA_WARM_UP = 10.0  # steps; our choice


def learning_rate(config: LoopConfig, step: int) -> float:
    """The rate of update `step` (from 0): linear warm-up, then half a cosine to the last update."""
    if step < config.warm_up:
        return config.learning_rate * (step + 1) / config.warm_up
    last = max(1, config.steps - config.warm_up)
    cosine = 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - config.warm_up) / last))
    return config.learning_rate * (config.final_rate + (1.0 - config.final_rate) * cosine)


def kept_share(ema: float, step: int) -> float:
    """Share of the averaged weights that stays at update `step` (from 0); little at first."""
    return min(ema, (step + 1) / (step + 1 + _EMA_WARM_UP))

"""Configuration of the training loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

from .yaml_config import aside

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


@dataclass(frozen=True)
class LoopConfig:
    """How a network is trained. The values are our choice, found with the voice-to-expression network.

    Attributes:
        seed: of the first weights and of everything that torch draws.
        steps: updates of the weights.
        warm_up: steps of linear growth of the learning rate.
        learning_rate: its peak; half a cosine takes it from there to `final_rate` of it.
        clip_norm: longest gradient, or None.
        accumulate: batches per step; the step follows the mean of their losses.
        ema: share of the averaged weights that stays at each step, once warm.
        precision: 16-mixed needs CUDA.
        validate_every: steps between validations; the last step always has one.
        device: auto, cpu, cuda or mps.
        threads: CPU threads. Results are bit-equal only for the same number.
        nice: how far this process steps back for others (Unix), 0-19.
        state_every: steps between states on disk, from which an interrupted run goes on.
        log_every: steps between points of the curves.
        minutes: stop after so long, to go on later; None trains to the end.
    """

    seed: int = 0
    steps: int = 3000
    warm_up: int = 150
    learning_rate: float = 2e-3
    final_rate: float = 0.005
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.02
    clip_norm: float | None = 1.0
    accumulate: int = 1
    ema: float = 0.998
    precision: Precision = "32-true"
    validate_every: int = 250
    device: Literal["auto", "cpu", "cuda", "mps"] = aside("auto")
    threads: int = aside(1)
    nice: int = aside(0)
    state_every: int = aside(100)
    log_every: int = aside(50)
    minutes: float | None = aside(None)

    def __post_init__(self) -> None:
        counts = ("steps", "accumulate", "validate_every", "threads", "state_every", "log_every")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("seed", "warm_up", "weight_decay"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, it is {getattr(self, name)}")
        for name in ("learning_rate", "clip_norm", "minutes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, not {value}")
        for name, value in (("ema", self.ema), ("final_rate", self.final_rate)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {value}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be from 0 to below 1, not {self.betas}")
        if not 0 <= self.nice <= 19:
            raise ValueError(f"nice must be from 0 to 19, not {self.nice}")


class Run(Protocol):
    """A run's whole configuration: a frozen dataclass that holds the loop's beside the task's own."""

    @property
    def loop(self) -> LoopConfig: ...


def smoke(config: LoopConfig) -> LoopConfig:
    """`config` for a run of seconds that passes through everything that a long one does."""
    return replace(config, steps=6, warm_up=2, validate_every=3, state_every=2, log_every=1)

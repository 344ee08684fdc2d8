"""Training the speech-to-articulation network on a corpus with known phone times."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from torch import nn

from blender_addon.protocol.tensorfile import output_error
from models.expression.checkpoint import Checkpoint, ModelIdentity, write_checkpoint
from models.expression.network import ExpressionConfig, ExpressionNetwork

from .batches import Batch, BatchConfig, make_batch
from .corpus.build import DEVELOPMENT_SOURCES
from .corpus.store import Utterance, read_source
from .development import development_score
from .losses import Losses, expression_losses
from .phones import PHONE_CLASSES
from .scenes import Pool

_log = logging.getLogger(__name__)

# How often each source is heard, whatever its minutes (our choice).
SOURCE_SHARES: Mapping[str, float] = {"espeak": 0.22, "flite": 0.31, "festival": 0.25, "russian": 0.22}
MODEL_ID = "vividtalk-expression-1"
LICENCE = "CC0-1.0"
_WARM_UP_STEPS = 150
_EMA = 0.998
_FIRST_CHECK, _CHECKS = 0.3, 10  # development checks: from this share of the training, this many


@dataclass(frozen=True)
class TrainConfig:
    """One training run. `minutes` is wall-clock; `steps`, when given, is used instead."""

    corpus: Path
    out: Path
    seed: int = 0
    minutes: float = 30.0
    steps: int | None = None
    channels: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    threads: int = 1
    batch: BatchConfig = field(default_factory=BatchConfig)

    def __post_init__(self) -> None:
        if self.minutes <= 0 or (self.steps is not None and self.steps <= 0):
            raise ValueError(f"training needs time: minutes {self.minutes}, steps {self.steps}")


@dataclass(frozen=True)
class TrainResult:
    """Where the best checkpoint is, how good it is on the development voices and when it was best."""

    checkpoint: Path
    development: float
    best_step: int
    steps: int


class _Clock:
    """Progress 0-1 of a run, by steps or by time."""

    def __init__(self, config: TrainConfig) -> None:
        self._config, self._start = config, time.monotonic()

    def progress(self, step: int) -> float:
        if self._config.steps is not None:
            return step / self._config.steps
        return (time.monotonic() - self._start) / (60.0 * self._config.minutes)


@dataclass
class _Champion:
    """The averaged weights that did best on the development voices so far, and their file."""

    config: TrainConfig
    development: list[list[Utterance]]
    score: float = -math.inf
    step: int = 0
    checks: int = 0

    @property
    def path(self) -> Path:
        return self.config.out / f"expression-{self.config.seed}.safetensors"

    def is_due(self, progress: float) -> bool:
        return progress >= min(1.0, _FIRST_CHECK + self.checks * (1.0 - _FIRST_CHECK) / _CHECKS)

    def challenge(self, network: ExpressionNetwork, shape: ExpressionConfig, step: int) -> None:
        self.checks += 1
        checkpoint = Checkpoint(network, shape, _identity(self.config, step))
        value = development_score(checkpoint, self.development)
        _log.info("step %d: development score %.4f (best %.4f)", step, value, max(value, self.score))
        if value <= self.score:
            return
        self.score, self.step = value, step
        write_checkpoint(self.path, checkpoint)


def _identity(config: TrainConfig, step: int) -> ModelIdentity:
    return ModelIdentity(MODEL_ID, LICENCE, {"seed": config.seed, "step": step, "minutes": config.minutes})


def train(config: TrainConfig) -> TrainResult:
    """Train; keep the averaged weights that do best on the development voices in `config.out`.

    Raises:
        InputError: the corpus is missing or incomplete.
        OutputError: `config.out` cannot be written.
    """
    _prepare(config)
    pool = training_pool(config.corpus)
    champion = _Champion(config, [read_source(config.corpus, name) for name in DEVELOPMENT_SOURCES])
    shape = ExpressionConfig(classes=PHONE_CLASSES, channels=config.channels)
    network, average = ExpressionNetwork(shape), ExpressionNetwork(shape)
    optimiser = torch.optim.AdamW(
        network.parameters(), config.learning_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay
    )
    rng, clock, step = np.random.default_rng(config.seed), _Clock(config), 0
    while (progress := clock.progress(step)) < 1.0:
        _set_rate(optimiser, config.learning_rate, step, progress)
        losses = _improve(network, optimiser, make_batch(pool, config.batch, rng))
        step += 1
        _follow(average, network, step)
        if step % 100 == 0:
            _log.info("step %d (%.0f%%): %s", step, 100 * progress, _readable(losses))
        if champion.is_due(clock.progress(step)):
            champion.challenge(average, shape, step)
    return TrainResult(champion.path, champion.score, champion.step, step)


def training_pool(corpus: Path) -> Pool:
    """The corpus's training sources with their shares."""
    sources = tuple(read_source(corpus, name) for name in SOURCE_SHARES)
    return Pool(sources, tuple(SOURCE_SHARES.values()))


def _prepare(config: TrainConfig) -> None:
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    try:
        config.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(config.out, error) from error


def _set_rate(optimiser: torch.optim.Optimizer, peak: float, step: int, progress: float) -> None:
    """Linear warm-up, then half a cosine down to almost nothing."""
    rate = peak * min(1.0, (step + 1) / _WARM_UP_STEPS) * (0.5 + 0.5 * math.cos(math.pi * progress))
    for group in optimiser.param_groups:
        group["lr"] = max(rate, 1e-5)


def _improve(network: ExpressionNetwork, optimiser: torch.optim.Optimizer, batch: Batch) -> Losses:
    network.train()
    with torch.autocast("cpu", torch.bfloat16):
        drawn = network(batch.features)
    losses = expression_losses(drawn, batch)
    optimiser.zero_grad()
    torch.autograd.backward(losses.total)
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return losses


@torch.no_grad()
def _follow(average: ExpressionNetwork, network: ExpressionNetwork, step: int) -> None:
    """Exponential moving average of the weights, quick at first."""
    keep = min(_EMA, 1.0 - 1.0 / (step / 10 + 1))
    for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - keep)


def _readable(losses: Losses) -> str:
    return ", ".join(f"{f.name} {getattr(losses, f.name).item():.4f}" for f in fields(losses))

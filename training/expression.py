"""Training the voice-to-expression network on speech with known phone times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from models.audio.features import FeatureConfig, feature_source
from models.expression.checkpoint import Checkpoint, ModelIdentity, write_checkpoint
from models.expression.network import ExpressionConfig, ExpressionNetwork

from .batches import Batch, BatchConfig, make_batch
from .corpus.build import DEVELOPMENT_SOURCES
from .corpus.store import Utterance, read_source
from .development import development_score
from .expression_card import expression_card
from .loop.config import LoopConfig, smoke
from .loop.task import SCORE, RunFacts
from .loop.yaml_config import aside
from .losses import expression_losses
from .phones import PHONE_CLASSES
from .scenes import Pool

# How often each source is heard, whatever its minutes (our choice).
SOURCE_SHARES: Mapping[str, float] = {
    "espeak": 0.12,
    "flite": 0.17,
    "festival": 0.13,
    "russian": 0.15,
    "pico": 0.17,
    "rhvoice": 0.10,
    "sung": 0.06,
    "whispered": 0.03,
    "revoiced": 0.07,
}
MODEL_ID = "vividtalk-expression-2"
LICENCE = "CC0-1.0"


@dataclass(frozen=True)
class ExpressionRun:
    """One training run of the voice-to-expression network.

    Attributes:
        corpus: folder of `build_corpus`.
        features: what the network hears through.
        channels: width of the network.
        development_share: every so many utterances of the development voices choose the checkpoint.
    """

    corpus: Path = aside(Path("corpus"))
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=4000, precision="bf16-mixed", validate_every=500)
    )
    batch: BatchConfig = field(default_factory=BatchConfig)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    channels: int = 128
    development_share: int = 3


def smoke_run(run: ExpressionRun) -> ExpressionRun:
    """`run` in seconds: few steps of a small network, judged on few utterances."""
    batch = replace(run.batch, scenes=2, frames=64, solved=2)
    return replace(run, loop=smoke(run.loop), batch=batch, channels=16, development_share=5)


class ExpressionTask:
    """The `Task` of the training loop."""

    name = "expression"

    def __init__(self, run: ExpressionRun) -> None:
        """Open the corpus. Raises `InputError` when it is missing or incomplete."""
        self._run = run
        self._source = feature_source(run.features)
        self._shape = ExpressionConfig(
            classes=PHONE_CLASSES,
            channels=run.channels,
            feature_width=self._source.width,
            features_per_frame=self._source.per_frame,
            features=run.features,
        )
        self._pool = training_pool(run.corpus)

    @cached_property
    def _development(self) -> list[list[Utterance]]:
        share = self._run.development_share
        return [read_source(self._run.corpus, name)[::share] for name in DEVELOPMENT_SOURCES]

    def network(self) -> nn.Module:
        return ExpressionNetwork(self._shape)

    def batch(self, step: int) -> Batch:
        rng = np.random.default_rng([self._run.loop.seed, step])
        return make_batch(self._pool, self._run.batch, rng, self._source)

    def losses(self, network: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        return vars(expression_losses(network(batch.features, batch.style, batch.noise), batch))

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        scores = development_score(self._checkpoint(network, {}), self._development)
        return {SCORE: scores.mean, **asdict(scores)}

    def write(self, path: Path, network: nn.Module, facts: RunFacts) -> None:
        training = {
            "seed": facts.seed,
            "step": facts.step,
            "steps": facts.steps,
            "versions": dict(facts.versions),
        }
        write_checkpoint(path, self._checkpoint(network, training))

    def card(self, facts: RunFacts) -> str:
        return expression_card(facts, MODEL_ID, LICENCE, self._pool)

    def _checkpoint(self, network: nn.Module, training: Mapping[str, object]) -> Checkpoint:
        assert isinstance(network, ExpressionNetwork)
        identity = ModelIdentity(MODEL_ID, LICENCE, training)
        return Checkpoint(network, self._shape, identity, self._source)


def training_pool(corpus: Path) -> Pool:
    """The corpus's training sources with their shares."""
    sources = tuple(read_source(corpus, name) for name in SOURCE_SHARES)
    return Pool(sources, tuple(SOURCE_SHARES.values()))

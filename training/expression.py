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

from .batches import Batch, BatchConfig, PhoneBatch, make_batch, make_phone_batch
from .corpus.store import Utterance, is_written, read_source
from .dataset import read_dataset
from .development import development_score, development_voices
from .expression_card import expression_card
from .loop.config import LoopConfig, smoke
from .loop.task import SCORE, TOTAL, RunFacts
from .loop.yaml_config import aside
from .losses import expression_losses, phone_loss
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
        clips: folder of motion clips with their sounds (`read_dataset`) that are heard too.
        clips_share: how often they are heard; the corpus's sources share the rest.
        features: what the network hears through.
        channels: width of the network.
        hearing_steps: first steps, in which only the encoder learns, and phones alone, at half the cost.
        development_share: every so many utterances of the development voices choose the checkpoint.
    """

    corpus: Path = aside(Path("corpus"))
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            steps=17000, learning_rate=3e-3, precision="bf16-mixed", validate_every=4250
        )
    )
    batch: BatchConfig = field(default_factory=BatchConfig)
    clips: Path | None = None
    clips_share: float = 0.2
    features: FeatureConfig = field(default_factory=FeatureConfig)
    channels: int = 128
    hearing_steps: int = 11000
    development_share: int = 6

    def __post_init__(self) -> None:
        if self.hearing_steps >= self.loop.steps * self.loop.accumulate:
            raise ValueError(
                f"hearing_steps is {self.hearing_steps}, of {self.loop.steps} steps none draws a mouth"
            )


def smoke_run(run: ExpressionRun) -> ExpressionRun:
    """`run` in seconds: few steps of a small network, judged on few utterances."""
    batch = replace(run.batch, scenes=2, frames=64, solved=2)
    return replace(run, loop=smoke(run.loop), batch=batch, hearing_steps=2, channels=16, development_share=5)


class ExpressionTask:
    """The `Task` of the training loop."""

    name = "expression"

    def __init__(self, run: ExpressionRun) -> None:
        """Open the corpus and the clips. Raises `InputError` when they are missing or incomplete."""
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
        if run.clips is not None:
            self._pool = with_clips(self._pool, read_dataset(run.clips), run.clips_share)

    @cached_property
    def _development(self) -> list[list[Utterance]]:
        return development_voices(self._run.corpus, self._run.development_share)

    def network(self) -> nn.Module:
        return ExpressionNetwork(self._shape)

    def batch(self, step: int) -> Batch | PhoneBatch:
        rng = np.random.default_rng([self._run.loop.seed, step])
        make = make_phone_batch if step < self._run.hearing_steps else make_batch
        return make(self._pool, self._run.batch, rng, self._source)

    def losses(self, network: nn.Module, batch: Batch | PhoneBatch) -> Mapping[str, Tensor]:
        if isinstance(batch, PhoneBatch):
            assert isinstance(network, ExpressionNetwork)
            loss = phone_loss(network.encoder(batch.features).phones, batch.phones)
            return {TOTAL: loss, "phones": loss}
        return vars(expression_losses(network(batch.features, batch.style, batch.noise), batch))

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        scores = development_score(self._checkpoint(network, {}), self._development)
        return {SCORE: scores.mean, **asdict(scores)}

    def write(self, path: Path, network: nn.Module, facts: RunFacts) -> None:
        write_checkpoint(path, self._checkpoint(network, training_of(facts)))

    def card(self, facts: RunFacts) -> str:
        return expression_card(facts, MODEL_ID, LICENCE, list(SOURCE_SHARES), self._pool)

    def _checkpoint(self, network: nn.Module, training: Mapping[str, object]) -> Checkpoint:
        assert isinstance(network, ExpressionNetwork)
        identity = ModelIdentity(MODEL_ID, LICENCE, training)
        return Checkpoint(network, self._shape, identity, self._source)


def training_of(facts: RunFacts) -> dict[str, object]:
    """What a weights file says of its training."""
    return {
        "seed": facts.seed,
        "step": facts.step,
        "steps": facts.steps,
        "versions": dict(facts.versions),
    }


def training_pool(corpus: Path) -> Pool:
    """The corpus's training sources with their shares; what it was rendered without is left out."""
    present = [name for name in SOURCE_SHARES if is_written(corpus, name)] or list(SOURCE_SHARES)
    total = sum(SOURCE_SHARES[name] for name in present)
    sources = tuple(read_source(corpus, name) for name in present)
    return Pool(sources, tuple(SOURCE_SHARES[name] / total for name in present))


def with_clips(pool: Pool, clips: list[Utterance], share: float) -> Pool:
    """`pool` and another source that is heard with probability `share`."""
    return Pool((*pool.sources, clips), (*(one * (1.0 - share) for one in pool.shares), share))

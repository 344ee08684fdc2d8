"""Training the voice-to-expression network on speech with known phone times."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from blender_addon.protocol.errors import InputError
from models.audio.features import FeatureConfig, FeatureSource, feature_source
from models.expression.checkpoint import Checkpoint, ModelIdentity, read_checkpoint, write_checkpoint
from models.expression.network import ExpressionConfig, ExpressionNetwork

from .bank import BankShape, SceneBank
from .batches import Batch, BatchConfig, PhoneBatch, hearing_scene, make_batch, make_phone_batch
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
    "espeak": 0.09,
    "flite": 0.12,
    "festival": 0.10,
    "russian": 0.11,
    "pico": 0.13,
    "rhvoice": 0.08,
    "sung": 0.04,
    "whispered": 0.03,
    "revoiced": 0.05,
    "recorded": 0.25,
}
MODEL_ID = "vividtalk-expression-3"
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
        start: weights to go on from, of this or of a shallower network; None starts anew.
        hearing_scenes: different scenes of these steps; they are kept in the corpus's folder.
        development_share: every so many utterances of the development voices choose the checkpoint.
    """

    corpus: Path = aside(Path("corpus"))
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            steps=30000, learning_rate=3e-3, precision="bf16-mixed", validate_every=5000
        )
    )
    batch: BatchConfig = field(default_factory=BatchConfig)
    clips: Path | None = None
    clips_share: float = 0.2
    features: FeatureConfig = field(default_factory=FeatureConfig)
    channels: int = 128
    hearing_steps: int = 24000
    hearing_scenes: int = 30000
    start: Path | None = None
    development_share: int = 6

    def __post_init__(self) -> None:
        if self.hearing_steps >= self.loop.steps * self.loop.accumulate:
            raise ValueError(
                f"hearing_steps is {self.hearing_steps}, of {self.loop.steps} steps none draws a mouth"
            )
        if self.hearing_scenes < self.batch.scenes:
            raise ValueError(f"hearing_scenes is {self.hearing_scenes}, fewer than a batch holds")


def smoke_run(run: ExpressionRun) -> ExpressionRun:
    """`run` in seconds: few steps of a small network, judged on few utterances."""
    batch = replace(run.batch, scenes=2, frames=64, solved=2)
    return replace(
        run,
        loop=smoke(run.loop),
        batch=batch,
        hearing_steps=2,
        hearing_scenes=4,
        channels=16,
        development_share=5,
    )


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

    @cached_property
    def _bank(self) -> SceneBank:
        return hearing_bank(self._pool, self._run, self._source)

    def network(self) -> nn.Module:
        network = ExpressionNetwork(self._shape)
        if self._run.start is not None:
            go_on_from(network, read_checkpoint(self._run.start).network, self._run.start)
        return network

    def batch(self, step: int) -> Batch | PhoneBatch:
        rng = np.random.default_rng([self._run.loop.seed, step])
        if step < self._run.hearing_steps:
            return make_phone_batch(self._bank, self._run.batch, rng, self._source)
        return make_batch(self._pool, self._run.batch, rng, self._source)

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
        return expression_card(facts, MODEL_ID, LICENCE, present_sources(self._run.corpus), self._pool)

    def _checkpoint(self, network: nn.Module, training: Mapping[str, object]) -> Checkpoint:
        assert isinstance(network, ExpressionNetwork)
        identity = ModelIdentity(MODEL_ID, LICENCE, training)
        return Checkpoint(network, self._shape, identity, self._source)


def go_on_from(network: ExpressionNetwork, start: nn.Module, where: Path) -> None:
    """Give `network` the weights of `start`; blocks of the trunk that `start` lacks begin as no change.

    Raises `InputError` when the two differ in more than the trunk's depth.
    """
    missing = network.state_dict().keys() - start.state_dict().keys()
    try:
        found = network.load_state_dict(start.state_dict(), strict=False)
    except RuntimeError as error:
        raise InputError(f"{where} has another shape: {error}", "Train with the same channels") from error
    if found.unexpected_keys or not all(name.startswith("encoder.trunk.") for name in missing):
        raise InputError(f"{where} holds another network", "Start from weights of `train expression`")
    for name in missing:
        if ".narrow." in name:
            nn.init.zeros_(network.get_parameter(name))


def training_of(facts: RunFacts) -> dict[str, object]:
    """What a weights file says of its training."""
    return {
        "seed": facts.seed,
        "step": facts.step,
        "steps": facts.steps,
        "versions": dict(facts.versions),
    }


def present_sources(corpus: Path) -> list[str]:
    """The training sources that `corpus` holds; all of them where it holds none."""
    return [name for name in SOURCE_SHARES if is_written(corpus, name)] or list(SOURCE_SHARES)


def training_pool(corpus: Path) -> Pool:
    """The corpus's training sources with their shares; what it was rendered without is left out."""
    present = present_sources(corpus)
    total = sum(SOURCE_SHARES[name] for name in present)
    sources = tuple(read_source(corpus, name) for name in present)
    return Pool(sources, tuple(SOURCE_SHARES[name] / total for name in present))


def hearing_bank(pool: Pool, run: ExpressionRun, source: FeatureSource) -> SceneBank:
    """The scenes of the hearing steps, in a folder of the corpus named after what they are made of.

    Raises `OutputError` when the folder cannot be written.
    """
    frames, per_frame = run.batch.frames, source.per_frame
    spoken = [(len(one), sum(len(u.samples) for u in one)) for one in pool.sources]
    made_of = repr((run.batch, run.features, pool.shares, spoken))
    folder = run.corpus / f"scenes-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
    shape = BankShape(run.hearing_scenes, per_frame * frames, source.width, frames)
    return SceneBank(folder, shape, partial(hearing_scene, pool, run.batch, source))


def with_clips(pool: Pool, clips: list[Utterance], share: float) -> Pool:
    """`pool` and another source that is heard with probability `share`."""
    return Pool((*pool.sources, clips), (*(one * (1.0 - share) for one in pool.shares), share))

"""Training the autoregressive variant on its own outputs, on an encoder that the parallel variant trained.

Scheduled sampling (Bengio et al. 2015) in two passes (Mihaylova and Martins 2019): the network first draws
after the true past, then after a past of which more and more frames are those that it drew. Lip offsets are
known for a few frames only, so their past is always its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from blender_addon.protocol.errors import InputError
from models.expression.autoregressive import AutoregressiveConfig, AutoregressiveNetwork, Past, past_of
from models.expression.checkpoint import Checkpoint, ModelIdentity, read_checkpoint, write_checkpoint
from models.expression.model import DEFAULT_WEIGHTS
from models.expression.network import ExpressionConfig, ExpressionNetwork, Heard

from .batches import Batch, BatchConfig, make_batch
from .corpus.store import Utterance
from .development import development_score, development_voices
from .expression import LICENCE, present_sources, training_of, training_pool
from .expression_card import expression_card
from .loop.config import LoopConfig, smoke
from .loop.task import SCORE, RunFacts
from .loop.yaml_config import aside
from .losses import expression_losses
from .phones import PHONE_CLASSES

MODEL_ID = "vividtalk-expression-autoregressive-2"
_TRUE_UNTIL, _OWN_FROM = 0.1, 0.6  # shares of the training: only the true past before, only its own after


@dataclass(frozen=True)
class AutoregressiveRun:
    """One training run of the autoregressive variant.

    Attributes:
        corpus: folder of `build_corpus`.
        encoder: weights of the parallel variant, whose encoder is taken over and stays as it is; the
            shipped ones when not given.
        layers: of each branch of the decoder.
        development_share: every so many utterances of the development voices choose the checkpoint.
    """

    corpus: Path = aside(Path("corpus"))
    encoder: Path | None = None
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=2000, precision="bf16-mixed", validate_every=500)
    )
    batch: BatchConfig = field(default_factory=BatchConfig)
    layers: int = 2
    development_share: int = 3


def smoke_run(run: AutoregressiveRun) -> AutoregressiveRun:
    """`run` in seconds: few steps of a small decoder, judged on few utterances."""
    batch = replace(run.batch, scenes=2, frames=64, solved=2)
    return replace(run, loop=smoke(run.loop), batch=batch, layers=1, development_share=20)


@dataclass(frozen=True)
class RolloutBatch:
    """A batch, and the share of the past that is the network's own."""

    scenes: Batch
    own: float


class AutoregressiveTask:
    """The `Task` of the training loop."""

    name = "expression"

    def __init__(self, run: AutoregressiveRun) -> None:
        """Open the corpus and the encoder's weights.

        Raises:
            InputError: the corpus is missing or incomplete, or the weights are not of the parallel variant.
            ModelError: the weights are missing or damaged.
        """
        self._run = run
        self._pool = training_pool(run.corpus)
        weights = run.encoder or DEFAULT_WEIGHTS
        checkpoint = read_checkpoint(weights)
        network, shape = checkpoint.network, checkpoint.config
        if not isinstance(network, ExpressionNetwork) or not isinstance(shape, ExpressionConfig):
            raise InputError(f"{weights} holds no parallel network", "Name weights of the parallel variant")
        if shape.classes != PHONE_CLASSES:
            raise InputError(
                f"the encoder of {weights} knows other phones", "Train the parallel variant anew"
            )
        self._encoder, self._encoder_id = network.encoder, checkpoint.identity.id
        self._source = checkpoint.source
        self._shape = AutoregressiveConfig(shape, run.layers)

    def network(self) -> nn.Module:
        network = AutoregressiveNetwork(self._shape)
        network.encoder.load_state_dict(self._encoder.state_dict())
        network.encoder.requires_grad_(False)
        return network

    def batch(self, step: int) -> RolloutBatch:
        progress = step / (self._run.loop.steps * self._run.loop.accumulate)
        own = min(1.0, max(0.0, (progress - _TRUE_UNTIL) / (_OWN_FROM - _TRUE_UNTIL)))
        rng = np.random.default_rng([self._run.loop.seed, step])
        return RolloutBatch(make_batch(self._pool, self._run.batch, rng, self._source), own)

    def losses(self, network: nn.Module, batch: RolloutBatch) -> Mapping[str, Tensor]:
        assert isinstance(network, AutoregressiveNetwork)
        scenes = batch.scenes
        with torch.no_grad():
            heard = network.encoder(scenes.features)
            guess = _after_truth(network, heard, scenes)
        drawn = network(heard, scenes.style, scenes.noise, _mixed(scenes, guess, batch.own))
        return vars(expression_losses(drawn, scenes))

    @cached_property
    def _development(self) -> list[list[Utterance]]:
        return development_voices(self._run.corpus, self._run.development_share)

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """Of true rollouts: as the product runs it."""
        scores = development_score(self._checkpoint(network, {}), self._development)
        return {SCORE: scores.mean, **asdict(scores)}

    def write(self, path: Path, network: nn.Module, facts: RunFacts) -> None:
        training = {**training_of(facts), "encoder": self._encoder_id}
        write_checkpoint(path, self._checkpoint(network, training))

    def card(self, facts: RunFacts) -> str:
        return expression_card(facts, MODEL_ID, LICENCE, present_sources(self._run.corpus), self._pool)

    def _checkpoint(self, network: nn.Module, training: Mapping[str, object]) -> Checkpoint:
        assert isinstance(network, AutoregressiveNetwork)
        identity = ModelIdentity(MODEL_ID, LICENCE, training)
        return Checkpoint(network, self._shape, identity, self._source)


def _after_truth(network: AutoregressiveNetwork, heard: Heard, scenes: Batch) -> Past:
    """What the network draws after the true past; no offsets are known of it."""
    unknown = scenes.lip.new_zeros(*scenes.lip.shape[:2], scenes.offsets.shape[2])
    truth = Past(scenes.lip, scenes.other, unknown, scenes.contacts)
    drawn = past_of(network(heard, scenes.style, scenes.noise, truth))
    return Past(*(part.float() for part in vars(drawn).values()))


def _mixed(scenes: Batch, guess: Past, own: float) -> Past:
    """The past of which each frame is the network's own with probability `own`, else true."""
    chosen = torch.rand(*scenes.lip.shape[:2], 1, device=scenes.lip.device) < own
    return Past(
        torch.where(chosen, guess.lip, scenes.lip),
        torch.where(chosen, guess.other, scenes.other),
        guess.offsets,
        torch.where(chosen, guess.contacts, scenes.contacts),
    )

"""Training the codebook of head motion: poses become codes and are to come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.pose.checkpoint import CodebookCheckpoint, PoseIdentity, read_codebook, write_codebook
from models.pose.network import CodebookConfig, PoseCodec

from ..loop.config import LoopConfig, smoke
from ..loop.task import SCORE, TOTAL, RunFacts
from ..loop.yaml_config import aside
from .cards import codebook_card
from .data import HELD, TRAINED, BankConfig, pose_bank, read_bank
from .reconstruction import log_power, measure

MODEL_ID, LICENCE = "vividtalk-pose-codebook-1", "CC0-1.0"


@dataclass(frozen=True)
class LossWeights:
    """Of the losses beside the squared error of the poses, 1; found by trying.

    Attributes:
        velocity, acceleration: squared errors of first and second differences, over their variance.
        spectrum: mean distance of the batch's power spectra up to 6 Hz, in nepers.
        commitment: how much the encoder keeps to the codes.
    """

    velocity: float = 0.3
    acceleration: float = 0.1
    spectrum: float = 0.05
    commitment: float = 0.25


@dataclass(frozen=True)
class CodebookRun:
    """One training run of the codebook.

    Attributes:
        bank: folder of the motion that is learned from; made there when it is new.
        corpus: folder of `build_corpus`, for a bank of the synthetic prior.
        clips: folder of tracked motion clips with their sounds, for a bank of those.
        source: weights to start from.
        batch, frames: windows at once and their length at 25 per second.
    """

    bank: Path = aside(Path("pose-bank"))
    corpus: Path = aside(Path("corpus"))
    clips: Path | None = aside(None)
    source: Path | None = None
    motion: BankConfig = field(default_factory=BankConfig)
    shape: CodebookConfig = field(default_factory=CodebookConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    batch: int = 48
    frames: int = 160
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=4000, learning_rate=1.5e-3, validate_every=1000, ema=0.995)
    )


def smoke_run(run: CodebookRun) -> CodebookRun:
    """`run` in seconds: few steps of few windows of a small bank."""
    motion = replace(run.motion, scenes=2, held=1, seconds=12.0, motions=2)
    return replace(run, loop=smoke(run.loop), motion=motion, batch=4, frames=64)


@dataclass(frozen=True)
class PoseBatch:
    """poses: [B, F, 6] radians and metres."""

    poses: Tensor


class CodebookTask:
    """The `Task` of the training loop."""

    name = "pose-codebook"

    def __init__(self, run: CodebookRun) -> None:
        """Open the bank. Raises `InputError` when it cannot be made."""
        self._run = run
        pose_bank(run.bank, run.corpus, run.motion, run.clips)
        self._trained, self._held = read_bank(run.bank, TRAINED), read_bank(run.bank, HELD)
        self._source = None if run.source is None else read_codebook(run.source).codec

    def network(self) -> PoseCodec:
        """A new network, or the one to start from; the axes' scale is the bank's."""
        if self._source is not None:
            codec = PoseCodec(self._source.config)
            codec.load_state_dict(self._source.state_dict())
            return codec
        codec = PoseCodec(self._run.shape)
        codec.scale.copy_(torch.from_numpy(self._trained.scale))
        return codec

    def batch(self, step: int) -> PoseBatch:
        """Batch `step`."""
        rng = np.random.default_rng([self._run.loop.seed, step])
        windows = self._trained.draw(self._run.batch, self._run.frames, rng)
        return PoseBatch(torch.from_numpy(windows.poses))

    def losses(self, network: nn.Module, batch: PoseBatch) -> Mapping[str, Tensor]:
        """Errors of poses and their differences, of spectra, and the commitment."""
        assert isinstance(network, PoseCodec)
        back, quantised = network(batch.poses)
        return reconstruction_losses(
            batch.poses / network.scale, back / network.scale, quantised.commitment, self._run.weights
        )

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """How held-out motion comes back; the score is the worst axis' R²."""
        assert isinstance(network, PoseCodec)
        found = measure(network, self._held)
        return {SCORE: found.score, **found.summary()}

    def write(self, path: Path, network: nn.Module, facts: RunFacts) -> None:
        """The weights."""
        assert isinstance(network, PoseCodec)
        training = {"seed": facts.seed, "step": facts.step, "scores": dict(facts.scores)}
        write_codebook(path, CodebookCheckpoint(network, PoseIdentity(MODEL_ID, LICENCE, training)))

    def card(self, facts: RunFacts) -> str:
        """What a reader of the weights should know."""
        return codebook_card(facts, MODEL_ID, LICENCE, self._trained, self._run.clips is not None)


def reconstruction_losses(
    poses: Tensor, back: Tensor, commitment: Tensor, weights: LossWeights
) -> dict[str, Tensor]:
    """Losses of motion [B, F, 6] that came back, both over the axes' scale."""
    losses = {"pose": (back - poses).square().mean()}
    for order, name in ((1, "velocity"), (2, "acceleration")):
        true = poses.diff(order, dim=1)
        error = (back.diff(order, dim=1) - true).square().mean((0, 1))
        losses[name] = (error / (true.square().mean((0, 1)) + 1e-8)).mean()
    losses["spectrum"] = torch.stack(
        [(log_power(back, size) - log_power(poses, size)).abs().mean() for size in (32, 64, 128)]
    ).mean()
    losses["commitment"] = commitment
    total = losses["pose"] + sum(getattr(weights, name) * losses[name] for name in vars(weights))
    return {TOTAL: total, **losses}

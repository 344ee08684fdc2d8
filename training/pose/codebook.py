"""Training the codebook of head motion: poses become codes and are to come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from blender_addon.protocol.clip import POSE_CODE_STRIDE
from models.pose.checkpoint import CodebookCheckpoint, PoseIdentity, read_codebook, write_codebook
from models.pose.network import CodebookConfig, PoseCodec

from ..loop.config import LoopConfig, smoke
from ..loop.task import SCORE, TOTAL, RunFacts
from ..loop.yaml_config import aside
from .cards import FROM_OTHERS, codebook_card
from .data import HELD, TRAINED, BankConfig, pose_bank, read_bank
from .reconstruction import log_power, measure

_SPANS = (32, 64, 128)  # frames of the windows that spectra are taken of; our choice
_AXES = (
    1.8,
    1.0,
    1.0,
    1.0,
    1.0,
    1.0,
)  # weights of their errors: pitch is fastest and comes back worst; tried
MODEL_ID, LICENCE = "vividtalk-pose-codebook-1", "CC0-1.0"


@dataclass(frozen=True)
class LossWeights:
    """Of the losses beside the squared error of the poses, 1; found by trying.

    Attributes:
        velocity, acceleration: squared errors of first and second differences, over their variance.
        spectrum: mean distance of the batch's power spectra up to 6 Hz, in nepers.
        bend: squares of what second differences have beyond 99.9% of the true ones, over their variance.
        commitment: how much the encoder keeps to the codes.
    """

    velocity: float = 0.3
    acceleration: float = 0.1
    spectrum: float = 0.5
    bend: float = 100.0
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
        codes_kept: encoder and codes stay those of `source`, so that mappers still fit: decoders alone learn.
    """

    bank: Path = aside(Path("pose-bank"))
    corpus: Path = aside(Path("corpus"))
    clips: Path | None = aside(None)
    source: Path | None = aside(None)
    motion: BankConfig = field(default_factory=BankConfig)
    shape: CodebookConfig = field(default_factory=CodebookConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    batch: int = 24
    frames: int = 160
    codes_kept: bool = False
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=2200, warm_up=50, validate_every=733, ema=0.99)
    )

    def __post_init__(self) -> None:
        if self.frames < _SPANS[-1] or self.frames % POSE_CODE_STRIDE:
            raise ValueError(f"frames is {self.frames}, give a multiple of 4 from {_SPANS[-1]} on")
        if self.codes_kept and self.source is None:
            raise ValueError("codes_kept needs weights to start from: --from")


def smoke_run(run: CodebookRun) -> CodebookRun:
    """`run` in seconds: few steps of few windows of a small bank."""
    motion = replace(run.motion, scenes=2, held=1, seconds=12.0, motions=2)
    return replace(run, loop=smoke(run.loop), motion=motion, batch=4, frames=_SPANS[-1])


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
        self._limit = self._trained.bend
        self._source = None if run.source is None else read_codebook(run.source).codec

    def network(self) -> PoseCodec:
        """A new network, or the one to start from; the axes' scale is the bank's, unless codes are kept."""
        codec = PoseCodec(self._run.shape if self._source is None else self._source.config)
        if self._source is not None:
            codec.load_state_dict(self._source.state_dict())
        if not self._run.codes_kept:
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
        if self._run.codes_kept:
            network.quantiser.eval()  # it learns in training mode
            with torch.no_grad():
                codes = network.encode(batch.poses)
            back, commitment = network.decode(codes), network.scale.new_zeros(())
        else:
            back, quantised = network(batch.poses)
            commitment = quantised.commitment
        scaled = batch.poses / network.scale, back / network.scale
        limit = torch.from_numpy(self._limit) / network.scale
        return reconstruction_losses(*scaled, commitment, limit, self._run.weights)

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
        card = codebook_card(facts, (MODEL_ID, LICENCE), self._trained, self._run.clips is not None)
        return card if self._run.source is None else card + FROM_OTHERS


def reconstruction_losses(
    poses: Tensor, back: Tensor, commitment: Tensor, limit: Tensor, weights: LossWeights
) -> dict[str, Tensor]:
    """Losses of motion [B, F, 6] that came back, and of second differences beyond `limit` [6]."""
    losses = {"pose": (poses.new_tensor(_AXES) * (back - poses).square()).mean()}
    for order, name in ((1, "velocity"), (2, "acceleration")):
        true = poses.diff(order, dim=1)
        error = (back.diff(order, dim=1) - true).square().mean((0, 1))
        losses[name] = (error / (true.square().mean((0, 1)) + 1e-8)).mean()
    excess = functional.relu(back.diff(2, dim=1).abs() - limit)
    losses["bend"] = (excess.square().mean((0, 1)) / poses.diff(2, dim=1).square().mean((0, 1))).mean()
    losses["spectrum"] = torch.stack(
        [(log_power(back, size) - log_power(poses, size)).abs().mean() for size in _SPANS]
    ).mean()
    losses["commitment"] = commitment
    total = losses["pose"] + sum(getattr(weights, name) * losses[name] for name in vars(weights))
    return {TOTAL: total, **losses}

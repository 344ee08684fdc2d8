"""Training the baselines of `evaluate pose`, on a bank as the codebook is trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from blender_addon.protocol.errors import InputError, ModelError
from blender_addon.protocol.tensorfile import read_tensors, write_tensors

from ..loop.config import LoopConfig, smoke
from ..loop.fit import fit
from ..loop.task import SCORE, TOTAL, RunFacts
from ..loop.yaml_config import aside
from .baseline_networks import BaselineShape, Regressor, WindowVae
from .data import HELD, TRAINED, BankConfig, PoseBank, pose_bank, read_bank

REGRESSOR, CVAE = "regressor", "cvae"
Baseline = Regressor | WindowVae
KINDS: Mapping[str, type[Regressor] | type[WindowVae]] = {REGRESSOR: Regressor, CVAE: WindowVae}
_HEADER = "vividtalk_baseline"
_STEPS = {REGRESSOR: 1200, CVAE: 4000}  # our choice: held-out voices gain little more
_CHECKED = 24  # windows of held-out voices


@dataclass(frozen=True)
class BaselineRun:
    """One training.

    Attributes:
        kind: one of `KINDS`. bank: folder of a pose bank.
        batch: windows of a batch, each of `frames` frames at 25 per second.
    """

    kind: str = REGRESSOR
    bank: Path = aside(Path("bank"))
    batch: int = 12
    frames: int = 192
    shape: BaselineShape = field(default_factory=BaselineShape)
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=1200, warm_up=100, learning_rate=1e-3, validate_every=300)
    )

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a baseline is one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.frames < self.shape.window + 2 * self.shape.margin:
            raise ValueError(f"{self.frames} frames hold no window with its margins")


def smoke_run(run: BaselineRun) -> BaselineRun:
    """`run` in seconds."""
    return replace(run, batch=2, loop=smoke(run.loop))


@dataclass(frozen=True)
class BaselineBatch:
    """heard: [B, F, HEARD]. styles: [B, 4]. motion: [B, F, 6] radians and metres."""

    heard: Tensor
    styles: Tensor
    motion: Tensor


class BaselineTask:
    """A baseline as a task of the training loop."""

    def __init__(self, run: BaselineRun) -> None:
        self.name = run.kind
        self._run = run
        self._trained, self._held = read_bank(run.bank, TRAINED), read_bank(run.bank, HELD)
        self._spread = torch.from_numpy(self._trained.scale)

    def network(self) -> Baseline:
        """A new network."""
        return KINDS[self._run.kind](self._run.shape, self._spread)

    def batch(self, step: int) -> BaselineBatch:
        """Batch `step`."""
        return self._drawn(self._trained, self._run.batch, np.random.default_rng([self._run.loop.seed, step]))

    def _drawn(self, bank: PoseBank, count: int, rng: np.random.Generator) -> BaselineBatch:
        found = bank.draw(count, self._run.frames, rng)
        return BaselineBatch(*(torch.from_numpy(part) for part in (found.heard, found.styles, found.poses)))

    def losses(self, network: nn.Module, batch: BaselineBatch) -> Mapping[str, Tensor]:
        """The total alone."""
        assert isinstance(network, Regressor | WindowVae)
        return {TOTAL: network.loss(batch.heard, batch.styles, batch.motion)}

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """The loss on held-out voices."""
        assert isinstance(network, Regressor | WindowVae)
        held = self._drawn(self._held, _CHECKED, np.random.default_rng(0))
        return {SCORE: -float(network.loss(held.heard, held.styles, held.motion))}

    def write(self, path: Path, network: nn.Module, facts: RunFacts) -> None:
        """Weights with their shape."""
        header = {"kind": self._run.kind, "shape": asdict(self._run.shape)}
        tensors = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
        write_tensors(path, tensors, {_HEADER: json.dumps(header)})

    def card(self, facts: RunFacts) -> str:
        """What a reader of the weights should know."""
        return (
            f"# {self._run.kind}\n\nA baseline to measure the head-pose codebook against; not shipped. "
            f"{facts.parameters:,} parameters, step {facts.step}, {facts.seconds / 60.0:.0f} minutes on "
            f"{facts.device}; negative loss on held-out voices {facts.scores[SCORE]:.4f}.\n\n"
            f"```yaml\n{facts.config}```\n"
        )


def usual_run(kind: str, bank: Path) -> BaselineRun:
    """The training that `evaluate pose` starts; minutes on one core."""
    run = BaselineRun(kind=kind, bank=bank)
    return replace(run, loop=replace(run.loop, steps=_STEPS[kind]))


def read_baseline(path: Path) -> Baseline:
    """The network in a file, in eval mode. Raises `ModelError`."""
    try:
        content = read_tensors(path)
        header = json.loads(content.metadata[_HEADER])
        tensors = {name: torch.from_numpy(array.copy()) for name, array in content.tensors.items()}
        network = KINDS[header["kind"]](BaselineShape(**header["shape"]), tensors["spread"])
        network.load_state_dict(tensors)
    except (InputError, KeyError, TypeError, ValueError, RuntimeError) as error:
        hint = "Delete the folder: baselines are then trained again"
        raise ModelError(f"{path} holds no baseline: {error}", hint) from error
    network.eval().requires_grad_(False)
    return network


def baseline_weights(kind: str, folder: Path, corpus: Path | None) -> Path:
    """The weights of a baseline in `folder`, trained there first where they are missing.

    The bank is FOLDER/bank: that of the codebook's training fits, or is made of `corpus`.

    Raises:
        InputError: something is missing and there is no corpus to make it of.
    """
    weights = folder / kind / f"{kind}.safetensors"
    if not weights.exists():
        bank = folder / "bank"
        if corpus is None and not bank.exists():
            raise InputError(f"{folder} has no {kind}", "Give --corpus: baselines are trained on its voices")
        if corpus is not None and not bank.exists():
            pose_bank(bank, corpus, BankConfig())
        run = usual_run(kind, bank)
        fit(BaselineTask(run), run, folder / kind)
    return weights

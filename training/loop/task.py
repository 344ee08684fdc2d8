"""What the training loop asks of a stage, and what it tells a stage about the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from torch import Tensor, nn

B = TypeVar("B")

TOTAL, SCORE = "total", "score"


@dataclass(frozen=True)
class Check:
    """One validation of the averaged weights, after `step` steps."""

    step: int
    scores: Mapping[str, float]

    @property
    def score(self) -> float:
        return self.scores[SCORE]


@dataclass(frozen=True)
class RunFacts:
    """What a run did until now, for the weights file and the model card.

    `seconds` differ between two runs of one configuration; everything else repeats on one machine.

    Attributes:
        step: the step of the weights that are kept.
        steps: the steps of the whole run.
        seconds: wall-clock time of the training so far, without interruptions.
        device, precision: where and how the network was computed.
        parameters: values that were trained.
        versions: package -> version.
        config: what decided the result, as YAML: the configuration without paths, threads and the like.
        scores: the validation of the weights that are kept.
        history: every validation so far, in order.
    """

    name: str
    step: int
    steps: int
    seconds: float
    device: str
    precision: str
    seed: int
    parameters: int
    versions: Mapping[str, str]
    config: str
    scores: Mapping[str, float]
    history: tuple[Check, ...]


class Task(Protocol[B]):
    """One stage's training.

    The loop seeds torch before each call, from the run's seed and the step alone, so that dropout and
    `torch.rand` repeat after a resume. NumPy's randomness is the task's own:
    np.random.default_rng([seed, step]).
    """

    name: str

    def network(self) -> nn.Module:
        """A fresh network on the CPU; the loop has seeded torch."""
        ...

    def batch(self, step: int) -> B:
        """Batch number `step`, on the CPU; depends on nothing but the task's configuration and `step`.

        With accumulation the loop asks for several per update: `step` counts batches, not updates.
        """
        ...

    def losses(self, network: nn.Module, batch: B) -> Mapping[str, Tensor]:
        """Scalar losses; `total` is minimised. Runs under autocast when the precision is mixed."""
        ...

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """Scores of the averaged network, in eval mode, without gradients; `score`: higher is better."""
        ...

    def write(self, path: Path, network: nn.Module, facts: RunFacts) -> None:
        """Write the weights file, a `.safetensors` that the product loads."""
        ...

    def card(self, facts: RunFacts) -> str:
        """The model card, Markdown."""
        ...

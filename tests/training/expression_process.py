"""`vividtalk train expression` in a process that a test kills. Importing prepares what every run needs."""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import torch

from backend.cli import main
from training.expression import ExpressionTask
from training.mouths import training_mouths

torch.set_num_threads(1)
training_mouths()


SMALL = {
    "channels": 16,
    "hearing_steps": 4,
    "hearing_scenes": 12,
    "development_share": 3,
    "batch.scenes": 2,
    "batch.frames": 64,
    "batch.solved": 2,
    "loop.warm_up": 2,
    "loop.validate_every": 5,
    "loop.state_every": 2,
    "loop.log_every": 1,
}


def command(corpus: Path, out: Path, settings: Mapping[str, object]) -> list[str]:
    """`train expression` on a corpus that is there."""
    changed = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return ["train", "expression", "--corpus", str(corpus), "-o", str(out), *changed]


def train_in_process(corpus: Path, out: Path, steps: int, begun: Synchronized[int]) -> None:
    class Counting(ExpressionTask):
        def batch(self, step):
            begun.value = step + 1
            return super().batch(step)

    import training.expression

    training.expression.ExpressionTask = Counting
    raise SystemExit(main(command(corpus, out, {**SMALL, "loop.steps": steps})))

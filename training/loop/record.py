"""What a run says while it goes on: TensorBoard curves and log lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter

_log = logging.getLogger(__name__)


class Record:
    """Curves in `folder`, going on after `step`; what an interrupted run wrote beyond it is dropped."""

    def __init__(self, folder: Path, step: int) -> None:
        _let_a_second_begin(folder)
        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def __enter__(self) -> Record:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.close()

    def add(self, group: str, values: Mapping[str, float], step: int) -> None:
        """One point of each curve GROUP/NAME, and a line in the log."""
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)
        _log.info("step %d %s: %s", step, group, ", ".join(f"{k} {v:.4g}" for k, v in values.items()))

    def flush(self) -> None:
        """Put the points on disk: a state must not be newer than its curves."""
        self._writer.flush()


def _let_a_second_begin(folder: Path) -> None:
    """TensorBoard orders files by the second in their names: wait until it is none of an older one's."""
    while any(folder.glob(f"events.out.tfevents.{int(time.time())}.*")):
        time.sleep(0.02)

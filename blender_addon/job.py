"""What the backend does for this Blender: what came of it, and how it ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .link import Cancelled, Chunk, Done, Event, Failed, Lost, Progress
from .protocol.errors import CancelledError, VividTalkError


class UndoneError(VividTalkError):
    """Undo or the user removed what a job was for."""


@dataclass(frozen=True)
class Notice:
    """A message for the user: `level` is INFO, WARNING or ERROR."""

    level: str
    text: str

    @property
    def sentence(self) -> str:
        """The text with a capital."""
        return self.text[:1].upper() + self.text[1:]


@dataclass(frozen=True)
class Desk:
    """What a job may use of its session.

    Attributes:
        folder: where clips of unsaved files go.
        writer: runs what takes long, outside the main thread.
        cancel: asks the backend to stop the job.
    """

    folder: Path
    writer: Executor
    cancel: Callable[[], None]


@dataclass(kw_only=True)
class Job(ABC):
    """A running job. Data-blocks are known by name or number only: undo may replace or remove them."""

    id: str
    phase: str = "Starting"
    fraction: float = 0.0
    ended: bool = False
    error: VividTalkError | None = None
    notice: Notice | None = field(default=None, init=False)

    def end(self, error: VividTalkError | None = None) -> None:
        """Nothing more will come; the first reason counts."""
        if not self.ended:
            self.ended, self.error = True, error

    def concerns(self, event: Event) -> bool:
        """True when `event` is about this job."""
        return self.id in event.jobs if isinstance(event, Lost) else getattr(event, "job", None) == self.id

    def apply(self, event: Event) -> None:
        """Take in an event of this job; what makes no sense ends it."""
        if self.ended:
            return
        try:
            match event:
                case Progress():
                    waiting = f"Waiting for {event.ahead} other job(s)" if event.ahead else ""
                    self.phase, self.fraction = waiting or event.phase, event.fraction
                case Chunk():
                    self.take_in(event)
                case Done():
                    self.conclude(event.result)
                    self.end()
                case Failed() | Lost():
                    self.end(event.error)
                case Cancelled():
                    self.end(CancelledError("cancelled"))
        except VividTalkError as error:
            self.end(error)

    @property
    @abstractmethod
    def title(self) -> str:
        """What the job is about, for messages."""

    @abstractmethod
    def take_in(self, chunk: Chunk) -> None:
        """Keep a chunk; raises `VividTalkError` for one that makes no sense."""

    @abstractmethod
    def conclude(self, result: Mapping[str, Any]) -> None:
        """Keep the result; raises `VividTalkError` for one that makes no sense."""

    @abstractmethod
    def step(self, desk: Desk, deadline: float) -> bool:
        """Edit the scene, until about `time.perf_counter()` is `deadline`; True when all is done.

        Then `notice` says how it ended.
        """

    @abstractmethod
    def rescue(self, desk: Desk) -> str:
        """Save what came, after an error of our own; a remark for the user, or ""."""

"""What a job's handler is given, and what a job is to the server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from blender_addon.protocol.tensorfile import Array

from .uploads import Inputs

_CHUNKS_AHEAD = 4  # chunks that a job may be ahead of its client's socket


class JobContext(Protocol):
    """A running job's way to report; all methods are called from the worker's thread."""

    def cancelled(self) -> bool:
        """True once nobody waits for the job any more."""

    def raise_if_cancelled(self) -> None:
        """Raise `CancelledError` once the job was cancelled; call it at least some times a second."""

    def progress(self, phase: str, fraction: float) -> None:
        """Report the phase in words and its fraction 0-1. Cheap; reports may be skipped for a slow client."""

    def chunk(self, start: int, arrays: Mapping[str, Array]) -> None:
        """Send arrays of frames `start`, `start + 1`, ... to the client.

        Waits while the client is slower than the job. Raises `CancelledError` once the job was cancelled.
        """


JobHandler = Callable[[Mapping[str, Any], Mapping[str, Array], JobContext], Mapping[str, Any]]
"""handler(params, arrays, context) -> result for the client, JSON-able and finite."""

JobKey = tuple[bytes, str]
"""The client's ZeroMQ identity and the id that it gave the job."""


@dataclass(eq=False)
class Job:
    """A job that has not ended. The server's thread owns it; the worker uses the two synchronised fields."""

    key: JobKey
    protocol: int
    kind: str
    params: Mapping[str, Any]
    inputs: Inputs
    ended: threading.Event = field(default_factory=threading.Event)
    credits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_CHUNKS_AHEAD))

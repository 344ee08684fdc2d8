"""What a `BackendClient` reports to its owner, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..protocol.errors import VividTalkError
from ..protocol.tensorfile import Array


@dataclass(frozen=True)
class Connected:
    """The backend answered the hello.

    `state` is `warming` while it still loads its models (jobs may be submitted and will wait), else `ready`.
    """

    server: str
    protocol: int
    state: str


@dataclass(frozen=True)
class Progress:
    """How far a job is: a phase for people, its fraction 0-1, and how many jobs go before it."""

    job: str
    phase: str
    fraction: float
    ahead: int = 0


@dataclass(frozen=True)
class Chunk:
    """Motion of frames `start`, `start + 1`, ...: arrays by name (`weights` [n, 52], `contact` [n, 2], ...).

    Chunks of a job arrive in order; `sequence` counts them from 0.
    """

    job: str
    sequence: int
    start: int
    arrays: Mapping[str, Array]


@dataclass(frozen=True)
class Done:
    """The job is complete: all its chunks have been reported. `result` is what the job's handler returned."""

    job: str
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Failed:
    """The job ended with an error that the backend named; the connection lives on."""

    job: str
    error: VividTalkError


@dataclass(frozen=True)
class Cancelled:
    """The job was cancelled; nothing more comes of it."""

    job: str


@dataclass(frozen=True)
class Lost:
    """The connection is over: the backend could not be started, refused us, died or fell silent.

    `jobs` had not ended. Nothing follows this event; the next job needs a new `BackendClient`.
    """

    error: VividTalkError
    jobs: tuple[str, ...]


Event = Connected | Progress | Chunk | Done | Failed | Cancelled | Lost

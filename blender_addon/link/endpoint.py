"""Where a backend listens, and who makes sure that one does."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ClientKeys:
    """CURVE keys, Z85 text of 40 characters each: the server's public key and this client's own pair."""

    server_public: str
    public: str
    secret: str


@dataclass(frozen=True)
class Endpoint:
    """A listening backend. `token` is the launch token on loopback; `keys` are for another machine."""

    host: str
    port: int
    token: str = ""
    keys: ClientKeys | None = None

    @property
    def address(self) -> str:
        """The ZeroMQ address, such as `tcp://127.0.0.1:50123`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


class Backend(Protocol):
    """Something that can be connected to: a `Supervisor` (own machine) or a `RemoteBackend`."""

    def ensure(self, stopping: threading.Event) -> Endpoint:
        """A living endpoint, starting a process where that is needed; called in the client's thread.

        Raises `VividTalkError` when there is none, and `BackendError` soon after `stopping` is set.
        """

    def alive(self) -> bool:
        """False as soon as the backend process is known to have ended."""


@dataclass(frozen=True)
class RemoteBackend:
    """A backend on another machine, started by somebody there."""

    endpoint: Endpoint

    def ensure(self, stopping: threading.Event) -> Endpoint:
        """The endpoint as it was given."""
        return self.endpoint

    def alive(self) -> bool:
        """True: only its silence can tell."""
        return True

"""The client side of the wire: a worker thread owns the socket; the owner's thread never waits.

client = BackendClient(Supervisor(command, handoff_path))
job = client.submit("animate", {"audio_path": "/line.wav", "fps": 25.0, "seed": 0})
for event in client.poll():     # from a timer, some times a second
    ...
client.close()                  # at unregister
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..protocol.tensorfile import Array
from .endpoint import Backend
from .events import Event


class BackendClient:
    """One connection to one backend.

    Its thread starts at once, obtains a living backend, says hello and keeps the lease by heartbeats.
    Every method returns at once, except `close` and a `poll` that is asked to wait. Jobs may be submitted
    before `Connected` was reported. After `Lost` the client is over; close it and make a new one.
    """

    def __init__(self, backend: Backend) -> None:
        raise NotImplementedError

    def submit(self, kind: str, params: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> str:
        """Queue a job and return its id. `arrays` (such as `samples`) are sent up in parts."""
        raise NotImplementedError

    def cancel(self, job: str) -> None:
        """Ask to cancel `job`; `Cancelled` follows within a second, unless it had already ended."""
        raise NotImplementedError

    def poll(self, limit: int = 64, wait: float = 0.0) -> list[Event]:
        """Up to `limit` events that came since the last call; waits up to `wait` seconds for the first."""
        raise NotImplementedError

    @property
    def lost(self) -> bool:
        """True once the connection is over, whether or not `Lost` was polled yet."""
        raise NotImplementedError

    def close(self, timeout: float = 3.0) -> None:
        """Say goodbye (unfinished jobs are cancelled), end the thread and free its socket."""
        raise NotImplementedError

"""The backend as a process: attach to a living one, start one on demand, stop it by a ladder."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from .endpoint import Endpoint


class Supervisor:
    """Finds or starts the backend that a handoff file names.

    `command` is the backend's command line without its subcommand, such as `["/venv/bin/vividtalk"]`.
    Make one per Blender session: it counts failed starts and crashes (at most 3 in 5 minutes).
    """

    def __init__(self, command: Sequence[str], handoff: Path, parent_pid: int | None = None) -> None:
        raise NotImplementedError

    def ensure(self, stopping: threading.Event) -> Endpoint:
        """A living backend's endpoint. Blocks for seconds: only for worker threads."""
        raise NotImplementedError

    def alive(self) -> bool:
        """False once the backend process has ended."""
        raise NotImplementedError

    def stop(self, patience: float = 3.0) -> None:
        """Stop the backend: ask, wait, terminate, kill. `BackendError` when other clients use it."""
        raise NotImplementedError

"""How long the service lives: clients' leases, the process that started it, and signals."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from blender_addon.protocol.process import pid_alive


class ParentWatch:
    """Tells whether the process that asked for this one has ended.

    A direct parent is watched by our own parent id, which changes when it ends even if its number is used
    again; any other process by its number.
    """

    def __init__(self, pid: int | None) -> None:
        self.pid = pid
        self._direct = sys.platform != "win32" and pid == os.getppid()

    def ended(self) -> bool:
        """True once the watched process has ended; never without one."""
        if self.pid is None:
            return False
        return os.getppid() != self.pid if self._direct else not pid_alive(self.pid)


@contextmanager
def stop_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on SIGINT and SIGTERM instead of their default, while the block runs in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        stop()

    previous = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)

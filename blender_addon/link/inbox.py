"""Events on their way from the client's thread to its owner."""

from __future__ import annotations

import threading
from collections import deque

from .events import Chunk, Event

_FULL_BYTES = 64 << 20


class Inbox:
    """A thread-safe queue of events that knows how many bytes of arrays it holds."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._nbytes = 0
        self._changed = threading.Condition()

    @property
    def full(self) -> bool:
        """True while so much waits that no more should be read from the socket."""
        return self._nbytes >= _FULL_BYTES

    def put(self, event: Event) -> None:
        """Add an event."""
        with self._changed:
            self._events.append(event)
            self._nbytes += _event_bytes(event)
            self._changed.notify()

    def take(self, limit: int, wait: float) -> list[Event]:
        """Up to `limit` events; waits up to `wait` seconds for the first."""
        with self._changed:
            if not self._events and wait > 0:
                self._changed.wait(wait)
            taken = [self._events.popleft() for _ in range(min(limit, len(self._events)))]
            self._nbytes -= sum(_event_bytes(event) for event in taken)
            return taken


def _event_bytes(event: Event) -> int:
    return sum(array.nbytes for array in event.arrays.values()) if isinstance(event, Chunk) else 0

"""The clients that hold a lease, and the messages that wait for their sockets."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import zmq

from blender_addon.protocol import limits
from blender_addon.protocol.sockets import Socket

from .jobs import Job

_MAX_OUTBOX = 64
_BUSY_OUTBOX = 8


@dataclass(eq=False)
class Client:
    """A welcomed client. Times are of the monotonic clock.

    `outbox` has messages that wait for the socket, each with the job that gets a credit back when it is sent.
    """

    identity: bytes
    pid: int
    protocol: int
    heard: float
    moved: float
    outbox: deque[tuple[list[bytes], Job | None]] = field(default_factory=deque)

    @property
    def busy(self) -> bool:
        """True while so much waits that reports of progress are left out."""
        return len(self.outbox) >= _BUSY_OUTBOX


class Clients:
    """Leases by ZeroMQ identity. `last_heard` is when any client, gone ones included, was last heard."""

    def __init__(self, socket: Socket, lease_seconds: float) -> None:
        self._socket = socket
        self._lease_seconds = lease_seconds
        self._clients: dict[bytes, Client] = {}
        self.last_heard: float | None = None

    def __iter__(self) -> Iterator[Client]:
        return iter(list(self._clients.values()))

    def __len__(self) -> int:
        return len(self._clients)

    def find(self, identity: bytes) -> Client | None:
        """The client that holds a lease under `identity`."""
        return self._clients.get(identity)

    def renew(self, client: Client) -> None:
        """Something came from `client`: its lease begins anew."""
        client.heard = self.last_heard = time.monotonic()

    def add(self, identity: bytes, pid: int, protocol: int) -> Client:
        """Give a lease."""
        now = self.last_heard = time.monotonic()
        client = self._clients[identity] = Client(identity, pid, protocol, now, now)
        return client

    def remove(self, client: Client) -> None:
        """End a lease; what waits for it is dropped."""
        self._clients.pop(client.identity, None)
        client.outbox.clear()

    def overdue(self) -> list[Client]:
        """Clients that fell silent, or that take nothing while something waits for them."""
        now = time.monotonic()
        silent = [c for c in self if now - c.heard > self._lease_seconds]
        stalled = [c for c in self if c.outbox and now - c.moved > limits.STALL_SECONDS]
        flooded = [c for c in self if len(c.outbox) > _MAX_OUTBOX]
        return [*{c.identity: c for c in (*silent, *stalled, *flooded)}.values()]

    def send(self, identity: bytes, frames: list[bytes]) -> bool:
        """Hand a message to ZeroMQ without waiting; False when the peer's buffer is full or it has gone."""
        try:
            self._socket.send_multipart([identity, *frames], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                raise
            return False
        return True

    def flush(self) -> None:
        """Send what waits, as far as the clients' buffers take it."""
        now = time.monotonic()
        for client in self:
            while client.outbox and self.send(client.identity, client.outbox[0][0]):
                _, credited = client.outbox.popleft()
                client.moved = now
                if credited is not None:
                    credited.credits.release()
            if not client.outbox:
                client.moved = now

    @property
    def waiting(self) -> bool:
        """True while messages wait for a client's socket."""
        return any(client.outbox for client in self._clients.values())

"""ZeroMQ socket settings and reading, the same on both sides; works with pyzmq 25 to 27."""

from __future__ import annotations

import socket as network
from typing import Any

import zmq

from . import limits
from .errors import ProtocolError

Socket = zmq.Socket[Any]

_TRANSPORT_PING_MS = 5_000
_TRANSPORT_DEAD_MS = 15_000


def configure(socket: Socket, host: str) -> None:
    """Bound what `socket` accepts and buffers, and let it notice dead connections. Before bind or connect."""
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, limits.MAX_FRAME_BYTES)
    socket.setsockopt(zmq.SNDHWM, limits.HIGH_WATER_MESSAGES)
    socket.setsockopt(zmq.RCVHWM, limits.HIGH_WATER_MESSAGES)
    socket.setsockopt(zmq.HANDSHAKE_IVL, int(limits.HELLO_SECONDS * 1000))
    socket.setsockopt(zmq.HEARTBEAT_IVL, _TRANSPORT_PING_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _TRANSPORT_DEAD_MS)
    if ":" in host:
        socket.setsockopt(zmq.IPV6, 1)


def receive_frames(socket: Socket) -> list[bytes]:
    """The frames of one message, without waiting.

    Raises:
        zmq.Again: no message is there.
        ProtocolError: it has too many frames or bytes; it has been read to its end and dropped.
    """
    frames = [socket.recv(zmq.NOBLOCK)]
    total, count = len(frames[0]), 1
    while socket.getsockopt(zmq.RCVMORE):
        frame = socket.recv(zmq.NOBLOCK)
        count, total = count + 1, total + len(frame)
        if count <= 1 + limits.MAX_ARRAYS and total <= limits.MAX_MESSAGE_BYTES:
            frames.append(frame)
    if len(frames) < count:
        raise ProtocolError(f"a message of {count} frames and {total} bytes is too large")
    return frames


class Wakeup:
    """Lets any thread end another thread's `zmq.Poller.poll`: register `fileno()`, call `notify()`."""

    def __init__(self) -> None:
        self._reader, self._writer = network.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """The descriptor to poll for reading."""
        return self._reader.fileno()

    def notify(self) -> None:
        """Wake the poller. From any thread, or a signal handler; does nothing once closed."""
        try:
            self._writer.send(b"\0")
        except OSError:  # a full pipe wakes it as well; a closed one has nobody to wake
            return

    def drain(self) -> None:
        """Take the wake-ups that have come."""
        try:
            while self._reader.recv(4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Free both ends."""
        self._reader.close()
        self._writer.close()

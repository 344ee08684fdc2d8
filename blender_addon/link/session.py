"""The loop of the client's thread on a welcomed socket: send, receive, keep the lease, notice the end."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import zmq

from ..protocol import limits
from ..protocol.bodies import (
    ErrorBody,
    HeartbeatBody,
    RefusedBody,
    SubmitBody,
    UploadBody,
    WelcomeBody,
    body_json,
    error_from,
    read_body,
)
from ..protocol.errors import BackendError, ProtocolError
from ..protocol.messages import Message, MessageType, decode, describe, encode, spec_json
from ..protocol.sockets import Socket, Wakeup, receive_frames
from ..protocol.tensorfile import Array
from .events import Failed
from .inbox import Inbox
from .ledger import Ledger

_TURN_MS = 200
_MESSAGES_PER_TURN = 64


@dataclass(frozen=True)
class Submit:
    """A job to send, with its input arrays."""

    job: str
    kind: str
    params: Mapping[str, Any]
    arrays: Mapping[str, Array]


@dataclass(frozen=True)
class Cancel:
    """A job to cancel."""

    job: str


@dataclass(frozen=True)
class Desk:
    """What the client's thread shares with its owner."""

    commands: queue.SimpleQueue[Submit | Cancel]
    inbox: Inbox
    ledger: Ledger
    wakeup: Wakeup
    stopping: threading.Event


class Session:
    """A welcomed connection; used by the client's thread only."""

    def __init__(self, socket: Socket, welcome: WelcomeBody, desk: Desk) -> None:
        self._socket = socket
        self._protocol = welcome.protocol
        self._state = welcome.state
        self._desk = desk
        self._ids = itertools.count(2)  # hello was 1
        self._urgent: deque[list[bytes]] = deque()
        self._jobs: deque[tuple[str, Iterator[list[bytes]]]] = deque()
        self._heard = time.monotonic()
        self._next_heartbeat = self._heard

    def run(self, alive: Callable[[], bool]) -> None:
        """Serve until the owner stops us (a return) or the connection ends (a `VividTalkError`)."""
        while not self._desk.stopping.is_set():
            was_alive = alive()
            self._wait()
            self._take_commands()
            self._keep_lease()
            self._send()
            if not self._receive():
                continue
            if not was_alive:
                raise BackendError(
                    "the backend process ended unexpectedly", "The next job starts a new one; see its log"
                )
            self._check_silence()
        self._urgent.clear()
        self._post(MessageType.BYE, {})
        self._send()

    def _check_silence(self) -> None:
        warming = self._state == "warming"
        patience = limits.WARMING_SILENCE_SECONDS if warming else limits.SILENCE_SECONDS
        if time.monotonic() - self._heard > patience:
            raise BackendError(f"the backend has been silent for {patience:.0f} s", "Stop it and try again")

    def _wait(self) -> None:
        poller = zmq.Poller()
        poller.register(self._desk.wakeup.fileno(), zmq.POLLIN)
        flags = 0 if self._desk.inbox.full else zmq.POLLIN
        if self._urgent or self._jobs:
            flags |= zmq.POLLOUT
        if flags:
            poller.register(self._socket, flags)
        poller.poll(_TURN_MS)
        self._desk.wakeup.drain()

    def _take_commands(self) -> None:
        while not self._desk.commands.empty():
            command = self._desk.commands.get()
            if isinstance(command, Submit):
                self._jobs.append((command.job, self._job_frames(command)))
            else:
                self._withdraw(command.job)

    def _withdraw(self, job: str) -> None:
        self._jobs = deque(entry for entry in self._jobs if entry[0] != job)
        self._post(MessageType.CANCEL, {}, job)

    def _keep_lease(self) -> None:
        if time.monotonic() >= self._next_heartbeat:
            self._next_heartbeat = time.monotonic() + limits.HEARTBEAT_SECONDS
            if not self._urgent:
                self._post(MessageType.HEARTBEAT, body_json(HeartbeatBody()))

    def _send(self) -> None:
        """Send what waits, as far as the socket takes it: short messages first, then jobs in their order."""
        try:
            while self._urgent:
                self._socket.send_multipart(self._urgent[0], zmq.NOBLOCK)
                self._urgent.popleft()
            for _ in range(_MESSAGES_PER_TURN):
                if not self._jobs or not self._socket.poll(0, zmq.POLLOUT):
                    return
                frames = next(self._jobs[0][1], None)
                if frames is None:
                    self._jobs.popleft()
                else:
                    self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return

    def _receive(self) -> bool:
        """Take what has come, a turn's worth at most; True when nothing is left."""
        for _ in range(_MESSAGES_PER_TURN):
            if self._desk.inbox.full:
                return False
            try:
                frames = receive_frames(self._socket)
            except zmq.Again:
                return True
            self._heard = time.monotonic()
            self._take(decode(frames))
        return False

    def _take(self, message: Message) -> None:
        if message.type is MessageType.REFUSED:
            refused = read_body(RefusedBody, message.body)
            raise error_from(refused.code, refused.message, refused.hint)
        if message.protocol != self._protocol:
            raise ProtocolError(f"protocol {self._protocol} was agreed, {message.protocol} came")
        if message.type is MessageType.BYE:
            raise BackendError("the backend was stopped", "The next job starts it again")
        if message.type is MessageType.ERROR and not message.job:
            error = read_body(ErrorBody, message.body)
            raise error_from(error.code, error.message, error.hint)
        if message.type is MessageType.HEARTBEAT:
            self._state = read_body(HeartbeatBody, message.body).state
        else:
            self._tell(message)

    def _tell(self, message: Message) -> None:
        event = self._desk.ledger.event(message)
        if event is None:
            return
        if isinstance(event, Failed):
            self._withdraw(event.job)
        self._desk.inbox.put(event)

    def _post(self, kind: MessageType, body: Mapping[str, Any], job: str = "") -> None:
        self._urgent.append(self._frames(kind, body, job))

    def _frames(
        self, kind: MessageType, body: Mapping[str, Any], job: str, arrays: Mapping[str, Array] | None = None
    ) -> list[bytes]:
        return encode(Message(kind, body, arrays or {}, job, next(self._ids), self._protocol))

    def _job_frames(self, command: Submit) -> Iterator[list[bytes]]:
        inputs = [spec_json(describe(name, array)) for name, array in command.arrays.items()]
        body = SubmitBody(command.kind, command.params, inputs)
        yield self._frames(MessageType.SUBMIT, body_json(body), command.job)
        for name, array in command.arrays.items():
            flat = np.ascontiguousarray(array).reshape(-1)
            step = max(1, limits.UPLOAD_PART_BYTES // flat.itemsize)
            for offset in range(0, flat.size, step):
                part = {name: flat[offset : offset + step]}
                yield self._frames(MessageType.UPLOAD, body_json(UploadBody(offset)), command.job, part)

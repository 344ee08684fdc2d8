"""The server's loop: it talks to clients and never computes; `worker.py` does."""

from __future__ import annotations

import hmac
import itertools
import logging
import os
import queue
import time
from collections.abc import Mapping
from typing import Any

import zmq

from blender_addon.protocol import limits
from blender_addon.protocol.bodies import (
    HeartbeatBody,
    HelloBody,
    RefusedBody,
    WelcomeBody,
    body_json,
    choose_protocol,
    error_body,
    read_body,
)
from blender_addon.protocol.errors import AuthError, BackendError, ProtocolError, VividTalkError
from blender_addon.protocol.handoff import Handoff, remove_handoff, write_handoff
from blender_addon.protocol.messages import Message, MessageType, decode, encode
from blender_addon.protocol.sockets import Socket, Wakeup, configure, receive_frames

from .clients import Client, Clients
from .config import ServeConfig
from .curve import Doorkeeper
from .jobs import JobHandler
from .lifetime import ParentWatch, stop_signals
from .schedule import Schedule
from .worker import Output, Report, Worker

_log = logging.getLogger(__name__)

_FIRST_CLIENT_SECONDS = 15.0
_TICK_SECONDS = 0.25
_RETRY_SECONDS = 0.02
_MESSAGES_PER_TURN = 256
_GOODBYE_SECONDS = 1.0
_LINGER_MS = 300


def serve(handlers: Mapping[str, JobHandler], config: ServeConfig) -> None:
    """Serve until the last lease has ended, the parent has gone, or SIGINT or SIGTERM comes.

    Handlers and `config.warm_up` run in one worker thread; clients are answered before they are first called.

    Raises:
        BackendError: the address is in use or cannot be listened on.
        OutputError: the handoff cannot be written.
    """
    server = Server(handlers, config)
    try:
        with stop_signals(server.stop):
            server.run()
    finally:
        server.close()


class Server:
    """One listening service; made, run and closed in one thread. `stop` may be called from any."""

    def __init__(self, handlers: Mapping[str, JobHandler], config: ServeConfig) -> None:
        self._config = config
        self._ids = itertools.count(1)
        self._reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._parent = ParentWatch(config.parent_pid)
        self._stopping = False
        self._handoff: Handoff | None = None
        self._wakeup = Wakeup()
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket: Socket = self._context.socket(zmq.ROUTER)
        self._doorkeeper: Doorkeeper | None = None
        self._clients = Clients(self._socket, config.lease_seconds)
        self._worker = Worker(handlers, self._report, self._ids)
        self._schedule = Schedule(handlers.keys(), self._clients, self._send, self._worker.start)

    def stop(self) -> None:
        """Make `run` return soon."""
        self._stopping = True
        self._wakeup.notify()

    def run(self) -> None:
        """Listen, write the handoff, and serve until there is nobody left to serve."""
        port = self._bind()
        self._say_where(port)
        if self._config.warm_up is not None:
            self._schedule.warming = True
            self._worker.warm_up(self._config.warm_up)
        self._loop()

    def close(self) -> None:
        """Say goodbye, remove the handoff and free everything."""
        if self._handoff is not None and self._config.handoff_path is not None:
            remove_handoff(self._config.handoff_path, self._handoff)
        self._schedule.end_all()
        for client in self._clients:
            self._send(client, MessageType.BYE, "", {})
        self._clients.flush()
        self._socket.close(linger=_LINGER_MS)
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        self._context.term()
        self._worker.stop(_GOODBYE_SECONDS)
        self._wakeup.close()

    def _bind(self) -> int:
        host = "127.0.0.1" if self._config.host == "localhost" else self._config.host
        configure(self._socket, host)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        if self._config.keys is not None:
            self._doorkeeper = Doorkeeper(self._context, self._config.keys)
            self._doorkeeper.guard(self._socket)
        place = f"[{host}]" if ":" in host else host
        try:
            self._socket.bind(f"tcp://{place}:{self._config.port or '*'}")
        except zmq.ZMQError as error:
            raise BackendError(
                f"cannot listen on {host}:{self._config.port}: {error.strerror}",
                "Choose another port, or stop the program that uses it",
            ) from error
        endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        return int(endpoint.rstrip("\0").rpartition(":")[2])

    def _say_where(self, port: int) -> None:
        host, path = self._config.host, self._config.handoff_path
        _log.info("listening on %s:%d, process %d", host, port, os.getpid())
        if path is not None:
            handoff = Handoff(host, port, os.getpid(), limits.PROTOCOL_MAX, self._config.token)
            write_handoff(path, handoff)
            self._handoff = handoff

    def _report(self, report: Report) -> None:
        self._reports.put(report)
        self._wakeup.notify()

    def _loop(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        if self._doorkeeper is not None:
            poller.register(self._doorkeeper.socket, zmq.POLLIN)
        started = time.monotonic()
        next_tick = started
        while not self._stopping and not self._deserted(started):
            wait = _RETRY_SECONDS if self._clients.waiting else _TICK_SECONDS
            ready = dict(poller.poll(int(wait * 1000)))
            if self._doorkeeper is not None and self._doorkeeper.socket in ready:
                self._doorkeeper.answer()
            self._wakeup.drain()
            self._receive()
            self._take_reports()
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + limits.HEARTBEAT_SECONDS
                self._tick()
            self._clients.flush()
            self._end_overdue()

    def _deserted(self, started: float) -> bool:
        """True when nobody needs this process any more."""
        if self._config.stay or len(self._clients):
            return False
        if self._parent.ended():
            return True
        heard = self._clients.last_heard
        if heard is None:
            return time.monotonic() - started > _FIRST_CLIENT_SECONDS
        return time.monotonic() - heard > self._config.lease_seconds

    def _tick(self) -> None:
        if self._parent.ended():
            for client in self._clients:
                if client.pid == self._parent.pid:
                    self._forget(client, "its process has ended")
        body = body_json(HeartbeatBody(self._state))
        for client in self._clients:
            if not client.outbox:
                frames = self._frames(MessageType.HEARTBEAT, client.protocol, "", body)
                self._clients.send(client.identity, frames)

    def _end_overdue(self) -> None:
        for client in self._clients.overdue():
            self._forget(client, "it fell silent or takes nothing")

    def _forget(self, client: Client, why: str) -> None:
        _log.info("client of process %d goes: %s", client.pid, why)
        self._clients.remove(client)
        self._schedule.drop(client)

    @property
    def _state(self) -> str:
        return "warming" if self._schedule.warming else "ready"

    def _take_reports(self) -> None:
        while not self._reports.empty():
            report = self._reports.get()
            if isinstance(report, Output):
                self._schedule.output(report)
            else:
                self._schedule.idle(report)

    def _receive(self) -> None:
        for _ in range(_MESSAGES_PER_TURN):
            try:
                identity = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._take(identity)

    def _take(self, identity: bytes) -> None:
        """Read and answer one message; strangers are refused, clients that break the protocol go."""
        client = self._clients.find(identity)
        try:
            frames = receive_frames(self._socket)
            if client is None:
                self._greet(identity, decode(frames, limits.MAX_HELLO_BYTES))
            else:
                self._hear(client, decode(frames))
        except VividTalkError as error:
            if client is None:
                self._refuse(identity, error)
            else:
                self._send(client, MessageType.ERROR, "", error_body(error))
                self._clients.flush()
                self._forget(client, error.what)

    def _refuse(self, identity: bytes, error: VividTalkError) -> None:
        body = body_json(RefusedBody(error.code, error.what, error.hint))
        self._clients.send(identity, self._frames(MessageType.REFUSED, limits.PROTOCOL_MAX, "", body))

    def _greet(self, identity: bytes, message: Message) -> None:
        if message.type is not MessageType.HELLO:
            raise AuthError("no hello has been said, or the lease has ended", "Connect again")
        hello = read_body(HelloBody, message.body)
        protocol = choose_protocol(hello)
        shown = hello.token.encode("utf-8", "surrogatepass")
        if self._config.keys is None and not hmac.compare_digest(shown, self._config.token.encode()):
            raise AuthError("the launch token is wrong", "Restart the backend")
        if len(self._clients) >= limits.MAX_CLIENTS:
            raise BackendError(f"the backend already has {len(self._clients)} clients", "Close some")
        client = self._clients.add(identity, hello.pid, protocol)
        body = body_json(WelcomeBody(protocol, self._config.version, self._state))
        self._send(client, MessageType.WELCOME, "", body)

    def _hear(self, client: Client, message: Message) -> None:
        """Do what a client asks; what cannot be done is answered, what may not be is raised."""
        self._clients.renew(client)
        try:
            self._dispatch(client, message)
        except ProtocolError:
            raise
        except VividTalkError as error:
            self._send(client, MessageType.ERROR, message.job, error_body(error, message.id))

    def _dispatch(self, client: Client, message: Message) -> None:
        if message.protocol != client.protocol:
            raise ProtocolError(f"protocol {client.protocol} was agreed, {message.protocol} came")
        match message.type:
            case MessageType.HEARTBEAT:
                return
            case MessageType.SUBMIT:
                self._schedule.submit(client, message)
            case MessageType.UPLOAD:
                self._schedule.upload(client, message)
            case MessageType.CANCEL:
                self._schedule.cancel(client, message.job)
            case MessageType.BYE:
                self._forget(client, "it said goodbye")
            case MessageType.SHUTDOWN:
                self._shut_down()
            case _:
                raise ProtocolError(f"a client may not send {message.type}")

    def _shut_down(self) -> None:
        others = len(self._clients) - 1
        if others:
            raise BackendError(f"the backend serves {others} other client(s)", "Close them first")
        self.stop()

    def _send(self, client: Client, kind: MessageType, job: str, body: Mapping[str, Any]) -> None:
        client.outbox.append((self._frames(kind, client.protocol, job, body), None))

    def _frames(self, kind: MessageType, protocol: int, job: str, body: Mapping[str, Any]) -> list[bytes]:
        return encode(Message(kind, body, {}, job, next(self._ids), protocol))

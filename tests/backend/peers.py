"""Test doubles of both ends of the wire: raw sockets that send whatever a test wants."""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from backend.service import JobHandler, ServeConfig
from backend.service.server import Server
from blender_addon.link import Endpoint, Event
from blender_addon.link.client import BackendClient
from blender_addon.protocol.handoff import read_handoff
from blender_addon.protocol.messages import Message, MessageType, decode, encode

DUMMY = (sys.executable, str(Path(__file__).with_name("dummy_backend.py")))
TOKEN = "a token for tests"


class Peer:
    """A client made by hand."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._context: zmq.Context[Any] = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(endpoint.address)

    def raw(self, *frames: bytes) -> None:
        self.socket.send_multipart(list(frames))

    def send(
        self,
        kind: MessageType,
        body: Mapping[str, Any] | None = None,
        job: str = "",
        arrays: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.raw(*encode(Message(kind, body or {}, arrays or {}, job, 7, 1)))

    def hello(self, **changes: Any) -> None:
        body = {"protocol_min": 1, "protocol_max": 1, "token": self.endpoint.token, "pid": 0} | changes
        self.send(MessageType.HELLO, body)

    def receive(self, seconds: float = 10.0) -> Message:
        """The next message that is not a heartbeat."""
        deadline = time.monotonic() + seconds
        while self.socket.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            message = decode(self.socket.recv_multipart())
            if message.type is not MessageType.HEARTBEAT:
                return message
        raise TimeoutError(f"no message in {seconds} s")

    def until(self, kind: MessageType, seconds: float = 10.0) -> Message:
        """The next message of `kind`, dropping others."""
        while (message := self.receive(seconds)).type is not kind:
            pass
        return message

    def welcomed(self) -> Peer:
        self.hello()
        assert self.receive().type is MessageType.WELCOME
        return self

    def close(self) -> None:
        self.socket.close()
        self._context.term()


@contextmanager
def peer(endpoint: Endpoint) -> Iterator[Peer]:
    one = Peer(endpoint)
    try:
        yield one
    finally:
        one.close()


@contextmanager
def running(handlers: Mapping[str, JobHandler], config: ServeConfig, folder: Path) -> Iterator[Endpoint]:
    """A server in a thread of this process; fails when its loop raised."""
    path = config.handoff_path or folder / "backend.json"
    results: queue.Queue[Server | BaseException] = queue.Queue()

    def body() -> None:
        server = Server(handlers, config)
        results.put(server)
        try:
            server.run()
        except BaseException as error:
            results.put(error)
        finally:
            server.close()

    thread = threading.Thread(target=body)
    thread.start()
    server = results.get(timeout=5)
    assert isinstance(server, Server)
    try:
        wait_for(path.exists)
        handoff = read_handoff(path)
        assert handoff is not None
        yield Endpoint(handoff.host, handoff.port, handoff.token)
    finally:
        server.stop()
        thread.join(10)
    assert not thread.is_alive()
    assert results.empty(), results.get()


class FakeServer:
    """A backend made by hand: a ROUTER socket that answers as a test says."""

    def __init__(self) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        self.socket = self._context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = Endpoint("127.0.0.1", port, TOKEN)
        self.client = b""

    def receive(self, kind: MessageType, seconds: float = 10.0) -> Message:
        """The next message of `kind`."""
        deadline = time.monotonic() + seconds
        while self.socket.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            self.client, *frames = self.socket.recv_multipart()
            message = decode(frames)
            if message.type is kind:
                return message
        raise TimeoutError(f"no {kind} in {seconds} s")

    def raw(self, *frames: bytes) -> None:
        self.socket.send_multipart([self.client, *frames])

    def send(
        self,
        kind: MessageType,
        body: Mapping[str, Any] | None = None,
        job: str = "",
        arrays: Mapping[str, np.ndarray] | None = None,
        protocol: int = 1,
    ) -> None:
        self.raw(*encode(Message(kind, body or {}, arrays or {}, job, 9, protocol)))

    def welcome(self) -> None:
        self.receive(MessageType.HELLO)
        self.send(MessageType.WELCOME, {"protocol": 1, "server": "fake", "state": "ready"})

    def close(self) -> None:
        self.socket.close()
        self._context.term()


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return once `condition()` holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.02)


def events_until(client: BackendClient, *kinds: type, seconds: float = 10.0) -> list[Event]:
    """All events up to and with the first of `kinds`."""
    deadline = time.monotonic() + seconds
    events: list[Event] = []
    while time.monotonic() < deadline:
        for event in client.poll(limit=1, wait=0.1):
            events.append(event)
            if isinstance(event, kinds):
                return events
    raise AssertionError(f"none of {kinds} in {seconds} s, only {events}")


def header(**changes: Any) -> bytes:
    """A header frame with some fields changed; `...` removes one."""
    fields = {"protocol": 1, "id": 1, "job": "", "type": "heartbeat", "arrays": [], "body": {}} | changes
    return json.dumps({key: value for key, value in fields.items() if value is not ...}).encode()

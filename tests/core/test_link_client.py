"""The client against a backend made by hand, which misbehaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from blender_addon.link import (
    BackendClient,
    Cancelled,
    Chunk,
    Connected,
    Done,
    Endpoint,
    Event,
    Failed,
    Lost,
    Progress,
    RemoteBackend,
)
from blender_addon.link import inbox as inbox_module
from blender_addon.protocol import limits
from blender_addon.protocol.errors import (
    AuthError,
    BackendError,
    InputError,
    MediaError,
    ProtocolError,
    VersionError,
    VividTalkError,
)
from blender_addon.protocol.messages import MessageType
from tests.backend.peers import FakeServer, events_until, header


@dataclass
class Process:
    """A backend whose process a test can end."""

    endpoint: Endpoint
    running: bool = True
    started: threading.Event = field(default_factory=threading.Event)

    def ensure(self, stopping: threading.Event) -> Endpoint:
        self.started.set()
        return self.endpoint

    def alive(self) -> bool:
        return self.running


@pytest.fixture
def server() -> Iterator[FakeServer]:
    one = FakeServer()
    yield one
    one.close()


@pytest.fixture
def process(server: FakeServer) -> Process:
    return Process(server.endpoint)


@pytest.fixture
def client(process: Process) -> Iterator[BackendClient]:
    threads = threading.active_count()
    one = BackendClient(process)
    yield one
    one.close()
    assert threading.active_count() == threads, "the client's thread has ended"


def lost(client: BackendClient, seconds: float = 5.0) -> Lost:
    last = events_until(client, Lost, seconds=seconds)[-1]
    assert isinstance(last, Lost)
    assert client.lost
    assert client.poll() == [], "nothing follows"
    return last


def test_a_job_from_hello_to_done(server: FakeServer, client: BackendClient) -> None:
    job = client.submit("animate", {"fps": 25.0})
    hello = server.receive(MessageType.HELLO)
    assert hello.body["token"] == server.endpoint.token
    assert set(hello.body) == {"token", "pid", "protocol_min", "protocol_max"}
    assert (hello.body["protocol_min"], hello.body["protocol_max"]) == (1, 1)
    server.send(MessageType.WELCOME, {"protocol": 1, "server": "fake", "state": "warming"})
    submit = server.receive(MessageType.SUBMIT)
    assert (submit.job, submit.body) == (job, {"kind": "animate", "params": {"fps": 25.0}, "inputs": []})
    weights = np.random.default_rng(0).random((7, 52), np.float32)
    server.send(MessageType.PROGRESS, {"phase": "listening", "fraction": 0.25, "ahead": 0}, job)
    server.send(MessageType.CHUNK, {"sequence": 0, "start": 0}, job, {"weights": weights})
    server.send(MessageType.CHUNK, {"sequence": 1, "start": 7}, job, {"weights": weights})
    server.send(MessageType.DONE, {"result": {"fps": 25.0}, "chunks": 2}, job)
    events = events_until(client, Done)
    assert events[:2] == [Connected("fake", 1, "warming"), Progress(job, "listening", 0.25)]
    chunks = [event for event in events if isinstance(event, Chunk)]
    assert [chunk.start for chunk in chunks] == [0, 7]
    np.testing.assert_array_equal(chunks[0].arrays["weights"], weights)
    assert events[-1] == Done(job, {"fps": 25.0})


def test_uploads_arrive_whole_and_in_order(server: FakeServer, client: BackendClient) -> None:
    samples = np.arange(600_001, dtype=np.float32)
    stereo = np.asfortranarray(np.arange(6, dtype=np.int16).reshape(3, 2))
    client.submit("animate", {}, {"samples": samples, "empty": np.zeros(0, np.float32), "stereo": stereo})
    server.welcome()
    inputs = server.receive(MessageType.SUBMIT).body["inputs"]
    assert [(i["name"], i["shape"]) for i in inputs] == [
        ("samples", [600_001]),
        ("empty", [0]),
        ("stereo", [3, 2]),
    ]
    parts: list[np.ndarray] = []
    while sum(part.size for part in parts) < samples.size:
        message = server.receive(MessageType.UPLOAD)
        assert message.body == {"offset": sum(part.size for part in parts)}
        assert message.arrays["samples"].nbytes <= limits.UPLOAD_PART_BYTES
        parts.append(message.arrays["samples"])
    np.testing.assert_array_equal(np.concatenate(parts), samples)
    last = server.receive(MessageType.UPLOAD)
    assert last.arrays["stereo"].tolist() == [0, 1, 2, 3, 4, 5]


def test_heartbeats_go_out(server: FakeServer, client: BackendClient) -> None:
    server.welcome()
    server.receive(MessageType.HEARTBEAT)
    server.receive(MessageType.HEARTBEAT)


def test_close_says_goodbye(server: FakeServer, client: BackendClient) -> None:
    server.welcome()
    events_until(client, Connected)
    client.close()
    server.receive(MessageType.BYE)
    with pytest.raises(BackendError):
        client.submit("animate", {})


def test_cancel(server: FakeServer, client: BackendClient) -> None:
    job = client.submit("animate", {})
    server.welcome()
    server.receive(MessageType.SUBMIT)
    client.cancel(job)
    assert server.receive(MessageType.CANCEL).job == job
    server.send(MessageType.CANCELLED, {}, job)
    server.send(MessageType.CHUNK, {"sequence": 0, "start": 0}, job, {"weights": np.zeros(3)})
    server.send(MessageType.DONE, {"result": {}, "chunks": 1}, job)
    assert events_until(client, Cancelled, Chunk, Done)[-1] == Cancelled(job)
    time.sleep(0.1)
    assert client.poll() == [], "nothing comes of a cancelled job"


def test_cancel_withdraws_what_was_not_sent(server: FakeServer, client: BackendClient) -> None:
    job = client.submit("animate", {}, {"samples": np.zeros(1000, np.float32)})
    client.cancel(job)
    server.welcome()
    assert server.receive(MessageType.CANCEL).job == job
    with pytest.raises(TimeoutError):
        server.receive(MessageType.UPLOAD, 0.3)


def test_errors_fail_the_job_only(server: FakeServer, client: BackendClient) -> None:
    job = client.submit("animate", {})
    server.welcome()
    server.receive(MessageType.SUBMIT)
    error = {"code": "media", "message": "it is empty", "hint": "try another", "reply_to": 2}
    server.send(MessageType.ERROR, error, job)
    failed = events_until(client, Failed)[-1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, MediaError)
    assert (failed.job, str(failed.error)) == (job, "it is empty. try another")
    assert not client.lost


@pytest.mark.parametrize("sequence", [1, 2, 5])
def test_a_gap_in_the_chunks_fails_the_job(server: FakeServer, client: BackendClient, sequence: int) -> None:
    job = client.submit("animate", {})
    server.welcome()
    server.receive(MessageType.SUBMIT)
    server.send(MessageType.CHUNK, {"sequence": sequence, "start": 0}, job, {"weights": np.zeros(3)})
    failed = events_until(client, Failed, Chunk)[-1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ProtocolError)
    assert server.receive(MessageType.CANCEL).job == job
    assert not client.lost


def test_a_missing_last_chunk_fails_the_job(server: FakeServer, client: BackendClient) -> None:
    job = client.submit("animate", {})
    server.welcome()
    server.send(MessageType.DONE, {"result": {}, "chunks": 1}, job)
    assert isinstance(events_until(client, Failed, Done)[-1], Failed)


@pytest.mark.parametrize(
    ("code", "kind"), [("version", VersionError), ("auth", AuthError), ("from the future", VividTalkError)]
)
def test_refusals_are_reported(
    server: FakeServer, client: BackendClient, code: str, kind: type[VividTalkError]
) -> None:
    job = client.submit("animate", {})
    server.receive(MessageType.HELLO)
    body = {"code": code, "message": "no", "hint": "do so", "protocol_min": 5, "protocol_max": 9}
    server.send(MessageType.REFUSED, body, protocol=9)
    event = lost(client)
    assert type(event.error) is kind
    assert event.jobs == (job,)


def test_a_server_that_never_answers(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HELLO_SECONDS", 0.5)
    client = BackendClient(RemoteBackend(server.endpoint))
    assert "no backend answers" in str(lost(client).error)
    client.close()


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HELLO_SECONDS", 0.5)
    client = BackendClient(RemoteBackend(Endpoint("127.0.0.1", 1, "x")))
    assert "127.0.0.1:1" in str(lost(client).error)
    client.close()


def test_an_impossible_address() -> None:
    client = BackendClient(RemoteBackend(Endpoint("no such host ", 1, "x")))
    assert isinstance(lost(client).error, InputError)
    client.close()


def test_silence_after_hello(
    server: FakeServer, client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SILENCE_SECONDS", 0.7)
    job = client.submit("animate", {})
    server.welcome()
    event = lost(client)
    assert "silent" in str(event.error)
    assert event.jobs == (job,)


def test_more_patience_while_it_warms_up(
    server: FakeServer, client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SILENCE_SECONDS", 0.3)
    server.receive(MessageType.HELLO)
    server.send(MessageType.WELCOME, {"protocol": 1, "server": "fake", "state": "warming"})
    events_until(client, Connected)
    time.sleep(0.8)
    assert not client.lost
    server.send(MessageType.HEARTBEAT, {"state": "ready"})
    assert "silent" in str(lost(client).error)


def test_a_dead_process_is_noticed_at_once_and_its_last_chunks_are_kept(
    server: FakeServer, process: Process, client: BackendClient
) -> None:
    job = client.submit("animate", {})
    server.welcome()
    events_until(client, Connected)
    for index in range(5):
        server.send(MessageType.CHUNK, {"sequence": index, "start": index}, job, {"weights": np.zeros(3)})
    process.running = False
    events = events_until(client, Lost, seconds=1.0)
    assert [type(event) for event in events] == [Chunk] * 5 + [Lost]


@pytest.mark.parametrize(
    "frames",
    [
        [b"garbage"],
        [b""],
        [header(type="from the future")],
        [header(type="hello")],
        [header(protocol=2)],
        [header(), b"surplus"],
        [header(type="welcome")],
        [b"x"] * 100,
    ],
)
def test_a_broken_server_ends_the_connection(
    server: FakeServer, client: BackendClient, frames: list[bytes]
) -> None:
    job = client.submit("animate", {})
    server.welcome()
    events_until(client, Connected)
    server.raw(*frames)
    event = lost(client)
    assert isinstance(event.error, ProtocolError)
    assert event.jobs == (job,)


def test_a_stopped_server_says_so(server: FakeServer, client: BackendClient) -> None:
    server.welcome()
    server.send(MessageType.BYE)
    assert "was stopped" in str(lost(client).error)


def test_a_backend_that_cannot_be_started() -> None:
    class Broken:
        def ensure(self, stopping: threading.Event) -> Endpoint:
            raise BackendError("it did not start", "see the log")

        def alive(self) -> bool:
            return False

    client = BackendClient(Broken())
    assert str(lost(client).error) == "it did not start. see the log"
    client.close()


def test_a_bug_in_the_thread_is_reported_and_not_swallowed() -> None:
    class Buggy:
        def ensure(self, stopping: threading.Event) -> Endpoint:
            raise ZeroDivisionError

        def alive(self) -> bool:
            return False

    client = BackendClient(Buggy())
    assert "ZeroDivisionError" in str(lost(client).error)
    client.close()


def test_close_ends_a_start_that_waits() -> None:
    class Slow:
        def ensure(self, stopping: threading.Event) -> Endpoint:
            stopping.wait(30)
            raise BackendError("given up")

        def alive(self) -> bool:
            return False

    threads = threading.active_count()
    client = BackendClient(Slow())
    begun = time.monotonic()
    client.close()
    assert time.monotonic() - begun < 1.0
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("params", "arrays", "error"),
    [
        ({"x": float("nan")}, {}, ProtocolError),
        ({"x": object()}, {}, ProtocolError),
        ({}, {"samples": np.array([None])}, ProtocolError),
        ({}, {"samples": np.broadcast_to(np.float32(0), (1 << 28,))}, InputError),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(
    client: BackendClient, params: dict[str, object], arrays: dict[str, np.ndarray], error: type[Exception]
) -> None:
    with pytest.raises(error):
        client.submit("animate", params, arrays)


def test_an_owner_that_does_not_poll_does_not_fill_memory(
    server: FakeServer, client: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "_FULL_BYTES", 3 << 20)
    monkeypatch.setattr(limits, "SILENCE_SECONDS", 0.5)
    job = client.submit("animate", {})
    server.welcome()
    array = np.zeros(1 << 20, np.uint8)
    for index in range(20):
        server.send(MessageType.CHUNK, {"sequence": index, "start": index}, job, {"weights": array})
    time.sleep(1.2)
    held = client._desk.inbox._nbytes
    assert held <= 4 << 20
    server.send(MessageType.DONE, {"result": {}, "chunks": 20}, job)
    events: list[Event] = []
    while not events or not isinstance(events[-1], Done):
        events += events_until(client, Chunk, Done, Lost)
    assert sum(isinstance(event, Chunk) for event in events) == 20

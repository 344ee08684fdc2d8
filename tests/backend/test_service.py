"""The server against well-behaved, hostile and broken clients, all made by hand."""

from __future__ import annotations

import random
import socket as network
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.service import JobContext, ServeConfig, serve
from blender_addon.link import BackendClient, Done, Endpoint, RemoteBackend
from blender_addon.protocol import limits
from blender_addon.protocol.errors import BackendError, CancelledError, InputError, OutputError
from blender_addon.protocol.messages import MessageType
from tests.backend.dummy_backend import HANDLERS
from tests.backend.peers import TOKEN, Peer, events_until, header, peer, running, wait_for


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    config = ServeConfig(token=TOKEN, handoff_path=tmp_path / "backend.json", version="test")
    with running(HANDLERS, config, tmp_path) as place:
        yield place


def works(endpoint: Endpoint) -> None:
    """The server still serves."""
    with peer(endpoint) as good:
        good.welcomed()
        good.send(MessageType.SUBMIT, {"kind": "echo", "params": {"a": 1}, "inputs": []}, "j")
        assert good.until(MessageType.DONE).body["result"] == {"a": 1}


# --- jobs


def submit(client: Peer, kind: str, params: Mapping[str, Any], job: str = "job") -> None:
    client.send(MessageType.SUBMIT, {"kind": kind, "params": params, "inputs": []}, job)


def test_chunks_come_in_order_and_then_done(endpoint: Endpoint) -> None:
    with peer(endpoint) as client:
        client.welcomed()
        submit(client, "stream", {"chunks": 20})
        for index in range(20):
            chunk = client.until(MessageType.CHUNK)
            assert chunk.body == {"sequence": index, "start": 10 * index}
            assert chunk.job == "job"
            assert chunk.arrays["weights"].shape == (10, 52)
            assert chunk.arrays["weights"][:, 3].tolist() == list(range(10 * index, 10 * index + 10))
        done = client.until(MessageType.DONE)
        assert done.body == {"result": {"frames": 200}, "chunks": 20}


def test_uploads_are_put_together(endpoint: Endpoint) -> None:
    samples = np.arange(1000, dtype=np.float32).reshape(500, 2)
    inputs = [
        {"name": "samples", "dtype": "float32", "shape": [500, 2], "order": "little"},
        {"name": "nothing", "dtype": "int8", "shape": [0], "order": "little"},
    ]
    with peer(endpoint) as client:
        client.welcomed()
        client.send(MessageType.SUBMIT, {"kind": "echo", "params": {}, "inputs": inputs}, "job")
        for offset in range(0, 1000, 300):
            part = samples.reshape(-1)[offset : offset + 300]
            client.send(MessageType.UPLOAD, {"offset": offset}, "job", {"samples": part})
        chunk = client.until(MessageType.CHUNK)
        np.testing.assert_array_equal(chunk.arrays["samples"], samples)
        assert chunk.arrays["nothing"].shape == (0,)


@pytest.mark.parametrize(
    ("how", "code", "text"),
    [
        ("media", "media", "line.wav is empty"),
        ("bug", "backend", "ZeroDivisionError"),
        ("nan", "protocol", "JSON"),
    ],
)
def test_errors_are_structured(endpoint: Endpoint, how: str, code: str, text: str) -> None:
    with peer(endpoint) as client:
        client.welcomed()
        submit(client, "fail", {"how": how})
        error = client.receive()
        assert (error.type, error.job, error.body["code"]) == (MessageType.ERROR, "job", code)
        assert text in error.body["message"]
        assert "\n" not in error.body["message"]
    works(endpoint)


def test_unknown_kind_is_an_input_error_of_the_job(endpoint: Endpoint) -> None:
    with peer(endpoint) as client:
        client.welcomed()
        submit(client, "juggle", {})
        error = client.receive()
        assert (error.job, error.body["code"], error.body["reply_to"]) == ("job", "input", 7)
        assert "echo" in error.body["hint"]
        submit(client, "echo", {}, "second")
        client.until(MessageType.DONE)


def test_cancel_is_acknowledged_while_the_handler_is_deaf(endpoint: Endpoint) -> None:
    with peer(endpoint) as client:
        client.welcomed()
        submit(client, "deaf", {"seconds": 2.0})
        submit(client, "echo", {"b": 2}, "next")
        time.sleep(0.2)
        asked = time.monotonic()
        client.send(MessageType.CANCEL, job="job")
        assert client.until(MessageType.CANCELLED).job == "job"
        assert time.monotonic() - asked < 0.5
        done = client.until(MessageType.DONE)
        assert done.job == "next", "nothing more of the cancelled job"


def test_a_cancelled_handler_is_told(tmp_path: Path) -> None:
    told = threading.Event()

    def handler(params: Mapping[str, Any], arrays: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
        while not context.cancelled():
            time.sleep(0.01)
        with pytest.raises(CancelledError):
            context.raise_if_cancelled()
        with pytest.raises(CancelledError):
            context.chunk(0, {"weights": np.zeros(3)})
        told.set()
        return {}

    config = ServeConfig(token=TOKEN, handoff_path=tmp_path / "h.json")
    with running({"wait": handler}, config, tmp_path) as place, peer(place) as client:
        client.welcomed()
        submit(client, "wait", {})
        client.send(MessageType.CANCEL, job="job")
        client.until(MessageType.CANCELLED)
        assert told.wait(1.0)


def test_queued_jobs_hear_how_many_go_before(endpoint: Endpoint) -> None:
    with peer(endpoint) as client:
        client.welcomed()
        submit(client, "deaf", {"seconds": 0.3})
        submit(client, "echo", {}, "second")
        submit(client, "echo", {}, "third")
        messages = [client.receive() for _ in range(6)]
        places = [(m.job, m.body["ahead"]) for m in messages if m.type is MessageType.PROGRESS]
        assert places == [("second", 1), ("third", 2), ("third", 1)]
        done = [m.job for m in messages if m.type is MessageType.DONE]
        assert done == ["job", "second", "third"]


def test_two_clients_share_and_do_not_see_each_other(endpoint: Endpoint) -> None:
    with peer(endpoint) as one, peer(endpoint) as two:
        one.welcomed()
        two.welcomed()
        submit(one, "stream", {"chunks": 5, "pause": 0.02}, "same-id")
        submit(two, "echo", {"who": 2}, "same-id")
        assert two.until(MessageType.DONE).body["result"] == {"who": 2}
        assert one.until(MessageType.DONE).body["result"] == {"frames": 50}


def test_a_full_queue_says_so(endpoint: Endpoint) -> None:
    with peer(endpoint) as client:
        client.welcomed()
        submit(client, "deaf", {"seconds": 0.5}, "j0")
        for index in range(1, limits.MAX_QUEUED_JOBS + 1):
            submit(client, "echo", {}, f"j{index}")
        error = client.until(MessageType.ERROR)
        assert (error.job, error.body["code"]) == (f"j{limits.MAX_QUEUED_JOBS}", "backend")


def test_hello_is_answered_while_warming_up(tmp_path: Path) -> None:
    go_on = threading.Event()
    config = ServeConfig(token=TOKEN, handoff_path=tmp_path / "h.json", warm_up=lambda: bool(go_on.wait(5)))
    with running(HANDLERS, config, tmp_path) as place, peer(place) as client:
        client.hello()
        assert client.receive().body["state"] == "warming"
        submit(client, "echo", {"c": 3})
        assert client.receive().body["phase"] == "loading models"
        go_on.set()
        assert client.until(MessageType.DONE).body["result"] == {"c": 3}
        with peer(place) as late:
            late.hello()
            assert late.receive().body["state"] == "ready"


def test_a_failed_warm_up_does_not_end_the_service(tmp_path: Path) -> None:
    def warm_up() -> None:
        raise RuntimeError("no model")

    config = ServeConfig(token=TOKEN, handoff_path=tmp_path / "h.json", warm_up=warm_up)
    with running(HANDLERS, config, tmp_path) as place:
        works(place)


# --- hello


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"protocol_min": 2, "protocol_max": 9}, "version"),
        ({"protocol_min": 0, "protocol_max": 0}, "version"),
        ({"token": "wrong"}, "auth"),
        ({"token": ""}, "auth"),
        ({"token": "\ud800"}, "auth"),
        ({"token": TOKEN + "x"}, "auth"),
        ({"token": None}, "protocol"),
        ({"protocol_max": "1"}, "protocol"),
        ({"pid": -5}, "protocol"),
    ],
)
def test_refusals_are_clear(endpoint: Endpoint, changes: dict[str, Any], code: str) -> None:
    with peer(endpoint) as client:
        client.hello(**changes)
        refused = client.receive()
        assert (refused.type, refused.body["code"]) == (MessageType.REFUSED, code)
        assert (refused.body["protocol_min"], refused.body["protocol_max"]) == (1, 1)
        assert refused.body["message"]
        submit(client, "echo", {})
        assert client.receive().body["code"] == "auth", "it holds no lease"
    works(endpoint)


def test_a_stranger_gets_nothing_done(endpoint: Endpoint) -> None:
    with peer(endpoint) as client:
        for kind in MessageType:
            if kind is not MessageType.HELLO:
                client.send(kind, {"kind": "echo", "params": {}, "inputs": []}, "job")
                assert client.receive().type is MessageType.REFUSED
    works(endpoint)


def test_too_many_clients(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CLIENTS", 2)
    with peer(endpoint) as one, peer(endpoint) as two, peer(endpoint) as three:
        one.welcomed()
        two.welcomed()
        three.hello()
        assert three.receive().body["code"] == "backend"


# --- hostile and broken


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"garbage"],
        [b"\x00" * 1000],
        [b"[" * 4000],
        [b"x" * (limits.MAX_HELLO_BYTES + 1)],
        [header(type="hello", body={}), b"surplus"],
        [header(type="submit", arrays=[{"name": "a"}]), b""],
        [b"x"] * 2000,
    ],
)
def test_garbage_from_strangers_is_refused(endpoint: Endpoint, frames: list[bytes]) -> None:
    with peer(endpoint) as client:
        client.raw(*frames)
        refused = client.receive()
        assert (refused.type, refused.body["code"]) == (MessageType.REFUSED, "protocol")
    works(endpoint)


BIG = {"name": "a", "dtype": "float64", "shape": [2**40], "order": "little"}


@pytest.mark.parametrize(
    "frames",
    [
        [b"garbage"],
        [header(type="from the future")],
        [header(protocol=2)],
        [header(type="hello")],
        [header(type="welcome")],
        [header(type="done", job="job")],
        [header(type="submit", job="job", body={"kind": "echo"})],
        [header(type="submit", job="", body={"kind": "echo", "params": {}, "inputs": []})],
        [header(type="submit", job="job", body={"kind": "echo", "params": {}, "inputs": [7]})],
        [
            header(
                type="submit", job="j", body={"kind": "echo", "params": {}, "inputs": [BIG | {"dtype": "O"}]}
            )
        ],
        [header(type="submit", job="job", arrays=[BIG]), b"12345678"],
        [header(), *[b""] * (limits.MAX_ARRAYS + 1)],
    ],
)
def test_a_client_that_breaks_the_protocol_is_dropped(endpoint: Endpoint, frames: list[bytes]) -> None:
    with peer(endpoint) as client:
        client.welcomed()
        client.raw(*frames)
        error = client.receive()
        assert (error.type, error.job, error.body["code"]) == (MessageType.ERROR, "", "protocol")
        submit(client, "echo", {})
        assert client.receive().type is MessageType.REFUSED
    works(endpoint)


def test_huge_declared_sizes_are_refused_before_anything_is_allocated(endpoint: Endpoint) -> None:
    with peer(endpoint) as client:
        client.welcomed()
        client.send(MessageType.SUBMIT, {"kind": "echo", "params": {}, "inputs": [BIG]}, "job")
        error = client.receive()
        assert (error.job, error.body["code"]) == ("job", "input")
        large = BIG | {"shape": [limits.MAX_UPLOAD_BYTES // 8]}
        client.send(MessageType.SUBMIT, {"kind": "echo", "params": {}, "inputs": [large]}, "one")
        client.send(MessageType.SUBMIT, {"kind": "echo", "params": {}, "inputs": [large]}, "two")
        error = client.receive()
        assert (error.job, error.body["code"]) == ("two", "backend"), "both together are too much"
    works(endpoint)


SMALL = {"name": "a", "dtype": "float32", "shape": [10], "order": "little"}


@pytest.mark.parametrize(
    ("offset", "arrays"),
    [
        (0, {}),
        (0, {"a": np.zeros(5, np.float32), "b": np.zeros(5, np.float32)}),
        (0, {"b": np.zeros(10, np.float32)}),
        (1, {"a": np.zeros(5, np.float32)}),
        (0, {"a": np.zeros(11, np.float32)}),
        (0, {"a": np.zeros(5, np.float64)}),
        (0, {"a": np.zeros((5, 2), np.float32)}),
        (0, {"a": np.zeros(0, np.float32)}),
    ],
)
def test_parts_that_do_not_fit(endpoint: Endpoint, offset: int, arrays: dict[str, Any]) -> None:
    with peer(endpoint) as client:
        client.welcomed()
        client.send(MessageType.SUBMIT, {"kind": "echo", "params": {}, "inputs": [SMALL]}, "job")
        client.send(MessageType.UPLOAD, {"offset": offset}, "job", arrays)
        assert client.receive().body["code"] == "protocol"
    works(endpoint)


def test_parts_for_a_job_that_has_ended_are_dropped(endpoint: Endpoint) -> None:
    with peer(endpoint) as client:
        client.welcomed()
        client.send(MessageType.UPLOAD, {"offset": 0}, "gone", {"a": np.zeros(5, np.float32)})
        submit(client, "echo", {"d": 4})
        assert client.receive().body["result"] == {"d": 4}


def test_a_frame_above_the_limit_ends_the_connection(endpoint: Endpoint) -> None:
    with peer(endpoint) as client:
        client.welcomed()
        client.raw(b"x" * (limits.MAX_FRAME_BYTES + 1))
        submit(client, "echo", {})
        assert client.receive().type is MessageType.REFUSED, "a new connection without a hello"
    works(endpoint)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f",
        b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL" + b"\x00" * 48,
        bytes(random.Random(5).randrange(256) for _ in range(5000)),
    ],
)
def test_half_messages_and_other_protocols_on_the_port(endpoint: Endpoint, data: bytes) -> None:
    with network.create_connection((endpoint.host, endpoint.port)) as raw:
        raw.sendall(data)
        works(endpoint)
    works(endpoint)


def test_half_a_frame_never_completed(endpoint: Endpoint) -> None:
    """A ZMTP 3.0 greeting, READY, then a frame that promises 1000 bytes and brings 3."""
    greeting = b"\xff" + b"\x00" * 8 + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\x00") + b"\x00" * 32
    body = b"\x05READY" + b"\x0bSocket-Type" + (6).to_bytes(4, "big") + b"DEALER"
    ready = b"\x04" + bytes([len(body)]) + body
    with network.create_connection((endpoint.host, endpoint.port)) as raw:
        raw.sendall(greeting + ready + b"\x02" + (1000).to_bytes(8, "big") + b"abc")
        works(endpoint)
    works(endpoint)


@given(st.lists(st.lists(st.binary(max_size=200), min_size=1, max_size=4), min_size=1, max_size=10))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_survives_random_frames(endpoint: Endpoint, messages: list[list[bytes]]) -> None:
    with peer(endpoint) as stranger, peer(endpoint) as client:
        client.welcomed()
        for frames in messages:
            stranger.raw(*frames)
            client.raw(*frames)
        assert stranger.receive().type is MessageType.REFUSED
        assert client.receive().type is MessageType.ERROR


FIELDS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=3)
)
KINDS = ["hello", "submit", "upload", "cancel", "heartbeat"]


@given(
    st.sampled_from(KINDS),
    st.dictionaries(
        st.sampled_from(
            ["kind", "params", "inputs", "offset", "token", "protocol_min", "protocol_max", "pid"]
        ),
        st.one_of(FIELDS, st.dictionaries(st.text(max_size=3), FIELDS, max_size=2)),
    ),
    st.text(max_size=5),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_survives_random_bodies(endpoint: Endpoint, kind: str, body: dict[str, Any], job: str) -> None:
    with peer(endpoint) as stranger, peer(endpoint) as client:
        client.welcomed()
        for one in (stranger, client):
            one.raw(header(type=kind, body=body, job=job))
        client.send(MessageType.CANCEL, job="last")
        assert client.receive().type in (MessageType.CANCELLED, MessageType.ERROR, MessageType.PROGRESS)
        assert stranger.receive().type is MessageType.REFUSED
        client.send(MessageType.BYE)  # else 8 s of leases are more than the server has


# --- leases and slow clients


def test_silence_after_hello_ends_the_lease_and_its_job(tmp_path: Path) -> None:
    ended = threading.Event()

    def handler(params: Mapping[str, Any], arrays: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
        while not context.cancelled():
            time.sleep(0.01)
        ended.set()
        return {}

    config = ServeConfig(token=TOKEN, handoff_path=tmp_path / "h.json", lease_seconds=0.6, stay=True)
    with running({"wait": handler}, config, tmp_path) as place, peer(place) as silent:
        silent.welcomed()
        submit(silent, "wait", {})
        assert ended.wait(2.0)
        submit(silent, "wait", {})
        assert silent.until(MessageType.REFUSED).body["code"] == "auth"


def test_heartbeats_keep_the_lease_and_come_back(tmp_path: Path) -> None:
    config = ServeConfig(token=TOKEN, handoff_path=tmp_path / "h.json", lease_seconds=0.6)
    with running(HANDLERS, config, tmp_path) as place, peer(place) as client:
        client.welcomed()
        for _ in range(12):
            client.send(MessageType.HEARTBEAT)
            time.sleep(0.1)
        beats = 0
        while client.socket.poll(0):
            client.socket.recv_multipart()
            beats += 1
        assert beats >= 1
        submit(client, "echo", {})
        client.until(MessageType.DONE)


def test_a_slow_client_slows_its_job_instead_of_filling_memory(tmp_path: Path) -> None:
    sent = 0

    def handler(params: Mapping[str, Any], arrays: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
        nonlocal sent
        for index in range(60):
            context.progress("many", index / 60)
            context.chunk(index, {"weights": np.zeros(1 << 20, np.uint8)})
            sent = index + 1
        return {}

    config = ServeConfig(token=TOKEN, handoff_path=tmp_path / "h.json", lease_seconds=5)
    with running({"flood": handler}, config, tmp_path) as place, peer(place) as client:
        client.socket.setsockopt(zmq.RCVHWM, 1)
        client.socket.disconnect(place.address)
        client.socket.connect(place.address)  # the limit holds for new connections
        client.welcomed()
        submit(client, "flood", {})
        time.sleep(1.0)
        assert sent < 50, "the job waits for its client"
        waiting = sent
        with peer(place) as other:
            other.welcomed()
            submit(other, "flood", {}, "queued")
            other.send(MessageType.CANCEL, job="queued")
            other.until(MessageType.CANCELLED)
        for index in range(60):
            assert client.until(MessageType.CHUNK).body["sequence"] == index
        client.until(MessageType.DONE)
        assert sent > waiting


def test_a_client_that_takes_nothing_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STALL_SECONDS", 0.5)
    cancelled = threading.Event()

    def handler(params: Mapping[str, Any], arrays: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
        try:
            for index in range(200):
                context.chunk(index, {"weights": np.zeros(1 << 20, np.uint8)})
        except CancelledError:
            cancelled.set()
            raise
        return {}

    config = ServeConfig(token=TOKEN, handoff_path=tmp_path / "h.json", lease_seconds=30, stay=True)
    with running({"flood": handler}, config, tmp_path) as place, peer(place) as client:
        client.socket.setsockopt(zmq.RCVHWM, 1)
        client.socket.disconnect(place.address)
        client.socket.connect(place.address)
        client.welcomed()
        submit(client, "flood", {})
        assert cancelled.wait(5.0)


# --- lifetime


def test_shutdown_is_for_the_last_client(endpoint: Endpoint, tmp_path: Path) -> None:
    with peer(endpoint) as one, peer(endpoint) as two:
        one.welcomed()
        two.welcomed()
        one.send(MessageType.SHUTDOWN)
        assert one.receive().body["code"] == "backend"
        two.send(MessageType.BYE)
        time.sleep(0.1)
        one.send(MessageType.SHUTDOWN)
        assert one.receive().type is MessageType.BYE
    wait_for(lambda: not (tmp_path / "backend.json").exists())


def test_port_in_use(tmp_path: Path) -> None:
    with network.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = tmp_path / "h.json"
        with pytest.raises(BackendError, match=rf"127.0.0.1:{port}: .*in use") as caught:
            serve(HANDLERS, ServeConfig(port=port, handoff_path=path))
        assert caught.value.hint
        assert not path.exists()


def test_never_beyond_this_machine_without_keys() -> None:
    for host in ("0.0.0.0", "192.168.1.5", "::", "example.org"):
        with pytest.raises(InputError, match="without encryption"):
            ServeConfig(host=host)
    for host in ("127.0.0.1", "127.8.9.1", "::1", "localhost"):
        ServeConfig(host=host)
    with pytest.raises(InputError):
        ServeConfig(token="")


def test_no_thread_and_no_file_is_left(tmp_path: Path) -> None:
    before = threading.active_count()
    config = ServeConfig(token=TOKEN, handoff_path=tmp_path / "h.json")
    with running(HANDLERS, config, tmp_path) as place:
        works(place)
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []


def test_the_handoff_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    before = threading.active_count()
    with pytest.raises(OutputError):
        serve(HANDLERS, ServeConfig(handoff_path=tmp_path / "file" / "h.json"))
    assert threading.active_count() == before


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_loopback_addresses(tmp_path: Path, host: str) -> None:
    if host == "::1" and not network.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    config = ServeConfig(host=host, token=TOKEN, handoff_path=tmp_path / "h.json")
    with running(HANDLERS, config, tmp_path) as place:
        client = BackendClient(RemoteBackend(place))
        client.submit("echo", {})
        events_until(client, Done)
        client.close()

"""Real backend processes: started, shared, killed, stopped."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from blender_addon.link import (
    BackendClient,
    Cancelled,
    Chunk,
    Connected,
    Done,
    Endpoint,
    Lost,
    Progress,
    Supervisor,
)
from blender_addon.link import supervisor as module
from blender_addon.protocol import limits
from blender_addon.protocol.errors import BackendError, InputError, VersionError
from blender_addon.protocol.handoff import Handoff, read_handoff, write_handoff
from blender_addon.protocol.messages import MessageType
from blender_addon.protocol.process import pid_alive
from tests.backend.peers import DUMMY, TOKEN, FakeServer, events_until, peer, wait_for

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def handoff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("DUMMY_LEASE", "2")
    path = tmp_path / "run" / "backend.json"
    yield path
    if path.exists() and pid_of(path) != os.getpid():
        os.kill(pid_of(path), signal.SIGTERM)


def pid_of(path: Path) -> int:
    handoff = read_handoff(path)
    assert handoff is not None
    return handoff.pid


def connect(supervisor: Supervisor) -> BackendClient:
    client = BackendClient(supervisor)
    events_until(client, Connected)
    return client


def test_starts_on_demand_streams_and_ends_after_the_last_client(handoff: Path) -> None:
    client = BackendClient(Supervisor(DUMMY, handoff))
    job = client.submit("stream", {"chunks": 3, "width": 52})
    events = events_until(client, Done)
    assert [event.start for event in events if isinstance(event, Chunk)] == [0, 10, 20]
    assert events[-1] == Done(job, {"frames": 30})
    pid = pid_of(handoff)
    client.close()
    closed = time.monotonic()
    wait_for(lambda: not pid_alive(pid))
    assert 1.0 < time.monotonic() - closed < 4.0, "the lease is 2 s"
    assert not handoff.exists()


def test_samples_go_up_and_come_back(handoff: Path) -> None:
    client = connect(Supervisor(DUMMY, handoff))
    samples = np.random.default_rng(1).standard_normal(3_000_000).astype(np.float32)
    client.submit("echo", {"n": 1}, {"samples": samples})
    chunk = events_until(client, Chunk)[-1]
    assert isinstance(chunk, Chunk)
    np.testing.assert_array_equal(chunk.arrays["samples"], samples)
    client.close()


def test_two_clients_share_one_process(handoff: Path) -> None:
    one, two = connect(Supervisor(DUMMY, handoff)), connect(Supervisor(DUMMY, handoff))
    pid = pid_of(handoff)
    slow = one.submit("stream", {"chunks": 10, "pause": 0.05})
    events_until(one, Chunk)
    quick = two.submit("echo", {"x": 1})
    assert events_until(two, Progress)[-1] == Progress(quick, "waiting", 0.0, 1)
    assert events_until(two, Done)[-1] == Done(quick, {"x": 1})
    assert events_until(one, Done)[-1] == Done(slow, {"frames": 100})
    one.close()
    time.sleep(2.5)
    assert pid_alive(pid), "the other one still holds a lease"
    two.submit("echo", {})
    events_until(two, Done)
    two.close()
    wait_for(lambda: not pid_alive(pid))


def test_cancel_within_a_second_while_the_handler_is_busy(handoff: Path) -> None:
    client = connect(Supervisor(DUMMY, handoff))
    job = client.submit("stream", {"chunks": 1000, "pause": 0.05})
    events_until(client, Chunk)
    deaf = client.submit("deaf", {"seconds": 1.0})
    asked = time.monotonic()
    client.cancel(job)
    assert events_until(client, Cancelled, Done)[-1] == Cancelled(job)
    assert time.monotonic() - asked < 1.0
    assert isinstance(events_until(client, Done)[-1], Done)
    deaf = client.submit("deaf", {"seconds": 2.0})
    time.sleep(0.3)
    asked = time.monotonic()
    client.cancel(deaf)
    assert events_until(client, Cancelled)[-1] == Cancelled(deaf)
    assert time.monotonic() - asked < 1.0
    client.close()


@posix
def test_kill_9_in_mid_job_and_the_next_job_starts_a_new_one(handoff: Path) -> None:
    supervisor = Supervisor(DUMMY, handoff)
    client = connect(supervisor)
    job = client.submit("stream", {"chunks": 1000, "pause": 0.02})
    events = events_until(client, Chunk)
    pid = pid_of(handoff)
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    events += events_until(client, Lost)
    assert time.monotonic() - killed < 1.0
    lost = events[-1]
    assert isinstance(lost, Lost)
    assert lost.jobs == (job,)
    assert isinstance(lost.error, BackendError)
    chunks = [event.sequence for event in events if isinstance(event, Chunk)]
    assert chunks == list(range(len(chunks)))
    client.close()
    again = connect(supervisor)
    assert pid_of(handoff) != pid
    again.submit("echo", {})
    events_until(again, Done)
    again.close()


@posix
def test_a_client_killed_in_mid_job_leaves_no_backend(handoff: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from blender_addon.link import BackendClient, Supervisor\n"
        f"client = BackendClient(Supervisor({DUMMY!r}, Path({str(handoff)!r})))\n"
        "client.submit('stream', {'chunks': 10000, 'pause': 0.02})\n"
        "while True:\n"
        "    for event in client.poll(wait=1.0):\n"
        "        print(type(event).__name__, flush=True)\n"
    )
    blender = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert blender.stdout is not None
    while "Chunk" not in blender.stdout.readline():
        pass
    pid = pid_of(handoff)
    blender.kill()
    wait_for(lambda: not pid_alive(pid), seconds=5.0)
    assert not handoff.exists()
    blender.communicate()


@posix
def test_the_parents_end_does_not_hurt_other_clients(handoff: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    starter = connect(Supervisor(DUMMY, handoff, parent_pid=parent.pid))
    pid = pid_of(handoff)
    parent.kill()
    parent.communicate()
    time.sleep(1.5)
    starter.submit("echo", {})
    events_until(starter, Done)
    starter.close()
    wait_for(lambda: not pid_alive(pid), seconds=3.0)


@pytest.mark.parametrize("kind", ["dead process", "other program", "no answer", "damaged", "other token"])
def test_a_stale_handoff_is_replaced(handoff: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HELLO_SECONDS", 1.0)
    server = FakeServer()
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    stale = {
        "dead process": Handoff("127.0.0.1", 1, int(dead.stdout), 1, TOKEN),
        "other program": Handoff("127.0.0.1", 1, os.getpid(), 1, TOKEN),
        "no answer": Handoff("127.0.0.1", server.endpoint.port, os.getpid(), 1, TOKEN),
    }
    first = None
    if kind == "damaged":
        handoff.parent.mkdir()
        handoff.write_text("{")
    elif kind == "other token":
        first = connect(Supervisor(DUMMY, handoff))
        living = read_handoff(handoff)
        assert living is not None
        write_handoff(handoff, Handoff(living.host, living.port, living.pid, 1, "wrong"))
    else:
        write_handoff(handoff, stale[kind])
    client = BackendClient(Supervisor(DUMMY, handoff))
    client.submit("echo", {})
    events_until(client, Done)
    assert pid_of(handoff) not in (os.getpid(), int(dead.stdout))
    client.close()
    if first is not None:
        first.close()
    server.close()


def test_a_handoff_whose_port_is_closed_costs_no_time(handoff: Path) -> None:
    server = FakeServer()
    server.close()
    write_handoff(handoff, Handoff("127.0.0.1", server.endpoint.port, os.getpid(), 1, TOKEN))
    client = BackendClient(Supervisor(DUMMY, handoff))
    events_until(client, Connected, seconds=limits.HELLO_SECONDS - 1)
    client.close()


def test_closing_while_nothing_answers_leaves_no_thread_and_no_harm(handoff: Path) -> None:
    server = FakeServer()
    silent = Handoff("127.0.0.1", server.endpoint.port, os.getpid(), 1, TOKEN)
    write_handoff(handoff, silent)
    threads = threading.active_count()
    client = BackendClient(Supervisor(DUMMY, handoff))
    server.receive(MessageType.HELLO)
    asked = time.monotonic()
    client.close()
    assert time.monotonic() - asked < 2.0
    assert threading.active_count() == threads
    assert read_handoff(handoff) == silent, "it was not shown to be stale"
    server.close()


@posix
def test_closing_while_a_dead_process_is_ended(handoff: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HELLO_SECONDS", 0.5)
    supervisor = Supervisor(DUMMY, handoff)
    supervisor.ensure(threading.Event())
    pid = pid_of(handoff)
    os.kill(pid, signal.SIGSTOP)  # it neither answers nor heeds SIGTERM
    threads = threading.active_count()
    client = BackendClient(supervisor)
    wait_for(lambda: not handoff.exists())
    asked = time.monotonic()
    client.close(timeout=10.0)
    assert time.monotonic() - asked < 1.5, "two steps of the ladder wait 1 s each"
    assert threading.active_count() == threads
    wait_for(lambda: not pid_alive(pid))


def test_a_handoff_that_can_be_read_only_sometimes(handoff: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = itertools.count()

    def busy_at_first(path: Path) -> Handoff | None:
        if path.exists() and next(reads) < 3:
            raise InputError(f"cannot read {path}: Access is denied")
        return read_handoff(path)

    monkeypatch.setattr(module, "read_handoff", busy_at_first)
    connect(Supervisor(DUMMY, handoff)).close()


def test_a_process_that_has_gone_is_signalled_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(pid: int, number: int) -> None:
        raise OSError(22, "The parameter is incorrect")  # what Windows says

    monkeypatch.setattr(os, "kill", kill)
    module._signal(os.getpid(), signal.SIGTERM)


def test_a_living_backend_of_another_version_is_refused_not_replaced(
    handoff: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(Supervisor(DUMMY, handoff))
    pid = pid_of(handoff)
    monkeypatch.setattr(limits, "PROTOCOL_MIN", 2)
    monkeypatch.setattr(limits, "PROTOCOL_MAX", 2)
    with pytest.raises(VersionError, match="Update the backend"):
        Supervisor(DUMMY, handoff).ensure(threading.Event())
    assert pid_of(handoff) == pid
    monkeypatch.undo()
    client.close()


def test_failed_starts_are_limited_and_say_why(handoff: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUMMY_FAIL", "1")
    supervisor = Supervisor(DUMMY, handoff)
    for _ in range(3):
        with pytest.raises(BackendError, match="did not start: ModelError: the weights are missing"):
            supervisor.ensure(threading.Event())
    monkeypatch.delenv("DUMMY_FAIL")
    with pytest.raises(BackendError, match="3 times in 5 minutes: ModelError"):
        supervisor.ensure(threading.Event())
    monkeypatch.setattr(module, "FAILURE_WINDOW_SECONDS", 0.0)
    connect(supervisor).close()


@posix
def test_crashes_are_limited_but_good_ends_are_not(handoff: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = Supervisor(DUMMY, handoff)
    for _ in range(4):
        supervisor.ensure(threading.Event())
        supervisor.stop()
    for _ in range(3):
        supervisor.ensure(threading.Event())
        os.kill(pid_of(handoff), signal.SIGKILL)
        wait_for(lambda: not supervisor.alive())
    with pytest.raises(BackendError, match="3 times"):
        supervisor.ensure(threading.Event())


def test_a_command_that_does_not_exist(handoff: Path) -> None:
    with pytest.raises(BackendError, match="cannot run"):
        Supervisor(["/no/such/program"], handoff).ensure(threading.Event())


def test_a_start_that_hangs_is_given_up(handoff: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUMMY_HANG", "1")
    monkeypatch.setattr(module, "START_SECONDS", 1.0)
    supervisor = Supervisor(DUMMY, handoff)
    with pytest.raises(BackendError, match="did not start"):
        supervisor.ensure(threading.Event())
    assert supervisor._process is None


def test_stop_asks(handoff: Path) -> None:
    supervisor = Supervisor(DUMMY, handoff)
    client = connect(supervisor)
    pid = pid_of(handoff)
    with pytest.raises(BackendError, match="1 other client"):
        supervisor.stop()
    client.close()
    supervisor.stop()
    assert not pid_alive(pid)
    assert not handoff.exists()
    supervisor.stop()


@posix
def test_stop_goes_up_the_ladder(handoff: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HELLO_SECONDS", 0.5)
    supervisor = Supervisor(DUMMY, handoff)
    supervisor.ensure(threading.Event())
    pid = pid_of(handoff)
    os.kill(pid, signal.SIGSTOP)  # it answers nothing and ignores SIGTERM until it goes on
    supervisor.stop(patience=0.3)
    assert not pid_alive(pid)
    assert not handoff.exists()


@posix
def test_sigterm_is_a_clean_end(handoff: Path) -> None:
    client = connect(Supervisor(DUMMY, handoff))
    client.submit("stream", {"chunks": 1000, "pause": 0.02})
    events_until(client, Chunk)
    os.kill(pid_of(handoff), signal.SIGTERM)
    lost = events_until(client, Lost, seconds=2.0)[-1]
    assert isinstance(lost, Lost)
    wait_for(lambda: not handoff.exists())
    client.close()


def test_a_stranger_cannot_use_it(handoff: Path) -> None:
    client = connect(Supervisor(DUMMY, handoff))
    living = read_handoff(handoff)
    assert living is not None
    with peer(Endpoint(living.host, living.port, "guess")) as stranger:
        stranger.hello()
        assert stranger.receive().body["code"] == "auth"
    client.close()


def test_an_owner_that_forgets_to_close_still_ends(handoff: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from blender_addon.link import BackendClient, Supervisor\n"
        f"client = BackendClient(Supervisor({DUMMY!r}, Path({str(handoff)!r})))\n"
        "client.submit('stream', {'chunks': 10000, 'pause': 0.02})\n"
        "client.poll(wait=5.0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=10)
    pid = pid_of(handoff)
    wait_for(lambda: not pid_alive(pid))


def test_two_that_start_at_the_same_time_both_work(handoff: Path) -> None:
    clients = [BackendClient(Supervisor(DUMMY, handoff)) for _ in range(2)]
    for client in clients:
        client.submit("echo", {})
    for client in clients:
        events_until(client, Done)
        client.close()

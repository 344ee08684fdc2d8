"""The service as a process: how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blender_addon.link import Endpoint
from blender_addon.protocol.handoff import read_handoff
from blender_addon.protocol.messages import MessageType
from tests.backend.peers import DUMMY, peer, wait_for


@pytest.fixture
def handoff(tmp_path: Path) -> Path:
    return tmp_path / "backend.json"


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def start(
    processes: list[subprocess.Popen[bytes]], handoff: Path, *options: str, **environment: str
) -> subprocess.Popen[bytes]:
    command = [*DUMMY, "serve", "--handoff", str(handoff), *options]
    process = subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE)
    processes.append(process)
    return process


def place(handoff: Path) -> Endpoint:
    wait_for(handoff.exists)
    found = read_handoff(handoff)
    assert found is not None
    return Endpoint(found.host, found.port, found.token)


def test_with_its_default_lease_it_ends_within_10_s_of_the_last_client(
    processes: list[subprocess.Popen[bytes]], handoff: Path
) -> None:
    process = start(processes, handoff)
    with peer(place(handoff)) as client:
        client.welcomed()
        client.send(MessageType.SUBMIT, {"kind": "deaf", "params": {"seconds": 60}, "inputs": []}, "busy")
    begun = time.monotonic()
    assert process.wait(10.0) == 0, "even while a deaf handler runs"
    assert time.monotonic() - begun > 5.0
    assert not handoff.exists()


def test_the_parents_end_ends_it_when_no_client_is_left(
    processes: list[subprocess.Popen[bytes]], handoff: Path
) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = start(processes, handoff, "--parent-pid", str(parent.pid))
    with peer(place(handoff)) as client:
        client.hello(pid=parent.pid)
        client.receive()
        parent.kill()
        parent.communicate()
        assert process.wait(3.0) == 0, "its lease ended with it"
    assert not handoff.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(
    processes: list[subprocess.Popen[bytes]], handoff: Path, number: signal.Signals
) -> None:
    process = start(processes, handoff)
    with peer(place(handoff)) as client:
        client.welcomed()
        process.send_signal(number)
        assert client.receive().type is MessageType.BYE
        assert process.wait(2.0) == 0
    assert not handoff.exists()
    assert b"Traceback" not in process.communicate()[1]


def test_port_in_use_is_one_line(processes: list[subprocess.Popen[bytes]], handoff: Path) -> None:
    start(processes, handoff)
    port = str(place(handoff).port)
    second = start(processes, handoff.with_name("second.json"), DUMMY_PORT=port)
    errors = second.communicate(timeout=10)[1].decode()
    assert second.returncode == 1
    assert errors.count("\n") == 1
    assert port in errors
    assert "Choose another port" in errors
    assert not handoff.with_name("second.json").exists()

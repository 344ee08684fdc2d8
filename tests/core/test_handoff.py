"""The files by which add-on and backend find one another."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blender_addon.protocol import handoff as module
from blender_addon.protocol.errors import BackendError, FileFormatError, OutputError
from blender_addon.protocol.handoff import (
    COMMAND_VARIABLE,
    Handoff,
    Registration,
    default_handoff_path,
    find_command,
    new_token,
    read_handoff,
    read_registration,
    registration_path,
    remove_handoff,
    write_handoff,
    write_registration,
)
from blender_addon.protocol.process import pid_alive

OURS = Handoff("127.0.0.1", 50123, 77, 1, "secret")
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")


def test_round_trip_leaves_one_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "backend.json"
    write_handoff(path, OURS)
    write_handoff(path, OURS)
    assert read_handoff(path) == OURS
    assert list(path.parent.iterdir()) == [path]
    assert set(json.loads(path.read_text())) == {"host", "port", "pid", "protocol", "token"}


@posix
def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        path = tmp_path / "deep" / "backend.json"
        write_handoff(path, OURS)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@posix
def test_another_users_file_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "backend.json"
    write_handoff(path, OURS)
    if os.getuid() == 0:
        os.chown(path, 12345, -1)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    with pytest.raises(BackendError, match="another user"):
        read_handoff(path)


def test_missing_is_none(tmp_path: Path) -> None:
    assert read_handoff(tmp_path / "none.json") is None
    assert read_registration(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "{" * 5000,
        "\x00\xff",
        '{"host": "h", "port": "1", "pid": 1, "protocol": 1, "token": "t"}',
        '{"host": "h", "port": 70000, "pid": 1, "protocol": 1, "token": "t"}',
        '{"host": "h", "port": 1, "pid": -1, "protocol": 1, "token": "t"}',
        '{"host": "h", "port": 1, "pid": true, "protocol": 1, "token": "t"}',
        '{"host": 5, "port": 1, "pid": 1, "protocol": 1, "token": "t"}',
        '{"x": "' + "y" * 70_000 + '"}',
    ],
)
def test_damaged_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "backend.json"
    path.write_text(text)
    with pytest.raises(FileFormatError):
        read_handoff(path)
    with pytest.raises(FileFormatError):
        read_registration(path)


def test_only_our_own_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "backend.json"
    other = Handoff("127.0.0.1", 50123, 78, 1, "other")
    write_handoff(path, other)
    remove_handoff(path, OURS)
    assert read_handoff(path) == other
    remove_handoff(path, other)
    assert not path.exists()
    remove_handoff(path, other)


def test_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_handoff(tmp_path / "file" / "backend.json", OURS)


def refusing(times: int, action: Callable[..., Any]) -> Callable[..., Any]:
    """`action`, refused the first `times` times as Windows does while another process reads the file."""
    left = itertools.chain([True] * times, itertools.repeat(False))

    def refuse(*arguments: Any, **options: Any) -> Any:
        if next(left):
            raise PermissionError(13, "Access is denied")
        return action(*arguments, **options)

    return refuse


def test_a_reader_does_not_keep_it_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "backend.json"
    monkeypatch.setattr(Path, "replace", refusing(3, Path.replace))
    write_handoff(path, OURS)
    assert read_handoff(path) == OURS
    monkeypatch.setattr(module, "_REPLACE_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(Path, "replace", refusing(1000, Path.replace))
    with pytest.raises(OutputError, match="Access is denied"):
        write_handoff(path, OURS)
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_removed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "backend.json"
    write_handoff(path, OURS)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refusing(1, Path.unlink))
        remove_handoff(path, OURS)
    assert path.exists()


def test_registration_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(COMMAND_VARIABLE, raising=False)
    path = tmp_path / "backend-command.json"
    monkeypatch.setattr(module, "registration_path", lambda: path)
    with pytest.raises(BackendError, match="not installed"):
        find_command()
    registration = Registration((sys.executable, "-m", "backend"), "1.2.3")
    write_registration(path, registration)
    assert read_registration(path) == registration
    assert find_command() == registration.command
    preferred = tmp_path / "vividtalk"
    preferred.write_text("")
    assert find_command(str(preferred)) == (str(preferred),)
    monkeypatch.setenv(COMMAND_VARIABLE, sys.executable)
    assert find_command(str(preferred)) == (sys.executable,)
    monkeypatch.setenv(COMMAND_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(BackendError, match="does not exist"):
        find_command()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="XDG folders")
def test_folders_on_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert default_handoff_path() == tmp_path / "run/vividtalk/backend.json"
    assert registration_path() == tmp_path / "config/vividtalk/backend-command.json"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_handoff_path() == tmp_path / ".cache/vividtalk/backend.json"
    assert registration_path() == tmp_path / ".config/vividtalk/backend-command.json"


def test_tokens_differ() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(len(token) for token in tokens) >= 43


def test_pid_alive() -> None:
    assert pid_alive(os.getpid())
    assert not pid_alive(0)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert pid_alive(process.pid)
    process.kill()
    if sys.platform == "linux":
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not pid_alive(process.pid), "a zombie has ended"
    process.communicate()
    assert not pid_alive(process.pid)

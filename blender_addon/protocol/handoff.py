"""Files by which the add-on and the backend find one another, in the user's own folders.

The *handoff* names a running backend and its launch token; only the user can read it.
The *registration* names the command that starts the installed backend.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import BackendError, FileFormatError, InputError
from .tensorfile import output_error

_log = logging.getLogger(__name__)

_MAX_FILE_BYTES = 64 << 10
_REPLACE_ATTEMPTS = 20
_REPLACE_PAUSE_SECONDS = 0.02
COMMAND_VARIABLE = "VIVIDTALK_BACKEND"


@dataclass(frozen=True)
class Handoff:
    """A running backend: where it listens, its process, its protocol version and its launch token."""

    host: str
    port: int
    pid: int
    protocol: int
    token: str


@dataclass(frozen=True)
class Registration:
    """How to start the installed backend: its command without subcommand, and its version."""

    command: tuple[str, ...]
    version: str


def new_token() -> str:
    """A fresh launch token: 256 random bits as text."""
    return secrets.token_urlsafe(32)


def runtime_folder() -> Path:
    """The user's folder for things of this session. Never a folder that others can write, such as /tmp."""
    if sys.platform in ("win32", "darwin"):
        return _application_folder()
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "vividtalk" if runtime else _home("XDG_CACHE_HOME", ".cache")


def config_folder() -> Path:
    """The user's folder for settings."""
    if sys.platform in ("win32", "darwin"):
        return _application_folder()
    return _home("XDG_CONFIG_HOME", ".config")


def cache_folder() -> Path:
    """The user's folder for what can be computed again."""
    if sys.platform in ("win32", "darwin"):
        return _application_folder() / "cache"
    return _home("XDG_CACHE_HOME", ".cache")


def _application_folder() -> Path:
    if sys.platform == "win32":
        return _home("LOCALAPPDATA", "AppData/Local")
    return Path.home() / "Library" / "Application Support" / "vividtalk"


def _home(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default) / "vividtalk"


def default_handoff_path() -> Path:
    """The handoff that all of the user's Blenders share."""
    return runtime_folder() / "backend.json"


def registration_path() -> Path:
    """The file by which `vividtalk addon install` tells the add-on how to start the backend."""
    return config_folder() / "backend-command.json"


def write_handoff(path: Path, handoff: Handoff) -> None:
    """Write atomically, readable by the user only. Raises `OutputError`."""
    _write_private(path, asdict(handoff))


def read_handoff(path: Path) -> Handoff | None:
    """The handoff at `path`, or None when there is none.

    Raises:
        FileFormatError: the file is not a handoff.
        BackendError: another user owns it, so it is not to be trusted.
    """
    raw = _read(path, "handoff")
    if raw is None:
        return None
    try:
        handoff = Handoff(*(raw[name] for name in ("host", "port", "pid", "protocol", "token")))
    except KeyError as error:
        raise FileFormatError(f"{path} is not a handoff file: it lacks {error}", "Delete it") from error
    numbers = (handoff.port, handoff.pid, handoff.protocol)
    if not all(type(n) is int and n > 0 for n in numbers) or handoff.port > 65535:
        raise FileFormatError(f"{path} is not a handoff file: a number is impossible", "Delete it")
    if not isinstance(handoff.host, str) or not isinstance(handoff.token, str):
        raise FileFormatError(f"{path} is not a handoff file: host or token is no text", "Delete it")
    return handoff


def remove_handoff(path: Path, ours: Handoff) -> None:
    """Remove the file at `path` if it still is `ours` and nothing hinders it; another backend's stays."""
    try:
        if read_handoff(path) == ours:
            path.unlink(missing_ok=True)
    except (InputError, BackendError, OSError) as error:
        _log.info("the handoff %s stays: %s", path, error)


def write_registration(path: Path, registration: Registration) -> None:
    """Write atomically. Raises `OutputError`."""
    _write_private(path, {"command": list(registration.command), "version": registration.version})


def read_registration(path: Path) -> Registration | None:
    """The registration at `path`, or None when there is none. Raises `FileFormatError`."""
    raw = _read(path, "registration")
    if raw is None:
        return None
    command, version = raw.get("command"), raw.get("version")
    words = isinstance(command, list) and command and all(isinstance(word, str) for word in command)
    if not isinstance(command, list) or not words or not isinstance(version, str):
        raise FileFormatError(f"{path} names no command", "Run `vividtalk addon install` again")
    return Registration(tuple(command), version)


def find_command(preference: str = "") -> tuple[str, ...]:
    """The backend's command: from the environment, else `preference`, else the registration.

    The first two are the path of one program, `vividtalk` in the backend's environment.

    Raises:
        BackendError: none is named, or the named program is not there.
    """
    named = os.environ.get(COMMAND_VARIABLE) or preference
    registered = None if named else read_registration(registration_path())
    command = (named,) if named else registered.command if registered else ()
    if not command:
        raise BackendError(
            "the VividTalk backend is not installed for this user",
            "Run `vividtalk addon install`, or set its path in the add-on's preferences",
        )
    if not Path(command[0]).is_file():
        raise BackendError(f"the backend's program {command[0]} does not exist", "Install the backend again")
    return command


def _write_private(path: Path, content: Mapping[str, Any]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
            _replace(Path(name), path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error) from error


def _replace(new: Path, path: Path) -> None:
    """Rename; Windows refuses while another process reads `path`, which takes it milliseconds."""
    for _ in range(_REPLACE_ATTEMPTS):
        try:
            new.replace(path)
            return
        except PermissionError:
            time.sleep(_REPLACE_PAUSE_SECONDS)
    new.replace(path)


def _read(path: Path, kind: str) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            owner = os.fstat(file.fileno()).st_uid
            text = file.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if sys.platform != "win32" and owner not in (os.getuid(), 0):
        raise BackendError(f"{path} belongs to another user", "Remove it")
    try:
        raw = json.loads(text) if len(text) <= _MAX_FILE_BYTES else None
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        raise FileFormatError(f"{path} is not a {kind} file: it is no JSON map", "Delete it")
    return raw

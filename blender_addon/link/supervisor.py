"""The backend as a process: attach to a living one, start one on demand, stop it by a ladder."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from ..protocol.errors import AuthError, BackendError, FileFormatError, InputError
from ..protocol.handoff import Handoff, read_handoff, remove_handoff
from ..protocol.process import pid_alive
from ..protocol.tensorfile import output_error
from .endpoint import Endpoint
from .probe import answers, ask_to_stop

_log = logging.getLogger(__name__)

MAX_FAILURES = 3
FAILURE_WINDOW_SECONDS = 300.0
START_SECONDS = 30.0
_POLL_SECONDS = 0.05
_MAX_LOG_BYTES = 1 << 20


class Supervisor:
    """Finds or starts the backend that a handoff file names.

    `command` is the backend's command line without its subcommand, such as `["/venv/bin/vividtalk"]`; its
    output goes to a `.log` file beside `handoff`. `parent_pid` is the process whose end may end the backend:
    this one by default. Make one per Blender session: it counts failed starts and crashes (at most 3 in
    5 minutes).
    """

    def __init__(self, command: Sequence[str], handoff: Path, parent_pid: int | None = None) -> None:
        self.log = handoff.with_suffix(".log")
        self._command = tuple(command)
        self._path = handoff
        self._parent_pid = os.getpid() if parent_pid is None else parent_pid
        self._process: subprocess.Popen[bytes] | None = None
        self._current: Handoff | None = None
        self._failures: deque[float] = deque(maxlen=MAX_FAILURES)
        self._lock = threading.Lock()

    def ensure(self, stopping: threading.Event) -> Endpoint:
        """A living backend's endpoint. Blocks for seconds: only for worker threads.

        Raises:
            BackendError: it cannot be started, or failed too often, or `stopping` was set.
            VersionError: a living backend speaks another protocol.
        """
        with self._lock:
            self._note_exit()
            handoff = self._find(stopping)
            if handoff is None:
                self._check_failures()
                handoff = self._start(stopping)
            self._current = handoff
            return _endpoint(handoff)

    def alive(self) -> bool:
        """False once the backend process has ended."""
        current = self._current
        return current is not None and not self._ended(current.pid)

    def stop(self, patience: float = 3.0) -> None:
        """Stop the backend: ask, wait, terminate, kill; waits `patience` seconds after each.

        Raises:
            BackendError: other clients use it; it goes on.
        """
        with self._lock:
            nothing = threading.Event()  # a stop is not to be cut short
            handoff = self._find(nothing)
            if handoff is not None:
                refusal = ask_to_stop(_endpoint(handoff), lambda: not self._ended(handoff.pid))
                if refusal is not None:
                    raise refusal
                self._end(handoff.pid, patience, nothing)
                remove_handoff(self._path, handoff)
            if self._process is not None:
                self._end(self._process.pid, patience, nothing)
                self._process = None
            self._current = None

    def _find(self, stopping: threading.Event) -> Handoff | None:
        """The backend that the handoff names, if it answers; a stale handoff is removed.

        Raises `BackendError` when `stopping` was set before anything answered.
        """
        try:
            handoff = read_handoff(self._path)
        except FileFormatError as error:
            _log.info("%s", error)  # the next backend writes over it
            return None
        if handoff is None:
            return None
        try:
            if self._answers(handoff, stopping):
                return handoff
        except AuthError:
            _log.info("another backend has the port of the handoff %s", self._path)
        if stopping.is_set():
            raise BackendError("looking for the backend was given up")
        remove_handoff(self._path, handoff)
        return None

    def _answers(self, handoff: Handoff, stopping: threading.Event) -> bool:
        def going_on() -> bool:
            return not stopping.is_set() and not self._ended(handoff.pid)

        return going_on() and answers(_endpoint(handoff), going_on)

    def _start(self, stopping: threading.Event) -> Handoff:
        if self._process is not None:
            self._end(self._process.pid, 1.0, stopping)  # it is there but does not answer
        if stopping.is_set():
            raise BackendError("starting the backend was given up")
        self._process = self._launch()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if stopping.wait(_POLL_SECONDS):
                raise BackendError("starting the backend was given up")
            handoff = self._glimpse()
            if handoff is not None and self._answers(handoff, stopping):
                return handoff
            if self._process.poll() is not None:
                break
        self._end(self._process.pid, 1.0, stopping)
        self._process = None
        self._failures.append(time.monotonic())
        raise BackendError(f"the backend did not start: {self._last_words()}", f"See {self.log}")

    def _glimpse(self) -> Handoff | None:
        """The handoff, None while it cannot be read: on Windows that is so while it is replaced."""
        try:
            return read_handoff(self._path)
        except InputError:
            return None

    def _launch(self) -> subprocess.Popen[bytes]:
        options = ["--handoff", str(self._path), "--parent-pid", str(self._parent_pid)]
        command = [*self._command, "serve", *options]
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            grown = self.log.exists() and self.log.stat().st_size > _MAX_LOG_BYTES
            log = self.log.open("wb" if grown else "ab")
        except OSError as error:
            raise output_error(self.log, error) from error
        with log:
            try:
                return _spawn(command, environment, log.fileno())
            except OSError as error:
                self._failures.append(time.monotonic())
                raise BackendError(
                    f"cannot run {command[0]}: {error.strerror or error}", "Install the backend again"
                ) from error

    def _note_exit(self) -> None:
        """Count our process's end as a failure unless it ended well."""
        if self._process is not None and self._process.poll() is not None:
            if self._process.returncode != 0:
                self._failures.append(time.monotonic())
            self._process = None

    def _check_failures(self) -> None:
        full = len(self._failures) == MAX_FAILURES
        if full and time.monotonic() - self._failures[0] < FAILURE_WINDOW_SECONDS:
            raise BackendError(
                f"the backend failed {MAX_FAILURES} times in {FAILURE_WINDOW_SECONDS / 60:.0f} minutes: "
                f"{self._last_words()}",
                f"See {self.log}, or run `vividtalk doctor`",
            )

    def _last_words(self) -> str:
        """The last line of the log that says something."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 4096))
                lines = file.read().decode("utf-8", "replace").split("\n")
        except OSError:
            return "it left no log"
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def _ended(self, pid: int) -> bool:
        process = self._process
        if process is not None and process.pid == pid:
            return process.poll() is not None
        return not pid_alive(pid)

    def _end(self, pid: int, patience: float, stopping: threading.Event) -> None:
        """The rest of the ladder: wait, terminate, kill; without waiting once `stopping` is set."""
        for number in (None, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            if number is not None:
                _log.warning("the backend process %d does not end; sending %s", pid, number)
                _signal(pid, number)
            if _wait_until(lambda: self._ended(pid), patience, stopping):
                return


def _endpoint(handoff: Handoff) -> Endpoint:
    return Endpoint(handoff.host, handoff.port, handoff.token)


def _wait_until(done: Callable[[], bool], seconds: float, stopping: threading.Event) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline or stopping.wait(_POLL_SECONDS):
            return False
    return True


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError as error:  # for a process that has gone, the kind of error differs by system
        _log.info("process %d: %s", pid, error)


def _spawn(command: Sequence[str], environment: dict[str, str], log: int) -> subprocess.Popen[bytes]:
    """A process of its own: no window, no console signals, nothing of ours but the log."""
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, creationflags=flags
        )
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
    )

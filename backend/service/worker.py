"""The thread that runs jobs, one at a time, so that the server's loop never waits for a model."""

from __future__ import annotations

import itertools
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from blender_addon.protocol.bodies import ChunkBody, DoneBody, ProgressBody, body_json, error_body
from blender_addon.protocol.errors import BackendError, CancelledError, ProtocolError, VividTalkError
from blender_addon.protocol.messages import Message, MessageType, encode
from blender_addon.protocol.tensorfile import Array

from .jobs import Job, JobHandler

_log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 0.05
_CREDIT_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Output:
    """Frames of a message for a job's client. `kind` tells the server what to do with them."""

    job: Job
    kind: MessageType
    frames: list[bytes]


@dataclass(frozen=True)
class Idle:
    """The worker finished its task (None: the warm-up) and waits for the next."""

    job: Job | None


Report = Output | Idle


class Worker:
    """Runs one task at a time. `report` is called from the worker's thread and must not block."""

    def __init__(
        self,
        handlers: Mapping[str, JobHandler],
        report: Callable[[Report], None],
        message_ids: itertools.count[int],
    ) -> None:
        self._handlers = handlers
        self._report = report
        self._ids = message_ids
        self._tasks: queue.SimpleQueue[Job | Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="vividtalk-worker", daemon=True)
        self._thread.start()

    def warm_up(self, task: Callable[[], None]) -> None:
        """Run `task`; `Idle(None)` is reported after it."""
        self._tasks.put(task)

    def start(self, job: Job) -> None:
        """Run `job`; its `Output`s and then `Idle(job)` are reported."""
        self._tasks.put(job)

    def stop(self, patience: float) -> None:
        """End the thread after its task; a task that outlasts `patience` seconds dies with the process."""
        self._tasks.put(None)
        self._thread.join(patience)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            if isinstance(task, Job):
                self._run_job(task)
                self._report(Idle(task))
            else:
                self._run_warm_up(task)
                self._report(Idle(None))

    def _run_warm_up(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception:
            _log.exception("the warm-up failed; the first job will say why")

    def _run_job(self, job: Job) -> None:
        run = _Run(job, self._report, self._ids)
        try:
            result = self._handlers[job.kind](job.params, job.inputs.arrays, run)
            body = body_json(DoneBody(dict(result), run.chunks))
            run.send(MessageType.DONE, body)
        except VividTalkError as error:
            run.send(MessageType.ERROR, error_body(error))
        except Exception as error:
            _log.exception("job %s (%s) failed", job.key[1], job.kind)
            failure = BackendError(
                f"the backend failed in a {job.kind} job: {type(error).__name__}: {error}"[:1000],
                "This is a bug; its traceback is in the backend's log",
            )
            run.send(MessageType.ERROR, error_body(failure))


class _Run:
    """The `JobContext` of one job."""

    def __init__(self, job: Job, report: Callable[[Report], None], ids: itertools.count[int]) -> None:
        self._job = job
        self._report = report
        self._ids = ids
        self._last_phase = ""
        self._last_progress = -math.inf
        self.chunks = 0

    def cancelled(self) -> bool:
        return self._job.ended.is_set()

    def raise_if_cancelled(self) -> None:
        if self.cancelled():
            raise CancelledError("the job was cancelled")

    def progress(self, phase: str, fraction: float) -> None:
        now = time.monotonic()
        if phase == self._last_phase and now - self._last_progress < _PROGRESS_SECONDS:
            return
        self._last_phase, self._last_progress = phase, now
        body = ProgressBody(phase, min(1.0, max(0.0, float(fraction))))
        self.send(MessageType.PROGRESS, body_json(body))

    def chunk(self, start: int, arrays: Mapping[str, Array]) -> None:
        if not arrays:
            raise ProtocolError("a chunk has no arrays")
        while not self._job.credits.acquire(timeout=_CREDIT_POLL_SECONDS):
            self.raise_if_cancelled()
        self.raise_if_cancelled()
        self.send(MessageType.CHUNK, body_json(ChunkBody(self.chunks, int(start))), arrays)
        self.chunks += 1

    def send(
        self, kind: MessageType, body: Mapping[str, object], arrays: Mapping[str, Array] | None = None
    ) -> None:
        """Report a message of this job."""
        message = Message(kind, body, arrays or {}, self._job.key[1], next(self._ids), self._job.protocol)
        self._report(Output(self._job, kind, encode(message)))

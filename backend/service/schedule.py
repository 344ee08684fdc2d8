"""Which jobs there are, in what order they run, and to whom their output goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

from blender_addon.protocol import limits
from blender_addon.protocol.bodies import ProgressBody, SubmitBody, UploadBody, body_json, read_body
from blender_addon.protocol.errors import BackendError, InputError, ProtocolError
from blender_addon.protocol.messages import Message, MessageType

from .clients import Client, Clients
from .jobs import Job, JobKey
from .uploads import Inputs, read_inputs
from .worker import Idle, Output

_LAST = (MessageType.DONE, MessageType.ERROR)

Send = Callable[[Client, MessageType, str, Mapping[str, Any]], None]
"""send(client, type, job, body) puts a message into the client's outbox."""


class Schedule:
    """Jobs that have not ended; used by the server's thread only. `start` hands one to the worker."""

    def __init__(
        self, kinds: Collection[str], clients: Clients, send: Send, start: Callable[[Job], None]
    ) -> None:
        self._kinds = kinds
        self._clients = clients
        self._send = send
        self._start = start
        self._jobs: dict[JobKey, Job] = {}
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self.warming = False

    def submit(self, client: Client, message: Message) -> None:
        """Accept a job; it waits for its uploads, then for the worker. Raises `VividTalkError`."""
        key = (client.identity, message.job)
        if not message.job or key in self._jobs:
            raise ProtocolError("a job has no id or one that is in use")
        body = read_body(SubmitBody, message.body)
        inputs = Inputs(read_inputs(body.inputs))
        self._check_room(body.kind, inputs)
        job = self._jobs[key] = Job(key, client.protocol, body.kind, body.params, inputs)
        if inputs.complete:
            self._enqueue(job)

    def _check_room(self, kind: str, inputs: Inputs) -> None:
        if kind not in self._kinds:
            raise InputError(f"the backend knows no job {kind[:40]!r}", f"It knows {', '.join(self._kinds)}")
        if len(self._jobs) >= limits.MAX_QUEUED_JOBS:
            raise BackendError(f"{len(self._jobs)} jobs already wait in the backend", "Try again later")
        if inputs.nbytes + sum(job.inputs.nbytes for job in self._jobs.values()) > limits.MAX_UPLOAD_BYTES:
            raise BackendError("the backend already holds many uploads", "Try again later, or give paths")

    def upload(self, client: Client, message: Message) -> None:
        """Take a part of a job's input; parts for a job that has ended are dropped."""
        job = self._jobs.get((client.identity, message.job))
        if job is None:
            return
        if len(message.arrays) != 1:
            raise ProtocolError("an upload does not have exactly one part")
        ((name, part),) = message.arrays.items()
        job.inputs.add(name, read_body(UploadBody, message.body).offset, part)
        if job.inputs.complete:
            self._enqueue(job)

    def cancel(self, client: Client, name: str) -> None:
        """Cancel a job and say so at once, whatever its handler does.

        A job that has ended, or whose submit was never sent, gets the same answer.
        """
        job = self._jobs.get((client.identity, name))
        if job is not None:
            self._end(job)
            self._announce()
        self._send(client, MessageType.CANCELLED, name, {})

    def drop(self, client: Client) -> None:
        """Cancel all jobs of a client that has gone."""
        for job in [job for job in self._jobs.values() if job.key[0] == client.identity]:
            self._end(job)
        self._announce()

    def output(self, output: Output) -> None:
        """Pass a running job's message on, unless the job has ended."""
        job = output.job
        client = self._clients.find(job.key[0])
        if job.ended.is_set() or client is None:
            return
        if output.kind is MessageType.PROGRESS and client.busy:
            return
        client.outbox.append((output.frames, job if output.kind is MessageType.CHUNK else None))
        if output.kind in _LAST:
            self._end(job)

    def idle(self, report: Idle) -> None:
        """The worker is free."""
        if report.job is None:
            self.warming = False
        self._running = None
        self._start_next()
        self._announce()

    def end_all(self) -> None:
        """Cancel everything, at the server's end."""
        for job in list(self._jobs.values()):
            self._end(job)

    def _end(self, job: Job) -> None:
        job.ended.set()
        del self._jobs[job.key]
        if job in self._waiting:
            self._waiting.remove(job)

    def _enqueue(self, job: Job) -> None:
        self._waiting.append(job)
        self._start_next()
        if job in self._waiting:
            self._announce_place(len(self._waiting) - 1)

    def _start_next(self) -> None:
        if self._waiting and self._running is None and not self.warming:
            self._running = self._waiting.popleft()
            self._start(self._running)

    def _announce(self) -> None:
        for index in range(len(self._waiting)):
            self._announce_place(index)

    def _announce_place(self, index: int) -> None:
        """Tell a waiting job's client how many jobs go before it."""
        job = self._waiting[index]
        client = self._clients.find(job.key[0])
        if client is not None and not client.busy:
            phase = "loading models" if self.warming else "waiting"
            ahead = index + (0 if self._running is None else 1)
            self._send(client, MessageType.PROGRESS, job.key[1], body_json(ProgressBody(phase, 0.0, ahead)))

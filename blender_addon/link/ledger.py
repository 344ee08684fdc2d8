"""The jobs of a client that have not ended, and the order of their chunks."""

from __future__ import annotations

import threading
import uuid

from ..protocol.bodies import ChunkBody, DoneBody, ErrorBody, ProgressBody, error_from, read_body
from ..protocol.errors import BackendError, ProtocolError
from ..protocol.messages import Message, MessageType
from .events import Cancelled, Chunk, Done, Event, Failed, Progress

_ABOUT_JOBS = (
    MessageType.PROGRESS,
    MessageType.CHUNK,
    MessageType.DONE,
    MessageType.ERROR,
    MessageType.CANCELLED,
)


class Ledger:
    """Open jobs with the number of chunks that came; shared by the client's thread and its owner."""

    def __init__(self) -> None:
        self._chunks: dict[str, int] = {}
        self._closed = False
        self._lock = threading.Lock()

    @property
    def closed(self) -> bool:
        """True once no more jobs are taken."""
        return self._closed

    def open(self) -> str:
        """Enter a new job and return its id. Raises `BackendError` once closed."""
        job = uuid.uuid4().hex
        with self._lock:
            if self._closed:
                raise BackendError("the connection to the backend is over", "Connect again")
            self._chunks[job] = 0
        return job

    def close(self) -> tuple[str, ...]:
        """Take no more jobs; the ids of those that had not ended."""
        with self._lock:
            self._closed = True
            jobs = tuple(self._chunks)
            self._chunks.clear()
        return jobs

    def event(self, message: Message) -> Event | None:
        """What a message about a job means to the owner; None when the job has ended for us already.

        A job whose chunks do not follow one another fails with a `ProtocolError`.

        Raises:
            ProtocolError: the message is not about a job, or badly formed.
        """
        if message.type not in _ABOUT_JOBS:
            raise ProtocolError(f"the backend may not send {message.type} now")
        with self._lock:
            if message.job not in self._chunks:
                return None
            event = self._read(message, self._chunks[message.job])
            if isinstance(event, Chunk):
                self._chunks[message.job] += 1
            elif not isinstance(event, Progress):
                del self._chunks[message.job]
        return event

    def _read(self, message: Message, chunks: int) -> Event:
        job = message.job
        match message.type:
            case MessageType.PROGRESS:
                progress = read_body(ProgressBody, message.body)
                return Progress(job, progress.phase, progress.fraction, progress.ahead)
            case MessageType.CHUNK:
                chunk = read_body(ChunkBody, message.body)
                if chunk.sequence != chunks:
                    return Failed(job, ProtocolError(f"chunk {chunk.sequence} came where {chunks} must come"))
                return Chunk(job, chunk.sequence, chunk.start, message.arrays)
            case MessageType.DONE:
                done = read_body(DoneBody, message.body)
                if done.chunks != chunks:
                    return Failed(job, ProtocolError(f"{chunks} of {done.chunks} chunks came"))
                return Done(job, done.result)
            case MessageType.ERROR:
                error = read_body(ErrorBody, message.body)
                return Failed(job, error_from(error.code, error.message, error.hint))
            case _:
                return Cancelled(job)

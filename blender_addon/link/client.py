"""The client side of the wire: a worker thread owns the socket; the owner's thread never waits.

client = BackendClient(Supervisor(command, handoff_path))
job = client.submit("animate", {"audio_path": "/line.wav", "fps": 25.0, "seed": 0})
for event in client.poll():     # from a timer, some times a second
    ...
client.close()                  # at unregister
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Mapping
from typing import Any

import zmq

from ..protocol import limits
from ..protocol.bodies import SubmitBody, body_json
from ..protocol.errors import BackendError, InputError, VividTalkError
from ..protocol.messages import Message, MessageType, describe, encode, spec_json
from ..protocol.sockets import Wakeup
from ..protocol.tensorfile import Array
from .endpoint import Backend
from .events import Connected, Event, Lost
from .handshake import open_socket, say_hello
from .inbox import Inbox
from .ledger import Ledger
from .session import Cancel, Desk, Session, Submit

_log = logging.getLogger(__name__)
_LINGER_MS = 300


class BackendClient:
    """One connection to one backend.

    Its thread starts at once, obtains a living backend, says hello and keeps the lease by heartbeats.
    Every method returns at once, except `close` and a `poll` that is asked to wait. Jobs may be submitted
    before `Connected` was reported. After `Lost` the client is over; close it and make a new one.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._desk = Desk(queue.SimpleQueue(), Inbox(), Ledger(), Wakeup(), threading.Event())
        self._thread = threading.Thread(target=self._run, name="vividtalk-link", daemon=True)
        self._thread.start()

    def submit(self, kind: str, params: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> str:
        """Queue a job and return its id. `arrays` (such as `samples`) go up in parts; do not change them.

        Raises:
            BackendError: the connection is over.
            ProtocolError, InputError: parameters or arrays cannot be sent.
        """
        arrays = arrays or {}
        _check_job(kind, params, arrays)
        job = self._desk.ledger.open()
        self._desk.commands.put(Submit(job, kind, dict(params), dict(arrays)))
        self._desk.wakeup.notify()
        return job

    def cancel(self, job: str) -> None:
        """Ask to cancel `job`; `Cancelled` follows within a second, unless it had already ended."""
        self._desk.commands.put(Cancel(job))
        self._desk.wakeup.notify()

    def poll(self, limit: int = 64, wait: float = 0.0) -> list[Event]:
        """Up to `limit` events that came since the last call; waits up to `wait` seconds for the first."""
        was_full = self._desk.inbox.full
        events = self._desk.inbox.take(limit, wait)
        if was_full:
            self._desk.wakeup.notify()
        return events

    @property
    def lost(self) -> bool:
        """True once the connection is over, whether or not `Lost` was polled yet."""
        return self._desk.ledger.closed

    def close(self, timeout: float = 3.0) -> None:
        """Say goodbye (unfinished jobs are cancelled), end the thread and free its socket."""
        self._desk.stopping.set()
        self._desk.wakeup.notify()
        self._thread.join(timeout)
        if not self._thread.is_alive():
            self._desk.wakeup.close()

    def _run(self) -> None:
        try:
            self._connect_and_serve()
            self._desk.ledger.close()
        except VividTalkError as error:
            self._lose(error)
        except Exception as error:
            _log.exception("the link's thread failed")
            self._lose(BackendError(f"the link failed: {type(error).__name__}: {error}", "This is a bug"))

    def _connect_and_serve(self) -> None:
        endpoint = self._backend.ensure(self._desk.stopping)
        context: zmq.Context[Any] = zmq.Context()
        try:
            socket = open_socket(context, endpoint)
            try:
                welcome = say_hello(socket, endpoint, self._going_on)
                self._desk.inbox.put(Connected(welcome.server, welcome.protocol, welcome.state))
                Session(socket, welcome, self._desk).run(self._backend.alive)
            finally:
                socket.close(linger=_LINGER_MS)
        finally:
            context.term()

    def _going_on(self) -> bool:
        return self._backend.alive() and not self._desk.stopping.is_set()

    def _lose(self, error: VividTalkError) -> None:
        self._desk.inbox.put(Lost(error, self._desk.ledger.close()))


def _check_job(kind: str, params: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Raise here, in the owner's thread, what could not be sent later."""
    inputs = [spec_json(describe(name, array)) for name, array in arrays.items()]
    encode(Message(MessageType.SUBMIT, body_json(SubmitBody(kind, params, inputs))))
    size = sum(array.nbytes for array in arrays.values())
    if size > limits.MAX_UPLOAD_BYTES:
        raise InputError(
            f"an input of {size >> 20} MiB is above {limits.MAX_UPLOAD_BYTES >> 20} MiB",
            "Give the sound as a path instead of samples",
        )

"""Short conversations with a backend: does it answer, and would it stop?"""

from __future__ import annotations

import logging
import socket as network
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import zmq

from ..protocol.bodies import ErrorBody, WelcomeBody, error_from, read_body
from ..protocol.errors import AuthError, BackendError, ProtocolError, VersionError, VividTalkError
from ..protocol.messages import Message, MessageType, decode, encode
from ..protocol.sockets import Socket, receive_frames
from .endpoint import Endpoint
from .handshake import open_socket, say_hello

_log = logging.getLogger(__name__)

_CONNECT_SECONDS = 1.0
_REPLY_MS = 2000
_LINGER_MS = 300


@contextmanager
def conversation(endpoint: Endpoint, going_on: Callable[[], bool]) -> Iterator[tuple[Socket, WelcomeBody]]:
    """A welcomed socket for a few messages; says goodbye at the end.

    Raises `VividTalkError`, soon after `going_on()` has become false at the latest.
    """
    context: zmq.Context[Any] = zmq.Context()
    try:
        socket = open_socket(context, endpoint)
        try:
            welcome = say_hello(socket, endpoint, going_on)
            yield socket, welcome
            socket.send_multipart(encode(Message(MessageType.BYE, id=3, protocol=welcome.protocol)))
        finally:
            socket.close(linger=_LINGER_MS)
    finally:
        context.term()


def answers(endpoint: Endpoint, going_on: Callable[[], bool]) -> bool:
    """True when a backend welcomes us there, False when nothing of ours answers while `going_on()`.

    Raises:
        VersionError: a backend of another version does.
        AuthError: a backend with another token does.
    """
    if not _listens(endpoint):
        return False
    try:
        with conversation(endpoint, going_on):
            return True
    except (VersionError, AuthError):
        raise
    except (BackendError, ProtocolError):
        return False


def _listens(endpoint: Endpoint) -> bool:
    """Whether any program has the port; ZeroMQ would go on trying until the hello times out."""
    try:
        with network.create_connection((endpoint.host, endpoint.port), _CONNECT_SECONDS):
            return True
    except OSError:
        return False


def ask_to_stop(endpoint: Endpoint, going_on: Callable[[], bool]) -> VividTalkError | None:
    """Ask a backend to stop. Its refusal (others use it), or None when it agreed or did not reply."""
    try:
        with conversation(endpoint, going_on) as (socket, welcome):
            socket.send_multipart(encode(Message(MessageType.SHUTDOWN, id=2, protocol=welcome.protocol)))
            while socket.poll(_REPLY_MS, zmq.POLLIN):
                reply = decode(receive_frames(socket))
                if reply.type is MessageType.ERROR:
                    error = read_body(ErrorBody, reply.body)
                    return error_from(error.code, error.message, error.hint)
                if reply.type is MessageType.BYE:
                    break
    except VividTalkError as error:
        _log.info("asking the backend to stop: %s", error)
    return None

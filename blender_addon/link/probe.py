"""Short conversations with a backend: does it answer, and would it stop?"""

from __future__ import annotations

import logging
from collections.abc import Iterator
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

_REPLY_MS = 2000
_LINGER_MS = 300


@contextmanager
def conversation(endpoint: Endpoint) -> Iterator[tuple[Socket, WelcomeBody]]:
    """A welcomed socket for a few messages; says goodbye at the end. Raises `VividTalkError`."""
    context: zmq.Context[Any] = zmq.Context()
    try:
        socket = open_socket(context, endpoint)
        try:
            welcome = say_hello(socket, endpoint, lambda: True)
            yield socket, welcome
            socket.send_multipart(encode(Message(MessageType.BYE, id=3, protocol=welcome.protocol)))
        finally:
            socket.close(linger=_LINGER_MS)
    finally:
        context.term()


def answers(endpoint: Endpoint) -> bool:
    """True when a backend welcomes us there, False when nothing of ours answers.

    Raises:
        VersionError: a backend of another version does.
        AuthError: a backend with another token does.
    """
    try:
        with conversation(endpoint):
            return True
    except (VersionError, AuthError):
        raise
    except (BackendError, ProtocolError):
        return False


def ask_to_stop(endpoint: Endpoint) -> VividTalkError | None:
    """Ask a backend to stop. Its refusal (others use it), or None when it agreed or did not reply."""
    try:
        with conversation(endpoint) as (socket, welcome):
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

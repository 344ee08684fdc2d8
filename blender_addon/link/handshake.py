"""Opening a connection: a socket with the right settings and keys, and the hello on it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import zmq

from ..protocol import limits
from ..protocol.bodies import HelloBody, RefusedBody, WelcomeBody, body_json, error_from, read_body
from ..protocol.errors import BackendError, InputError, ProtocolError
from ..protocol.messages import Message, MessageType, decode, encode
from ..protocol.sockets import Socket, configure, receive_frames
from .endpoint import Endpoint

_SLICE_MS = 100


def open_socket(context: zmq.Context[Any], endpoint: Endpoint) -> Socket:
    """A DEALER socket that connects to `endpoint`, encrypted when it has keys."""
    socket: Socket = context.socket(zmq.DEALER)
    configure(socket, endpoint.host)
    try:
        if endpoint.keys is not None:
            socket.setsockopt(zmq.CURVE_SERVERKEY, endpoint.keys.server_public.encode())
            socket.setsockopt(zmq.CURVE_PUBLICKEY, endpoint.keys.public.encode())
            socket.setsockopt(zmq.CURVE_SECRETKEY, endpoint.keys.secret.encode())
        socket.connect(endpoint.address)
    except zmq.ZMQError as error:
        socket.close()
        raise InputError(f"cannot connect to {endpoint.address}: {error}") from error
    return socket


def say_hello(socket: Socket, endpoint: Endpoint, going_on: Callable[[], bool]) -> WelcomeBody:
    """Say hello and wait for the answer while `going_on()`, at most `HELLO_SECONDS`.

    Raises:
        VersionError, AuthError: the backend refuses us.
        BackendError: no answer came, or the backend is full.
        ProtocolError: the answer is none of ours.
    """
    pid = os.getpid() if endpoint.keys is None else 0
    body = HelloBody(limits.PROTOCOL_MIN, limits.PROTOCOL_MAX, endpoint.token, pid)
    socket.send_multipart(encode(Message(MessageType.HELLO, body_json(body))))
    deadline = time.monotonic() + limits.HELLO_SECONDS
    while not socket.poll(_SLICE_MS, zmq.POLLIN):
        if time.monotonic() > deadline or not going_on():
            raise BackendError(f"no backend answers at {endpoint.address}", "Start it again")
    return _read_answer(decode(receive_frames(socket)))


def _read_answer(answer: Message) -> WelcomeBody:
    if answer.type is MessageType.REFUSED:
        refused = read_body(RefusedBody, answer.body)
        raise error_from(refused.code, refused.message, refused.hint)
    if answer.type is not MessageType.WELCOME:
        raise ProtocolError(f"the backend answered hello with {answer.type}")
    welcome = read_body(WelcomeBody, answer.body)
    if not limits.PROTOCOL_MIN <= welcome.protocol <= limits.PROTOCOL_MAX:
        raise ProtocolError(f"the backend chose protocol {welcome.protocol}, which was not offered")
    return welcome

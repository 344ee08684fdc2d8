"""CURVE encryption for a listener beyond this machine: the key folder, and ZeroMQ's question who may enter.

The folder has `server.key_secret` and `clients/*.key`, certificates as `zmq.auth` writes them.
The question comes by ZAP (https://rfc.zeromq.org/spec/27/): seven frames asked, six answered.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zmq
from zmq.auth import load_certificate
from zmq.utils import z85

from blender_addon.protocol.errors import InputError, MissingExtraError
from blender_addon.protocol.sockets import Socket

from .config import ServerKeys

_ZAP_ADDRESS = "inproc://zeromq.zap.01"
_ZAP_VERSION = b"1.0"
_DOMAIN = b"vividtalk"


def read_server_keys(folder: Path) -> ServerKeys:
    """Keys from a folder. Raises `InputError` when one is missing or no client is allowed."""
    public, secret = _read_certificate(folder / "server.key_secret")
    if secret is None:
        raise InputError(f"{folder / 'server.key_secret'} has no secret key")
    clients = sorted((folder / "clients").glob("*.key"))
    if not clients:
        raise InputError(
            f"{folder / 'clients'} has no client's .key file", "Put the clients' public keys there"
        )
    allowed = frozenset(_read_certificate(path)[0].decode() for path in clients)
    return ServerKeys(public.decode(), secret.decode(), allowed)


def _read_certificate(path: Path) -> tuple[bytes, bytes | None]:
    try:
        return load_certificate(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the key {path}: {error}", "Make keys with zmq.auth") from error


class Doorkeeper:
    """Answers ZeroMQ for each new connection: only known CURVE keys may enter."""

    def __init__(self, context: zmq.Context[Any], keys: ServerKeys) -> None:
        if not zmq.has("curve"):
            raise MissingExtraError("this pyzmq was built without CURVE", "Install pyzmq's own wheel")
        self._keys = keys
        self.socket: Socket = context.socket(zmq.REP)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(_ZAP_ADDRESS)

    def guard(self, server: Socket) -> None:
        """Make `server` a CURVE server. Before its bind."""
        server.setsockopt(zmq.ZAP_DOMAIN, _DOMAIN)
        server.setsockopt(zmq.CURVE_PUBLICKEY, self._keys.public.encode())
        server.setsockopt(zmq.CURVE_SECRETKEY, self._keys.secret.encode())
        server.setsockopt(zmq.CURVE_SERVER, 1)

    def answer(self) -> None:
        """Answer one question that waits."""
        version, request, *rest = self.socket.recv_multipart(zmq.NOBLOCK)
        *_, mechanism, key = rest
        name = z85.encode(key).decode() if mechanism == b"CURVE" else ""  # type: ignore[no-untyped-call]
        known = version == _ZAP_VERSION and name in self._keys.allowed
        status = (b"200", b"OK") if known else (b"400", b"unknown key")
        self.socket.send_multipart([_ZAP_VERSION, request, *status, b"", b""])

    def close(self) -> None:
        """Free the socket."""
        self.socket.close()

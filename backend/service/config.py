"""How a backend serves: where it listens, whom it lets in, how long it lives."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from blender_addon.protocol import limits
from blender_addon.protocol.errors import InputError
from blender_addon.protocol.handoff import new_token


@dataclass(frozen=True)
class ServerKeys:
    """CURVE: this server's key pair (Z85 text) and the public keys of the clients that may connect."""

    public: str
    secret: str
    allowed: frozenset[str]


@dataclass(frozen=True)
class ServeConfig:
    """Settings of one run of the service.

    Attributes:
        host: address to listen on; anything but loopback needs `keys`.
        port: 0 lets the system choose.
        token: what a client must show on loopback; with `keys` the key is what it must show.
        handoff_path: where to say that we run; removed at exit.
        parent_pid: end when this process has ended and no other client holds a lease.
        lease_seconds: forget a client after this silence; end this long after the last one was heard.
        stay: serve on without clients, as a machine for others does.
        keys: CURVE keys for a listener beyond this machine.
        warm_up: run first by the worker, such as loading models; clients are answered meanwhile.
        version: the program's version, for the welcome.
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: str = field(default_factory=new_token)
    handoff_path: Path | None = None
    parent_pid: int | None = None
    lease_seconds: float = limits.LEASE_SECONDS
    stay: bool = False
    keys: ServerKeys | None = None
    warm_up: Callable[[], None] | None = None
    version: str = ""

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and self.keys is None:
            raise InputError(
                f"refusing to listen on {self.host} without encryption",
                "Give --keys FOLDER with the server's and the clients' CURVE keys, or listen on 127.0.0.1",
            )
        if not self.token and self.keys is None:
            raise InputError("a server on loopback needs a token")
        if not 0 <= self.port <= 65535 or self.lease_seconds <= 0:
            raise InputError(f"port {self.port} or lease {self.lease_seconds} s is impossible")


def is_loopback(host: str) -> bool:
    """True for addresses that only this machine can reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

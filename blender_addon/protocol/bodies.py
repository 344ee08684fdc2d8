"""The bodies of the messages, typed. Unknown fields are ignored, so that a version may add some."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, TypeVar

from . import limits
from .errors import ERRORS_BY_CODE, ProtocolError, VersionError, VividTalkError
from .messages import read_integer


@dataclass(frozen=True)
class HelloBody:
    """Client to backend, first of all. `pid` is the client's process on this machine, else 0."""

    protocol_min: int
    protocol_max: int
    token: str
    pid: int = 0


@dataclass(frozen=True)
class WelcomeBody:
    """The backend's answer: the chosen protocol version, its program version, `warming` or `ready`."""

    protocol: int
    server: str
    state: str


@dataclass(frozen=True)
class RefusedBody:
    """The backend will not talk: why, and which versions it speaks."""

    code: str
    message: str
    hint: str
    protocol_min: int = limits.PROTOCOL_MIN
    protocol_max: int = limits.PROTOCOL_MAX


@dataclass(frozen=True)
class HeartbeatBody:
    """Both ways, every second. `state` is the backend's, as in `WelcomeBody`; a client's is empty."""

    state: str = ""


@dataclass(frozen=True)
class SubmitBody:
    """A job: its kind, its parameters, and descriptors of the arrays that `upload` messages will bring."""

    kind: str
    params: Mapping[str, Any]
    inputs: list[Any]


@dataclass(frozen=True)
class UploadBody:
    """Where the message's one flat array goes in the input of its name: the first element's index."""

    offset: int


@dataclass(frozen=True)
class ProgressBody:
    """How far a job is; `ahead` jobs go before it."""

    phase: str
    fraction: float
    ahead: int = 0


@dataclass(frozen=True)
class ChunkBody:
    """The message's arrays begin at frame `start`; `sequence` counts a job's chunks from 0."""

    sequence: int
    start: int


@dataclass(frozen=True)
class DoneBody:
    """What the job's handler returned, and how many chunks it has sent."""

    result: Mapping[str, Any]
    chunks: int


@dataclass(frozen=True)
class ErrorBody:
    """An error by its code in the error tree. `reply_to` is the id of the message that caused it, or 0."""

    code: str
    message: str
    hint: str
    reply_to: int = 0


Body = TypeVar("Body")


def body_json(body: Any) -> dict[str, Any]:
    """A body dataclass as it stands in a header."""
    return asdict(body)


def read_body(kind: type[Body], raw: Mapping[str, Any]) -> Body:
    """A `kind` from a message's body; raises `ProtocolError` when a field is missing or of a wrong type."""
    values: dict[str, Any] = {}
    for item in fields(kind):  # type: ignore[arg-type]
        if item.name in raw:
            values[item.name] = _read_field(str(item.type), item.name, raw[item.name])
        elif item.default is MISSING:
            raise ProtocolError(f"a message lacks its field {item.name}")
    return kind(**values)


def _read_field(annotation: str, name: str, value: Any) -> Any:
    if annotation == "int":
        return read_integer(value, name)
    if annotation == "float":
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    elif isinstance(value, _CLASSES[annotation]):
        return value
    raise ProtocolError(f"a message's field {name} is not of type {annotation}")


_CLASSES: dict[str, type] = {"str": str, "bool": bool, "Mapping[str, Any]": dict, "list[Any]": list}


def error_body(error: VividTalkError, reply_to: int = 0) -> dict[str, Any]:
    """The body of an `error` message for `error`."""
    return body_json(ErrorBody(error.code, error.what, error.hint, reply_to))


def error_from(code: str, message: str, hint: str) -> VividTalkError:
    """The error that a peer named; the tree's root for a code that this version does not know."""
    return ERRORS_BY_CODE.get(code, VividTalkError)(message, hint)


def choose_protocol(hello: HelloBody) -> int:
    """The highest version that both sides speak. Raises `VersionError`, which says who has to update."""
    highest = min(hello.protocol_max, limits.PROTOCOL_MAX)
    if highest >= max(hello.protocol_min, limits.PROTOCOL_MIN):
        return highest
    older = "the add-on" if hello.protocol_max < limits.PROTOCOL_MIN else "the backend"
    raise VersionError(
        f"the add-on speaks protocol {hello.protocol_min} to {hello.protocol_max}, "
        f"the backend {limits.PROTOCOL_MIN} to {limits.PROTOCOL_MAX}",
        f"Update {older}",
    )

"""Framing: a message is a JSON header frame and then one frame of raw bytes per array.

Nothing is allocated from a number that a peer declared: every array must be exactly as long as the frame
that carries it, and frames are bounded (`limits.py`) before they are read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from . import limits
from .errors import ProtocolError
from .tensorfile import Array

_DTYPES = (
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
)
_ORDERS = ("little", "big")
_MAX_INTEGER = 1 << 53  # exact in every JSON reader


class MessageType(StrEnum):
    """Every message of the protocol; docs/protocol.md says who sends it and when."""

    HELLO = "hello"
    WELCOME = "welcome"
    REFUSED = "refused"
    HEARTBEAT = "heartbeat"
    SUBMIT = "submit"
    UPLOAD = "upload"
    CANCEL = "cancel"
    PROGRESS = "progress"
    CHUNK = "chunk"
    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"
    BYE = "bye"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True)
class ArraySpec:
    """What a header says of an array. `order` is `little` or `big`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    order: str = "little"

    @property
    def nbytes(self) -> int:
        """Size of the array in bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Message:
    """A decoded message. `id` counts a sender's messages; `job` is "" for those about the connection."""

    type: MessageType
    body: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    job: str = ""
    id: int = 0
    protocol: int = limits.PROTOCOL_MAX


def describe(name: str, array: Array) -> ArraySpec:
    """The descriptor under which `array` is sent, little-endian; `ProtocolError` when it cannot be sent."""
    return read_spec(spec_json(ArraySpec(name, array.dtype.name, array.shape)))


def spec_json(spec: ArraySpec) -> dict[str, Any]:
    """A descriptor as it stands in a header."""
    return {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape), "order": spec.order}


def encode(message: Message) -> list[bytes]:
    """Frames of `message`. Raises `ProtocolError` when it does not fit the limits or JSON."""
    specs = [describe(name, array) for name, array in message.arrays.items()]
    header = {
        "protocol": message.protocol,
        "id": message.id,
        "job": message.job,
        "type": message.type.value,
        "arrays": [spec_json(spec) for spec in specs],
        "body": message.body,
    }
    try:
        text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"a {message.type} message cannot be written as JSON: {error}") from error
    frames = [text]
    for array in message.arrays.values():
        little = array.dtype.newbyteorder("<")
        frames.append(np.asarray(array, little).tobytes())
    check_sizes([len(frame) for frame in frames])
    return frames


def decode(frames: Sequence[bytes], max_header: int = limits.MAX_HEADER_BYTES) -> Message:
    """The message in `frames`, its arrays read-only views of them in native byte order.

    Raises:
        ProtocolError: anything at all is not as the protocol says.
    """
    if not frames or len(frames[0]) > max_header:
        raise ProtocolError(f"a message has no header or one above {max_header} bytes")
    check_sizes([len(frame) for frame in frames])
    header = _read_json(frames[0])
    kind = header.get("type")
    if not isinstance(kind, str) or kind not in MessageType._value2member_map_:
        raise ProtocolError("a message has an unknown type")
    job, body, specs = header.get("job", ""), header.get("body", {}), header.get("arrays", [])
    if not isinstance(job, str) or len(job) > limits.MAX_NAME_CHARS or not isinstance(body, dict):
        raise ProtocolError(f"a {kind} message has a bad job id or body")
    return Message(
        type=MessageType(kind),
        body=body,
        arrays=_read_arrays(specs, frames[1:]),
        job=job,
        id=read_integer(header.get("id", 0), "message id"),
        protocol=read_integer(header.get("protocol"), "protocol version"),
    )


def check_sizes(sizes: Sequence[int]) -> None:
    """Raise `ProtocolError` when frames of these sizes (header first) exceed the wire's limits."""
    if sizes[0] > limits.MAX_HEADER_BYTES or len(sizes) > 1 + limits.MAX_ARRAYS:
        raise ProtocolError(f"a message has {len(sizes) - 1} arrays and a header of {sizes[0]} bytes")
    if max(sizes) > limits.MAX_FRAME_BYTES or sum(sizes) > limits.MAX_MESSAGE_BYTES:
        raise ProtocolError(f"a message of {sum(sizes)} bytes is too large")


def read_integer(value: Any, what: str) -> int:
    """`value` if it is an integer in 0 .. 2^53, else `ProtocolError`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_INTEGER:
        raise ProtocolError(f"{what} is not a whole number from 0")
    return value


def read_spec(raw: Any) -> ArraySpec:
    """An array descriptor from a header, checked."""
    if not isinstance(raw, dict):
        raise ProtocolError("an array descriptor is not a map")
    name, dtype, shape, order = (raw.get(key) for key in ("name", "dtype", "shape", "order"))
    if not isinstance(name, str) or not 0 < len(name) <= limits.MAX_NAME_CHARS:
        raise ProtocolError("an array has no name or a very long one")
    if dtype not in _DTYPES or order not in _ORDERS:
        raise ProtocolError(f"array {name}: dtype or byte order is unknown")
    if not isinstance(shape, list) or len(shape) > limits.MAX_DIMENSIONS:
        raise ProtocolError(f"array {name}: the shape has more than {limits.MAX_DIMENSIONS} dimensions")
    lengths = tuple(read_integer(n, f"array {name}: a length") for n in shape)
    return ArraySpec(name, str(dtype), lengths, str(order))


def _read_json(frame: bytes) -> dict[str, Any]:
    try:
        header = json.loads(frame.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a message's header is not JSON") from error
    if not isinstance(header, dict):
        raise ProtocolError("a message's header is not a map")
    return header


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _read_arrays(raw: Any, frames: Sequence[bytes]) -> dict[str, Array]:
    if not isinstance(raw, list) or len(raw) != len(frames):
        raise ProtocolError(f"a message has {len(frames)} array frames that its header does not describe")
    specs = [read_spec(entry) for entry in raw]
    if len({spec.name for spec in specs}) != len(specs):
        raise ProtocolError("a message has two arrays of one name")
    return {spec.name: _read_array(spec, frame) for spec, frame in zip(specs, frames, strict=True)}


def _read_array(spec: ArraySpec, frame: bytes) -> Array:
    if spec.nbytes != len(frame):
        raise ProtocolError(f"array {spec.name} of {spec.nbytes} bytes came in a frame of {len(frame)}")
    dtype = np.dtype(spec.dtype)
    sent = dtype.newbyteorder("<" if spec.order == "little" else ">")
    array = np.frombuffer(frame, sent).reshape(spec.shape)
    native: Array = array.astype(dtype, copy=False)
    native.flags.writeable = False
    return native

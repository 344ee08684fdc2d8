"""Framing: what is encoded comes back, and nothing else is accepted."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blender_addon.protocol import limits
from blender_addon.protocol.bodies import (
    HelloBody,
    ProgressBody,
    SubmitBody,
    body_json,
    choose_protocol,
    error_body,
    error_from,
    read_body,
)
from blender_addon.protocol.errors import ERRORS_BY_CODE, ProtocolError, VersionError
from blender_addon.protocol.messages import Message, MessageType, decode, encode
from tests.backend.peers import header

DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda kind: st.sampled_from("<>").flatmap(
        lambda order: hnp.arrays(np.dtype(order + kind), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))
    )
)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.builds(
    Message,
    type=st.sampled_from(MessageType),
    body=st.dictionaries(st.text(), JSON, max_size=4),
    arrays=st.dictionaries(st.text(min_size=1, max_size=80), ARRAYS, max_size=4),
    job=st.text(max_size=80),
    id=st.integers(0, 2**53),
    protocol=st.integers(0, 2**53),
)


@given(MESSAGES)
@settings(max_examples=200, deadline=None)
def test_round_trip(message: Message) -> None:
    back = decode(encode(message))
    assert (back.type, back.body, back.job) == (message.type, message.body, message.job)
    assert (back.id, back.protocol) == (message.id, message.protocol)
    assert list(back.arrays) == list(message.arrays)
    for name, array in message.arrays.items():
        np.testing.assert_array_equal(back.arrays[name], array)
        assert back.arrays[name].dtype == array.dtype.newbyteorder("=")
        assert not back.arrays[name].flags.writeable


def test_arrays_travel_little_endian_and_in_c_order() -> None:
    array = np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3))
    head, data = encode(Message(MessageType.CHUNK, arrays={"a": array}))
    assert data == b"".join(n.to_bytes(4, "little") for n in range(6))
    assert json.loads(head)["arrays"] == [{"name": "a", "dtype": "int32", "shape": [2, 3], "order": "little"}]


def test_big_endian_arrays_are_understood() -> None:
    spec = {"name": "a", "dtype": "int32", "shape": [2], "order": "big"}
    message = decode([header(arrays=[spec]), (1).to_bytes(4, "big") + (2).to_bytes(4, "big")])
    assert message.arrays["a"].tolist() == [1, 2]


SPEC = {"name": "a", "dtype": "float32", "shape": [2], "order": "little"}


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b""],
        [b"\xff\xfe"],
        [b"[]"],
        [b"null"],
        [b"{"],
        [b"[" * 100_000],
        [b'{"id": ' + b"9" * 10_000 + b"}"],
        [header(type="unknown")],
        [header(type=...)],
        [header(type=[1])],
        [header(protocol=...)],
        [header(protocol="1")],
        [header(protocol=True)],
        [header(protocol=-1)],
        [header(protocol=1.0)],
        [header(id=2**60)],
        [header(job=7)],
        [header(job="j" * 81)],
        [header(body=[])],
        [header(body=...)[:-1] + b', "body": {"x": NaN}}'],
        [header(arrays={})],
        [header(), b"surplus"],
        [header(arrays=[SPEC])],
        [header(arrays=[SPEC]), b"1234567"],
        [header(arrays=[SPEC]), b"123456789"],
        [header(arrays=[SPEC, SPEC]), b"12345678", b"12345678"],
        [header(arrays=["a"]), b""],
        [header(arrays=[SPEC | {"name": ""}]), b"12345678"],
        [header(arrays=[SPEC | {"name": 1}]), b"12345678"],
        [header(arrays=[SPEC | {"dtype": "object"}]), b"12345678"],
        [header(arrays=[SPEC | {"dtype": "V8"}]), b"12345678"],
        [header(arrays=[SPEC | {"dtype": ["f4"]}]), b"12345678"],
        [header(arrays=[SPEC | {"order": "middle"}]), b"12345678"],
        [header(arrays=[SPEC | {"shape": [-2]}]), b"12345678"],
        [header(arrays=[SPEC | {"shape": [2.0]}]), b"12345678"],
        [header(arrays=[SPEC | {"shape": 2}]), b"12345678"],
        [header(arrays=[SPEC | {"shape": [1, 1, 1, 1, 2]}]), b"12345678"],
        [header(arrays=[SPEC | {"shape": [2**40, 2**40]}]), b"12345678"],
        [header(arrays=[SPEC | {"shape": [0]}] * 65), *[b""] * 65],
        [b" " * (limits.MAX_HEADER_BYTES + 1)],
    ],
)
def test_refuses(frames: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        decode(frames)


@given(st.lists(st.binary(max_size=300), max_size=4))
@settings(max_examples=300, deadline=None)
def test_garbage_raises_nothing_but_protocol_errors(frames: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        decode(frames)


@given(MESSAGES, st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_messages_raise_nothing_but_protocol_errors(message: Message, data: st.DataObject) -> None:
    frames = encode(message)
    index = data.draw(st.integers(0, len(frames) - 1))
    frame = bytearray(frames[index])
    for _ in range(data.draw(st.integers(0, 4))):
        if frame:
            frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    frames[index] = bytes(frame[: data.draw(st.integers(0, len(frame)))])
    try:
        decode(frames)
    except ProtocolError:
        return


def test_before_the_welcome_headers_are_small() -> None:
    with pytest.raises(ProtocolError):
        decode([header(body={"x": "x" * limits.MAX_HELLO_BYTES})], limits.MAX_HELLO_BYTES)


@pytest.mark.parametrize(
    "message",
    [
        Message(MessageType.DONE, {"x": math.nan}),
        Message(MessageType.DONE, {"x": object()}),
        Message(MessageType.DONE, {"x": np.float32(1)}),
        Message(MessageType.CHUNK, arrays={"a": np.array(["text"])}),
        Message(MessageType.CHUNK, arrays={"a": np.array([None])}),
        Message(MessageType.CHUNK, arrays={"a": np.zeros(limits.MAX_FRAME_BYTES + 1, np.uint8)}),
        Message(MessageType.CHUNK, arrays={str(i): np.zeros(11 << 20, np.uint8) for i in range(3)}),
        Message(MessageType.CHUNK, arrays={str(i): np.zeros(1) for i in range(65)}),
        Message(MessageType.CHUNK, arrays={"": np.zeros(1)}),
        Message(MessageType.CHUNK, arrays={"a": np.zeros((1, 1, 1, 1, 1))}),
    ],
)
def test_cannot_be_sent(message: Message) -> None:
    with pytest.raises(ProtocolError):
        encode(message)


BODIES = [
    HelloBody(1, 2, "token", 5),
    ProgressBody("phase", 0.5, 3),
    SubmitBody("animate", {"fps": 25.0, "deep": [1, {"a": None}]}, []),
]


@pytest.mark.parametrize("body", BODIES)
def test_bodies_round_trip_and_ignore_new_fields(body: Any) -> None:
    raw = json.loads(json.dumps(body_json(body))) | {"from_the_future": 1}
    assert read_body(type(body), raw) == body


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"phase": "x"},
        {"phase": 1, "fraction": 0.5},
        {"phase": "x", "fraction": "0.5"},
        {"phase": "x", "fraction": True},
        {"phase": "x", "fraction": 1e999},
        {"phase": "x", "fraction": 0.5, "ahead": -1},
        {"phase": "x", "fraction": 0.5, "ahead": 1.5},
    ],
)
def test_bodies_are_checked(raw: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        read_body(ProgressBody, raw)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_versions(a: int, b: int, c: int, d: int) -> None:
    """The chosen version is the highest of both ranges' intersection, found here by brute force."""
    client, server = (min(a, b), max(a, b)), (min(c, d), max(c, d))
    common = set(range(client[0], client[1] + 1)) & set(range(server[0], server[1] + 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "PROTOCOL_MIN", server[0])
        patch.setattr(limits, "PROTOCOL_MAX", server[1])
        hello = HelloBody(client[0], client[1], "")
        if common:
            assert choose_protocol(hello) == max(common)
        else:
            older = "add-on" if client[1] < server[0] else "backend"
            with pytest.raises(VersionError, match=f"Update the {older}"):
                choose_protocol(hello)


@pytest.mark.parametrize("code", ERRORS_BY_CODE)
def test_errors_travel_by_code(code: str) -> None:
    body = error_body(ERRORS_BY_CODE[code]("what", "hint"), 3)
    back = error_from(body["code"], body["message"], body["hint"])
    assert (type(back), back.what, back.hint) == (ERRORS_BY_CODE[code], "what", "hint")


def test_unknown_error_codes_are_still_errors() -> None:
    assert str(error_from("from_the_future", "what", "hint")) == "what. hint"

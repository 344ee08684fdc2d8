"""The content of a pickled `.npy` file without unpickling it: an interpreter of plain data only.

A pickle is a program. This one knows the instructions that build dicts, lists, tuples, strings, numbers and
NumPy arrays, and refuses every other. It calls nothing that the file names: arrays are views of the file's
own bytes, so nothing is allocated that is not there.
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from blender_addon.protocol.errors import FileFormatError
from blender_addon.protocol.tensorfile import Array, input_error

MAX_BYTES = 3 << 30  # our choice: several times the largest file that the authors' sizes make
_MAX_DIMENSIONS, _MAX_DEPTH = 4, 8
_MAX_STEPS = 200_000  # instructions, and parts of the result: models have some thousands
_HEADER_BYTES = 1 << 16
_HINT = "Give a FaceVerse model file as its authors publish it (.npy)"

_RECONSTRUCT, _NDARRAY, _DTYPE, _SCALAR, _FROM_BUFFER = "reconstruct", "ndarray", "dtype", "scalar", "buffer"
_GLOBALS = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _DTYPE,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _RECONSTRUCT for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _SCALAR for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _FROM_BUFFER for core in ("core", "_core")},
}
_TYPES = re.compile(r"f[248]|[iu][1248]|b1|U[1-9][0-9]{0,3}|O8?")
_MARK = object()
_LENGTHS = {b"X": "<I", b"\x8c": "<B", b"\x8d": "<Q", b"C": "<B", b"B": "<I", b"\x8e": "<Q", b"\x96": "<Q"}
_TEXT = (b"X", b"\x8c", b"\x8d")
_NUMBERS = {b"K": "<B", b"M": "<H", b"J": "<i", b"G": ">d"}
_CONSTANTS = {b"N": None, b"\x88": True, b"\x89": False}
_PUT, _GET = {b"q": "<B", b"r": "<I"}, {b"h": "<B", b"j": "<I"}
_TUPLES = {b"\x85": 1, b"\x86": 2, b"\x87": 3}


class _RefusedError(Exception):
    """Why a file is not taken."""


@dataclass(frozen=True)
class _Global:
    kind: str


@dataclass
class _Type:
    """A dtype as the file describes it."""

    code: str
    order: Literal["<", ">", "|"] = "|"

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.code).newbyteorder(self.order)


@dataclass
class _Shell:
    """An array that the file has begun: numbers and strings as an array, objects as a list."""

    value: Any = None


def read_pickled(path: Path) -> dict[str, Any]:
    """The dict of a `.npy` file that holds one: values are plain data and read-only arrays.

    Raises `InputError` or `FileFormatError`, whose line says what was met and where.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise FileFormatError(f"{path} has {size / 2**30:.1f} GiB, more than any FaceVerse model", _HINT)
        data = np.memmap(path, np.uint8, "r").data if size else memoryview(b"")
    except OSError as error:
        raise input_error(path, error) from error
    machine = _Machine(data)
    try:
        machine.at = _start(bytes(data[:_HEADER_BYTES]))
        content = _plain(machine.run(), 0, iter(range(_MAX_STEPS)))
    except _RefusedError as refused:
        raise FileFormatError(f"{path}: {refused} (byte {machine.at})", _HINT) from refused
    except (struct.error, IndexError, UnicodeDecodeError, ValueError, TypeError, OverflowError) as error:
        raise FileFormatError(f"{path} is damaged or cut off at byte {machine.at}", _HINT) from error
    if not isinstance(content, dict):
        raise FileFormatError(f"{path} holds no dict of a model's parts", _HINT)
    return content


def _start(head: bytes) -> int:
    """Where the pickle begins: behind the header of an `.npy` file, or at 0."""
    if not head.startswith(b"\x93NUMPY"):
        if not head.startswith(b"\x80"):
            raise _RefusedError("this is neither an .npy file nor a pickle")
        return 0
    stream = io.BytesIO(head)
    npy: Any = np.lib.format  # untyped
    first = npy.read_magic(stream) == (1, 0)
    _, _, kind = (npy.read_array_header_1_0 if first else npy.read_array_header_2_0)(stream)
    if kind != np.dtype(object):
        raise _RefusedError(f"it holds an array of {kind}, not a dict of a model's parts")
    return stream.tell()


def _plain(value: Any, depth: int, budget: Iterator[int]) -> Any:
    """`value` with arrays for shells; the array without dimensions round a dict (`np.save`) is opened."""
    if depth > _MAX_DEPTH or next(budget, None) is None:
        raise _RefusedError("it has too many parts, or parts nested too deep")
    if isinstance(value, _Shell):
        return _plain(value.value, depth + 1, budget)
    if isinstance(value, dict):
        return {name: _plain(part, depth + 1, budget) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, depth + 1, budget) for part in value]
    if isinstance(value, _Global | _Type):
        raise _RefusedError("it holds a type where data was expected")
    return value


@dataclass
class _Machine:
    """The pickle's stack machine over `data`, at the byte `at`."""

    data: memoryview
    at: int = 0
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def run(self) -> Any:
        """Interpret until the end; the value that is left."""
        actions = self._actions()
        for _ in range(_MAX_STEPS):
            code = bytes(self._take(1))
            if code == b".":
                return self.stack.pop()
            if code in _LENGTHS:
                self._string(code)
            elif code in _NUMBERS:
                self.stack.append(self._number(_NUMBERS[code]))
            elif code in _CONSTANTS:
                self.stack.append(_CONSTANTS[code])
            elif code in _PUT:
                self.memo[self._number(_PUT[code])] = self.stack[-1]
            elif code in _GET:
                self._recall(self._number(_GET[code]))
            elif code in _TUPLES:
                self.stack.append(tuple(self._last(_TUPLES[code])))
            elif code in actions:
                actions[code]()
            else:
                raise _RefusedError(
                    f"it uses the pickle instruction {code!r}, which plain data does not need"
                )
        raise _RefusedError("it has too many parts")

    def _actions(self) -> Mapping[bytes, Callable[[], None]]:
        push = self.stack.append
        return {
            b"\x80": lambda: self._skip(1),
            b"\x95": self._frame,
            b"(": lambda: push(_MARK),
            b"}": lambda: push({}),
            b"]": lambda: push([]),
            b")": lambda: push(()),
            b"t": lambda: push(tuple(self._to_mark())),
            b"a": lambda: self._extend(self._last(1)),
            b"e": lambda: self._extend(self._to_mark()),
            b"s": lambda: self._update(self._last(2)),
            b"u": lambda: self._update(self._to_mark()),
            b"\x94": lambda: self.memo.__setitem__(len(self.memo), self.stack[-1]),
            b"\x8a": lambda: push(int.from_bytes(self._take(self._number("<B")), "little", signed=True)),
            b"c": self._global_lines,
            b"\x93": lambda: self._global(*self._last(2)),
            b"R": lambda: push(_made(*self._last(2))),
            b"b": lambda: _fill(self.stack[-2], self.stack.pop()),
        }

    def _take(self, count: int) -> memoryview:
        if count > len(self.data) - self.at:
            raise _RefusedError("it is cut off, or claims more bytes than it has")
        part = self.data[self.at : self.at + count]
        self.at += count
        return part

    def _skip(self, count: int) -> None:
        self._take(count)

    def _frame(self) -> None:
        if self._number("<Q") > len(self.data) - self.at:
            raise _RefusedError("it is cut off, or claims more bytes than it has")

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _string(self, code: bytes) -> None:
        part = self._take(self._number(_LENGTHS[code]))
        self.stack.append(str(part, "utf-8") if code in _TEXT else part)

    def _recall(self, number: int) -> None:
        if number not in self.memo:
            raise _RefusedError("it refers to a part that is not there")
        self.stack.append(self.memo[number])

    def _last(self, count: int) -> list[Any]:
        if count > len(self.stack) or any(part is _MARK for part in self.stack[-count:]):
            raise _RefusedError("its instructions do not fit together")
        parts = self.stack[-count:]
        del self.stack[-count:]
        return parts

    def _to_mark(self) -> list[Any]:
        parts = []
        while (part := self.stack.pop()) is not _MARK:
            parts.append(part)
        return parts[::-1]

    def _extend(self, parts: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise _RefusedError("its instructions do not fit together")
        self.stack[-1].extend(parts)

    def _update(self, parts: list[Any]) -> None:
        names, values = parts[::2], parts[1::2]
        if not isinstance(self.stack[-1], dict) or not all(isinstance(name, str) for name in names):
            raise _RefusedError("it holds a dict whose keys are not names")
        self.stack[-1].update(zip(names, values, strict=True))

    def _global_lines(self) -> None:
        end = self.at + 256
        lines = bytes(self.data[self.at : end]).split(b"\n", 2)
        if len(lines) < 3:
            raise _RefusedError("it is cut off, or names something without an end")
        self._skip(len(lines[0]) + len(lines[1]) + 2)
        self._global(str(lines[0], "utf-8"), str(lines[1], "utf-8"))

    def _global(self, module: Any, name: Any) -> None:
        kind = _GLOBALS.get((module, name)) if isinstance(module, str) and isinstance(name, str) else None
        if kind is None:
            raise _RefusedError(
                f"it asks for {str(module)[:80]}.{str(name)[:80]}, which no model needs: refused"
            )
        self.stack.append(_Global(kind))


def _made(maker: Any, arguments: Any) -> Any:
    """What a call of one of the known makers gives."""
    if not isinstance(maker, _Global) or not isinstance(arguments, tuple):
        raise _RefusedError("it calls something that is not a maker of arrays")
    match maker.kind, arguments:
        case "reconstruct", (_Global(kind="ndarray"), (0,), memoryview()):
            return _Shell()
        case "dtype", (str() as code, bool() | int(), bool() | int()) if _TYPES.fullmatch(code):
            return _Type(code)
        case "scalar", (_Type() as kind, memoryview() as data):
            return _array((1,), kind, data, False)[0].item()
        case "buffer", (memoryview() as data, _Type() as kind, tuple() as shape, ("C" | "F") as order):
            return _Shell(_array(shape, kind, data, order == "F"))
    raise _RefusedError(f"it makes a {maker.kind} of parts that do not fit")


def _fill(target: Any, state: Any) -> None:
    """Give an array or dtype its state."""
    match target, state:
        case _Type(), (int(), ("<" | ">" | "|") as order, None, None, None, int(), int(), int()):
            target.order = order
        case _Shell(), (int(), tuple() as shape, _Type() as kind, bool() | int() as fortran, data):
            target.value = (
                _objects(shape, data) if kind.code[0] == "O" else _array(shape, kind, data, fortran)
            )
        case _:
            raise _RefusedError("it holds an array or a type whose state does not fit")


def _count(shape: tuple[Any, ...]) -> int:
    if len(shape) > _MAX_DIMENSIONS or not all(isinstance(n, int) and 0 <= n < 1 << 31 for n in shape):
        raise _RefusedError("it holds an array with an impossible shape")
    return math.prod(shape)


def _objects(shape: tuple[Any, ...], data: Any) -> Any:
    """The objects of an array: a list in its order, the object itself where there are no dimensions."""
    if not isinstance(data, list) or _count(shape) != len(data):
        raise _RefusedError("it holds an array of objects that does not have its shape")
    return data if shape else data[0]


def _array(shape: tuple[Any, ...], kind: _Type, data: Any, fortran: bool | int) -> Array:
    """A view of the file's bytes as an array; never a copy."""
    if kind.code[0] == "O" or not isinstance(data, memoryview):
        raise _RefusedError("it holds an array without its data")
    numpy_type = kind.numpy()
    if _count(shape) * numpy_type.itemsize != len(data):
        raise _RefusedError(f"it holds an array of shape {shape} with {len(data)} bytes")
    if len(data) == 0:
        return np.zeros(shape, numpy_type)
    return np.frombuffer(data, numpy_type).reshape(shape, order="F" if fortran else "C")

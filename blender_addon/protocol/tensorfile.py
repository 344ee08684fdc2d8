"""Reading and writing `.safetensors` files with NumPy alone, so that the same code runs inside Blender.

The format (https://github.com/huggingface/safetensors): 8 bytes little-endian header length N, N bytes of
JSON that map tensor names to {dtype, shape, data_offsets}, `__metadata__` with string values, then the data.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .errors import FileFormatError, InputError, OutputError

Array = np.ndarray[Any, np.dtype[Any]]

_DTYPES: dict[str, str] = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|b1",
}
_NAMES: dict[np.dtype[Any], str] = {np.dtype(v): k for k, v in _DTYPES.items()}
MAX_HEADER_BYTES = 16 << 20


@dataclass(frozen=True)
class TensorFile:
    """Tensors by name and the file's string metadata."""

    tensors: Mapping[str, Array]
    metadata: Mapping[str, str]


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it onto `path` on success, remove it on failure.

    A link is followed and stays. The temporary name keeps `path`'s suffix: writers choose a format by it.

    Raises:
        OutputError: the folder is missing or not writable, the disk is full, or `path` is a folder, device
            or pipe.
    """
    target = _regular_target(path)
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(4)}{target.suffix}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise output_error(path, error) from error
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _regular_target(path: Path) -> Path:
    """Where writing `path` ends up; only a file of the usual kind may be replaced."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "a device or pipe"
        raise OutputError(f"cannot write {path}: it is {kind}", "Give a file name")
    return target


def check_writable(path: Path) -> None:
    """Raise `OutputError` early when `path` cannot be written, before any long work."""
    target = _regular_target(path)
    try:
        with tempfile.NamedTemporaryFile(prefix=f".{target.stem}-", dir=target.parent):
            pass
    except OSError as error:
        raise output_error(path, error) from error


def refuse_overwriting(output: Path, source: Path | None) -> None:
    """Raise `OutputError` when `output` is `source`, a file of the user's that is being read."""
    if source is not None and Path(output).resolve() == Path(source).resolve():
        raise OutputError(f"{output} is the input itself", "Choose another output")


def output_error(path: Path, error: OSError) -> OutputError:
    """The one-line form of an `OSError` met while writing `path`."""
    if isinstance(error, FileNotFoundError):
        folder = Path(path).parent
        return OutputError(f"cannot write {path}: there is no folder {folder}", "Create it or choose another")
    return OutputError(
        f"cannot write {path}: {error.strerror or error}",
        "Choose a writable folder with free space",
    )


def input_error(path: Path, error: Exception) -> InputError:
    """The one-line form of an error met while opening `path` to read it."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"there is no file {path}", "Check the path")
    reason = error.strerror if isinstance(error, OSError) else error
    return InputError(f"cannot read {path}: {reason}", "Check the file and its permissions")


def write_tensors(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write `tensors` and `metadata` to `path` atomically.

    Raises:
        OutputError: the file cannot be written.
        TypeError: an array's dtype has no safetensors name.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in sorted(tensors.items())}
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name, array in arrays.items():
        kind = _NAMES.get(array.dtype)
        if kind is None:
            raise TypeError(f"tensor {name}: dtype {array.dtype} cannot be stored")
        header[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for array in arrays.values():
            file.write(array.tobytes())
        file.flush()
        os.fsync(file.fileno())


def read_tensors(path: Path) -> TensorFile:
    """Read a `.safetensors` file, checking every size against the file before allocating.

    Raises:
        InputError: the file is missing or unreadable.
        FileFormatError: the file is truncated or not a valid safetensors file.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header, start = _read_header(path, file, size)
            data = file.read(size - start)
    except OSError as error:
        raise input_error(path, error) from error
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _damaged(path, "its metadata is not a map of strings")
    tensors = {name: _tensor(path, name, entry, data) for name, entry in header.items()}
    return TensorFile(tensors, metadata)


def read_metadata(path: Path) -> Mapping[str, str]:
    """The string metadata of a `.safetensors` file, without its tensors.

    Raises:
        InputError: the file is missing or unreadable.
        FileFormatError: it is not a valid safetensors file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            header, _ = _read_header(path, file, path.stat().st_size)
    except OSError as error:
        raise input_error(path, error) from error
    metadata = header.get("__metadata__", {})
    return metadata if isinstance(metadata, dict) else {}


def _read_header(path: Path, file: BinaryIO, size: int) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
        raise _damaged(path, "it does not begin as one")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a map")
    return header, 8 + length


def _tensor(path: Path, name: str, entry: Any, data: bytes) -> Array:
    try:
        dtype = np.dtype(_DTYPES[entry["dtype"]])
        shape = tuple(int(n) for n in entry["shape"])
        begin, end = (int(n) for n in entry["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"tensor {name} is badly described") from error
    fits = all(n >= 0 for n in shape) and 0 <= begin <= end <= len(data)
    if not fits or math.prod(shape) * dtype.itemsize != end - begin:
        raise _damaged(path, f"tensor {name} does not fit the file (truncated?)")
    return np.frombuffer(data, dtype, count=math.prod(shape), offset=begin).reshape(shape)


def _damaged(path: Path, why: str) -> FileFormatError:
    return FileFormatError(
        f"{path} is not a usable .safetensors file: {why}", "Give a file that VividTalk made"
    )

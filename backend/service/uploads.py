"""Putting a job's input arrays together from the parts that a client sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from blender_addon.protocol import limits
from blender_addon.protocol.errors import InputError, ProtocolError
from blender_addon.protocol.messages import ArraySpec, read_spec
from blender_addon.protocol.tensorfile import Array


def read_inputs(raw: Sequence[Any]) -> tuple[ArraySpec, ...]:
    """The arrays that a submit message announces, checked."""
    if len(raw) > limits.MAX_ARRAYS:
        raise ProtocolError(f"a job announces {len(raw)} input arrays")
    specs = tuple(read_spec(entry) for entry in raw)
    if len({spec.name for spec in specs}) != len(specs):
        raise ProtocolError("a job announces two input arrays of one name")
    return specs


class Inputs:
    """A job's input arrays while they arrive: in the announced order, each from its first element on.

    Memory grows with what has come, not with what was announced.
    """

    def __init__(self, specs: Sequence[ArraySpec]) -> None:
        self.nbytes = sum(spec.nbytes for spec in specs)
        if self.nbytes > limits.MAX_UPLOAD_BYTES:
            raise InputError(
                f"a job's input of {self.nbytes >> 20} MiB is above {limits.MAX_UPLOAD_BYTES >> 20} MiB",
                "Give the sound as a path instead of samples",
            )
        self._specs = list(specs)
        self._parts: list[Array] = []
        self._received = 0
        self._arrays: dict[str, Array] = {}
        self._finish_arrays()

    @property
    def complete(self) -> bool:
        """True when every announced element has come."""
        return len(self._arrays) == len(self._specs)

    @property
    def arrays(self) -> dict[str, Array]:
        """The finished arrays by name."""
        return self._arrays

    def add(self, name: str, offset: int, part: Array) -> None:
        """Take the next flat part. Raises `ProtocolError` when it is not the one that must follow."""
        if self.complete:
            raise ProtocolError("an upload is longer than announced")
        spec = self._specs[len(self._arrays)]
        expected = (spec.name, spec.dtype, self._received)
        if (name, part.dtype.name, offset) != expected or part.ndim != 1 or not part.size:
            raise ProtocolError(f"an upload's part {name} at {offset} came where {expected} must come")
        if (self._received + part.size) * part.itemsize > spec.nbytes:
            raise ProtocolError(f"upload {name} is longer than announced")
        self._parts.append(part)
        self._received += part.size
        self._finish_arrays()

    def _finish_arrays(self) -> None:
        while not self.complete:
            spec = self._specs[len(self._arrays)]
            if self._received * np.dtype(spec.dtype).itemsize < spec.nbytes:
                return
            whole = np.concatenate(self._parts) if self._parts else np.zeros(0, spec.dtype)
            self._arrays[spec.name] = whole.reshape(spec.shape)
            self._parts, self._received = [], 0

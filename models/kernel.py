"""The one way this package compiles loops: Numba, cached on disk, without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

# Fast floating point, but infinities and NaN keep their meaning: empty depth buffers hold infinity.
_FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}


def kernel(function: F) -> F:
    """Compile a loop over arrays."""
    compiled: F = numba.njit(cache=True, fastmath=_FAST, nogil=True)(function)
    return compiled


def inlined(function: F) -> F:
    """Compile a piece of a kernel, inlined: a call would count references to every array it is given."""
    compiled: F = numba.njit(fastmath=_FAST, nogil=True, forceinline=True)(function)
    return compiled

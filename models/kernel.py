"""The ways this package compiles loops: Numba, cached on disk, without the interpreter's lock.

Division by zero gives an infinity or NaN as in NumPy; indices are not checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

# Fast floating point, but infinities and NaN keep their meaning: empty depth buffers hold infinity.
_FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}


def kernel(function: F) -> F:
    """Compile a loop over arrays."""
    compiled: F = numba.njit(cache=True, fastmath=_FAST, nogil=True, error_model="numpy")(function)
    return compiled


def exact_kernel(function: F) -> F:
    """Compile a loop in which equal expressions must round equally, wherever they stand."""
    compiled: F = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


def inlined(function: F) -> F:
    """Compile a piece of a kernel, inlined: a call would count references to every array it is given."""
    compiled: F = numba.njit(fastmath=_FAST, nogil=True, forceinline=True, error_model="numpy")(function)
    return compiled


def exact_inlined(function: F) -> F:
    """Compile a piece of an exact kernel, inlined."""
    compiled: F = numba.njit(nogil=True, forceinline=True, error_model="numpy")(function)
    return compiled

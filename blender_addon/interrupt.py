"""Ctrl-C as `KeyboardInterrupt`, also in Blender, which has a handler of its own in C."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_get_handler = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_int)(("PyOS_getsig", ctypes.pythonapi))
_set_handler = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(
    ("PyOS_setsig", ctypes.pythonapi)
)


@contextmanager
def keyboard_interrupts() -> Iterator[None]:
    """Let Ctrl-C raise `KeyboardInterrupt` meanwhile; only the main thread can.

    The module `signal` can neither see nor put back a handler written in C, hence the calls behind it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    native = _get_handler(signal.SIGINT)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
        _set_handler(signal.SIGINT, native)

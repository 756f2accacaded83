"""The processor's matrix tiles (AMX), and having native code go without them.

llama.cpp asks the kernel for tiles when it loads its first model, and does without where they are refused. That is
used for libraries which would crash on them (`hardware/tiles.py`).
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from typing import Any

from linnet.hardware.tiles import MARK

_SIGNAL_STACK = 8_192
"""Bytes: enough for every state but that of tiles, which takes as much by itself."""


class _Stack(ctypes.Structure):
    """stack_t of sigaltstack(2)."""

    _fields_ = (("pointer", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def used_well(library: Any) -> contextlib.AbstractContextManager[None]:
    """Around the loading of a first model: tiles are refused to a library, opened by ctypes, without the mark."""
    return contextlib.nullcontext() if hasattr(library, MARK) else refused()


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """Have the kernel refuse tiles to this process meanwhile, unless it has been given them before.

    It refuses them while a thread's stack for signals is too small to hold their state.
    """
    if sys.platform != "linux":
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    room = ctypes.create_string_buffer(_SIGNAL_STACK)
    small, before = _Stack(ctypes.addressof(room), 0, _SIGNAL_STACK), _Stack()
    changed = libc.sigaltstack(ctypes.byref(small), ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if changed:
            libc.sigaltstack(ctypes.byref(before), None)

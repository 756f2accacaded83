"""Lent: what one worker is handed of the caller's open files, each under an own descriptor and offset."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from linnet.protocol import Adapter, Load


def lent(load: Load, model_fd: int, adapters: Sequence[Adapter], opened: ExitStack) -> Load:
    """The load with descriptors for one worker, which close here with `opened`. Raises OSError."""

    def again(fd: int) -> int:
        copy = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
        opened.callback(os.close, copy)
        return copy

    own = tuple(replace(adapter, fd=again(adapter.fd)) for adapter in adapters)
    return replace(load, model_fd=again(model_fd) if model_fd >= 0 else -1, adapters=own)

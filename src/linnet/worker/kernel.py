"""Calls into the Linux kernel that Python has no function for (numbers: include/uapi/linux of 6.12)."""

from __future__ import annotations

import ctypes
import struct
from functools import cache
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38


@cache
def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def syscall(number: int, *arguments: Any) -> int:
    """The kernel's answer, or -1. Integers go as longs, buffers by address."""
    longs = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return int(libc().syscall(ctypes.c_long(number), *longs))


def threads() -> int | None:
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return None


def drop_capabilities() -> bool:
    """Out of all sets of this thread. Out of the bounding set too, so that root's programs gain none back."""
    for capability in range(64):
        if libc().prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # past the last one, or never had the right to
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x2008_0522, 0))  # version 3, this thread
    return int(libc().capset(header, ctypes.create_string_buffer(24))) == 0


def no_new_privileges() -> bool:
    return int(libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) == 0


def lower(kind: int, value: int) -> None:
    """Soft and hard limit to `value`, or to the hard limit that stands if that is lower."""
    import resource

    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def data_bytes() -> int | None:
    """Private writable memory mapped now, as RLIMIT_DATA counts it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith("VmData:")]
    return sizes[0] * 1024 if sizes else None

"""A gate before every fork: the process that is kept in waits until the one that keeps it has counted.

A limit of processes that the kernel counts (RLIMIT_NPROC) does not bind root, and one that is watched from outside
comes too late: in a tenth of a second a program that forks as fast as it can takes the machine. Here no process and
no thread is begun unasked, so it can be no faster than the answers.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from linnet.worker import seccomp

_RECEIVE, _SEND = 0xC050_2100, 0xC018_2101  # SECCOMP_IOCTL_NOTIF_RECV and _SEND
_NOTICE, _ANSWER = 80, struct.Struct("=QqiI")  # struct seccomp_notif's size; struct seccomp_notif_resp
_CONTINUE = 1


def close_behind(end: socket.socket) -> bool:
    """Have each fork of this process and of all that it starts wait at the gate, which is handed over through `end`.

    False where the kernel has no such gate (Linux 5.5). Call it with no new privileges.
    """
    listener = seccomp.listen(seccomp.FORKS)
    if listener < 0:
        return False
    socket.send_fds(end, [b"g"], [listener])
    os.close(listener)
    return True


def received(end: socket.socket) -> int:
    """The gate that was handed over; -1 if none was."""
    _, descriptors, _, _ = socket.recv_fds(end, 1, 1)
    return descriptors[0] if descriptors else -1


def waiting(gate: int) -> int:
    """Who waits at the gate, to be let through; 0 for one that has gone."""
    notice = bytearray(_NOTICE)
    try:
        fcntl.ioctl(gate, _RECEIVE, notice, True)
    except OSError:
        return 0
    return int.from_bytes(notice[:8], "little")


def let_through(gate: int, who: int) -> None:
    try:
        fcntl.ioctl(gate, _SEND, _ANSWER.pack(who, 0, 0, _CONTINUE))
    except OSError:
        return  # it has gone, or was interrupted and asks again

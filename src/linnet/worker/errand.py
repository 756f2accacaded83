"""The life of a child that has one job and one answer: tied to its parent it hears the job, answers, and leaves."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Any

from linnet.channel import Channel
from linnet.errors import LinnetError
from linnet.protocol import Record, failed
from linnet.worker import lockdown


def run(
    arguments: Sequence[str],
    kind: type | UnionType,
    do: Callable[[Any, Channel], Record],
    tie: Callable[[int], None] = lockdown.die_with_parent,
) -> int:
    """The exit status. `arguments` are MODULE SOCKET_FD PARENT_PID, `kind` is that of the job, and `do` makes the
    answer, or raises a LinnetError, which is then told instead. `tie` hears the parent's id before anything else."""
    channel = Channel(socket.socket(fileno=int(arguments[1])), child=True)
    tie(int(arguments[2]))
    job = channel.receive()
    if not isinstance(job, kind):
        return 0 if job is None else 2
    try:
        channel.send(do(job, channel))
    except (BrokenPipeError, ConnectionResetError):
        return 0
    except LinnetError as error:
        channel.send(failed(0, error))
        return 1
    return 0

"""The life of a child: tied to its parent it hears its job, does it, and leaves; an errand has one answer."""

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

    def answered(job: Any, channel: Channel) -> None:
        channel.send(do(job, channel))

    return live(arguments, kind, answered, tie)


def live(
    arguments: Sequence[str],
    kind: type | UnionType,
    work: Callable[[Any, Channel], None],
    tie: Callable[[int], None] = lockdown.die_with_parent,
) -> int:
    """As `run` does, for a child that sends what it has to say by itself."""
    channel = Channel(socket.socket(fileno=int(arguments[1])), child=True)
    tie(int(arguments[2]))
    job = channel.receive()
    if not isinstance(job, kind):
        return 0 if job is None else 2
    try:
        work(job, channel)
    except (BrokenPipeError, ConnectionResetError):
        return 0
    except LinnetError as error:
        channel.send(failed(0, error))
        return 1
    return 0

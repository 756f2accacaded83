"""How many replicas there is room for, and which part of its file each of a batch is given at a time: arithmetic,
without Ray."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from linnet.agent.batch import lines
from linnet.errors import OutOfMemory
from linnet.hardware.budget import size
from linnet.limits import LIMITS

_MOST = 1_000
"""Shares of a file, as long as they are small enough: each costs Ray some milliseconds before the first one runs."""


@dataclass(frozen=True)
class Node:
    """What a machine of the cluster has for replicas: cores, and bytes of memory."""

    cores: int
    memory: int


@dataclass(frozen=True)
class Crew:
    """So many replicas, each with so many cores."""

    replicas: int
    cores: int


@dataclass(frozen=True)
class Share:
    """So many lines of a file, from the one of this number on, which begins at this byte or row."""

    number: int
    at: int
    count: int


def crew(nodes: Sequence[Node], need: int, wanted: int | None, requests: int, at_once: int) -> Crew:
    """As many as wanted; else one for every `LIMITS.batch_replica_cores` cores, but none with nothing to do.

    `need` is the memory of one, in bytes. Each has as many cores as there are for all of that number. Raises
    OutOfMemory where they find no room.
    """
    room = [node for node in nodes if node.cores and node.memory >= need]
    if not room:
        message = f"a replica needs {size(need)} and a core, and no machine of the cluster has both"
        raise OutOfMemory(message, hint="Use a smaller model or --context, or a larger machine.", needed_bytes=need)
    usual = min(LIMITS.batch_replica_cores, max(node.cores for node in room))
    replicas = wanted or max(1, min(_seats(room, need, usual), math.ceil(requests / at_once)))
    cores = max(
        (cores for node in room for cores in range(1, node.cores + 1) if _seats(room, need, cores) >= replicas),
        default=0,
    )
    if not cores:
        most = _seats(room, need, 1)
        message = f"{replicas} replicas were asked for, and {most} find a core and {size(need)} each"
        raise OutOfMemory(message, hint=f"Use --replicas {most}.", largest=most, needed_bytes=need)
    return Crew(replicas, cores)


def check_room(machines: Iterable[float], cores: float, replicas: int) -> None:
    """`machines` are the cores that each has. Raises OutOfMemory where so many replicas, of `cores` each, would wait
    for room for ever."""
    most = sum(int(has // cores) for has in machines)
    if replicas > most:
        message = f"{replicas} replicas of {cores:g} cores each are asked for, and the cluster has room for {most}"
        raise OutOfMemory(message, hint="Use fewer --replicas, fewer --threads, or more machines.", largest=most)


def _seats(nodes: Iterable[Node], need: int, cores: int) -> int:
    return sum(min(node.cores // cores, node.memory // max(1, need)) for node in nodes)


def shares(requests: Path, total: int, replicas: int, at_once: int) -> Iterator[Share]:
    """The file in parts that are large enough to keep a replica busy, and small enough that all end together.

    None has many more bytes than the longest line may have.
    """
    busy = 4 * at_once
    most = max(1, min(busy, math.ceil(total / replicas / 4)), math.ceil(total / _MOST))
    number, start, count, end = 0, 0, 0, 0
    for line in lines.raw(requests):
        if count and (count == most or end - start > LIMITS.batch_line_bytes):
            yield Share(number, start, count)
            count = 0
        if not count:
            number, start = line.number, line.at
        count, end = count + 1, line.at + len(line.body)
    if count:
        yield Share(number, start, count)

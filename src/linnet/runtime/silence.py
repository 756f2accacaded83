"""How long a child has been without progress, counted in time that it could have used.

On a machine that is short of processors honest work looks like a hang. So what the child's threads waited for a
processor does not count, nor what those of this process waited that it may wait for: a child may sleep because what
it is to do has not been sent yet. What else is busy here hides no hang. One that sleeps, spins or was stopped while
we ran had all the time there was. Hides how the kernel tells the one from the other (`/proc/PID/task/*/schedstat`).
Where it does not tell, all time counts.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from linnet.hardware import reading
from linnet.runtime.postmortem import Stopped

Threads = Mapping[int, "Strand"]
"""The threads of a child, and of this process, by their ids; empty where nobody tells of them."""

LOOK_SECONDS = 0.2
"""Least time between two looks at the threads; the limits are tens of times longer."""

AWAY_SECONDS = 2.0
"""Most that counts between two looks: whoever looks later was short of a processor himself, or frozen as the rest."""

ALL_BUT = 0.95
"""Of a limit, after which it is reached: found within it, the time between two looks included."""


@dataclass(frozen=True)
class Strand:
    """One thread: seconds for which it ran, and for which it was ready to and had to wait; `runnable` if it would run
    just now, or does; `ours` if it is of this process."""

    ran: float = 0.0
    waited: float = 0.0
    runnable: bool = False
    ours: bool = False


_UNKNOWN = Strand()


def usable(passed: float, before: Threads, now: Threads, processors: int) -> float:
    """Of `passed` seconds between two looks at the threads, those that the child could have used.

    All, less the wait of the thread that waited longest: the others may be waiting for it. But no less than its share
    of the machine, or a child with more threads than processors could starve itself for ever.
    """
    waited = max((_waited(passed, before.get(id, _UNKNOWN), one) for id, one in now.items()), default=0.0)
    ran = sum(one.ran - before.get(id, _UNKNOWN).ran for id, one in now.items() if not one.ours)
    return min(passed, max(passed - waited, ran / processors))


def _waited(passed: float, before: Strand, now: Strand) -> float:
    if now.runnable and now.ran == before.ran:  # it waits still: the kernel counts that once it is over
        return passed
    return max(0.0, min(now.waited - before.waited, passed - (now.ran - before.ran)))


class Silence:
    """Of one child: `broken` by its progress, and else growing with each look.

    `used` are the seconds of it that the child could have used, `clock` those of the clock; both as far as this
    process was there to see them.
    """

    def __init__(self) -> None:
        self.used = self.clock = 0.0
        self._moved, self._at = True, 0.0
        self._before: Threads = {}

    def broken(self) -> None:
        """The child made progress. From any thread; it counts from the next look."""
        self._moved = True

    def look(self, pid: int, hands: Collection[int] | None = ()) -> Silence:
        """As often as one likes, by the thread that reads from the child; `hands` are the native ids of the others
        here that it may wait for, None for all. Threads are read only when it is time to, and nothing has come since.
        Returns itself."""
        now = time.monotonic()
        if self._moved:
            self._moved = False
            self.used, self.clock, self._at, self._before = 0.0, 0.0, now, {}
        elif now - self._at >= LOOK_SECONDS:
            only = None if hands is None else {threading.get_native_id(), *hands}
            self.seen(now, {**threads(os.getpid(), ours=True, only=only), **threads(pid)})
        return self

    def seen(self, now: float, strands: Threads) -> None:
        """These are the threads at that time of the clock."""
        passed = min(now - self._at, AWAY_SECONDS)
        self.clock += passed
        self.used += usable(passed, self._before or strands, strands, os.cpu_count() or 1)
        self._at, self._before = now, strands

    def verdict(self, limit: float, by_the_clock: float) -> Stopped:
        """`hung` after `limit` seconds that it could have used, `starved` after so many by the clock, else ""."""
        if self.used > limit * ALL_BUT:
            return "hung"
        return "starved" if self.clock > by_the_clock * ALL_BUT else ""


def threads(
    pid: int, proc: Path = Path("/proc"), *, ours: bool = False, only: Collection[int] | None = None
) -> dict[int, Strand]:
    """The threads of a process just now, or `only` these of them; empty where the kernel does not tell."""
    try:
        folders = list((proc / str(pid) / "task").iterdir())
    except OSError:
        return {}
    wanted = [folder for folder in folders if only is None or int(folder.name) in only]
    found = {int(folder.name): _strand(folder, ours) for folder in wanted}
    known = {id: strand for id, strand in found.items() if strand is not None}
    return known if any(strand.ran for strand in known.values()) else {}  # a kernel that does not count says 0


def _strand(folder: Path, ours: bool) -> Strand | None:
    spent = reading.numbers(reading.text(folder / "schedstat"))
    state = (reading.text(folder / "stat") or "").rpartition(")")[2].split()[:1]
    return Strand(spent[0] / 1e9, spent[1] / 1e9, state == ["R"], ours) if len(spent) > 1 and state else None

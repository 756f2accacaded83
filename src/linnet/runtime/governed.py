"""Governed: the cores of this machine, shared among the workers of this process while requests run.

Hides how the load is seen: what all cores did since the look before, less what this process's own children did,
for they are busy because they were asked to be. What this process itself computes counts as others' work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from linnet.hardware import probe
from linnet.hardware.governor import Governor, Threads
from linnet.runtime import child

LOOK_SECONDS = 0.5
"""Between two looks at the load: the kernel counts in ticks of 10 ms, so this tells each core's to 2 %."""

_STALE_SECONDS = 5.0
"""After so long without a look, what was seen before says nothing of now."""

_PROBE_SECONDS = 10.0
"""Between two looks at quota and affinity, which seldom change and take some milliseconds to read."""


@dataclass(frozen=True)
class _Seen:
    """What the kernel counted up to `when`: ticks of each core, seconds of each of our children."""

    when: float
    cores: probe.Ticks
    ours: dict[int, float]


class Governed:
    """One for all workers of a process. A worker is whatever can be told from others by its identity.

    Where the system does not tell the load, `threads` is None for ever, and workers keep what they started with.
    """

    def __init__(
        self,
        root: Path = probe.ROOT,
        children: Callable[[], Iterable[int]] = child.running,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._root, self._children, self._every = root, children, look_seconds
        self._lock = threading.Lock()
        self._governor = Governor()
        self._machine = probe.Machine("", "")
        self._probed = -_PROBE_SECONDS
        self._seen: _Seen | None = None
        self._looked = False
        self._busy: set[int] = set()

    def look(self) -> None:
        """Look at the machine, if it is time to. Any worker's thread may; one at a time does."""
        now = time.monotonic()
        if self._seen is not None and now - self._seen.when < self._every:
            return
        with self._lock:
            before = self._seen
            if before is not None and now - before.when < self._every:
                return
            self._seen = seen = _Seen(now, probe.ticks(self._root), self._ours())
            if now - self._probed >= _PROBE_SECONDS:
                self._machine, self._probed = probe.processors(self._root), now
            if before is None or now - before.when > _STALE_SECONDS:
                self._governor, self._looked = Governor(), False
            elif before.cores and seen.cores:
                self._governor.look(self._others(before, seen))
                self._looked = True

    def threads(self, worker: object) -> Threads | None:
        """What a worker that is at work computes with from now on; None while nothing is known."""
        with self._lock:
            self._busy.add(id(worker))
            return self._governor.threads(self._machine, len(self._busy)) if self._looked else None

    def rest(self, worker: object) -> None:
        """A worker has nothing to do: the others may have its cores."""
        with self._lock:
            self._busy.discard(id(worker))

    def _others(self, before: _Seen, now: _Seen) -> float:
        """Cores' worth of work that others did between the two."""
        seconds = now.when - before.when
        ours = sum(used - before.ours.get(pid, 0.0) for pid, used in now.ours.items())
        return max(0.0, probe.busy_cores(before.cores, now.cores, probe.allowed(self._root)) - ours / seconds)

    def _ours(self) -> dict[int, float]:
        used = {pid: probe.processor_seconds(pid, self._root) for pid in self._children()}
        return {pid: seconds for pid, seconds in used.items() if seconds is not None}


SHARED = Governed()
"""That of this process."""

"""How many threads a worker computes with: the one place that decides it. Policy on numbers, no I/O, no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from linnet.hardware.machine import Machine

MARGIN = 0.2
"""Cores by which others must have become quieter before one that was left to them is taken back."""

QUIET_LOOKS = 2
"""Looks in a row that must find a core quiet before it is taken back. It is given away at the first."""


@dataclass(frozen=True)
class Threads:
    """For one token at a time (bound by memory) and for many at once (bound by arithmetic)."""

    decode: int
    prefill: int


def threads(machine: Machine, busy: float | None = None) -> Threads:
    """How many threads to give the engine while others keep `busy` cores' worth of work going.

    Never more than the affinity mask or the quota gives, nor than there are physical cores; at least 1. Cores that
    others use are left out, for two threads of which one waits stall each other (docs/hardware.md). Both phases get
    the same: a quiet core is worth having in either. Without `busy`, the load average of the last minute stands in
    for it.
    """
    others = busy if busy is not None else (machine.load or (0.0,))[0]
    return _beside(machine, _left(others))


def why(machine: Machine, busy: float | None = None) -> str:
    """What bounds the number of threads that `threads` gives, in a few words."""
    found, alone = threads(machine, busy).decode, _beside(machine, 0).decode
    if found < alone:
        others = busy if busy is not None else (machine.load or (0.0,))[0]
        return f"other programs keep {others:.1f} cores busy"
    if machine.quota is not None and max(1, math.floor(machine.quota)) == alone:
        return f"the quota is {machine.quota:g} cores"
    return "one for each physical core" if machine.physical_cores == alone else "one for each core"


class Governor:
    """The same policy for a machine whose load changes: it gives way at once, and comes back late.

    So it does not flap: a load that swings by less than `MARGIN` changes the answer at most once.
    """

    def __init__(self) -> None:
        self._left: int | None = None
        self._quiet: list[float] = []

    @property
    def left(self) -> int:
        """Cores that are left to others."""
        return self._left or 0

    def look(self, others: float) -> None:
        """Others kept so many cores busy since the look before."""
        if self._left is None or _left(others) > self._left:
            self._left, self._quiet = _left(others), []
        elif _left(others + MARGIN) >= self._left:
            self._quiet = []
        else:
            self._quiet.append(others)
            if len(self._quiet) >= QUIET_LOOKS:
                self._left, self._quiet = _left(max(self._quiet) + MARGIN), []

    def threads(self, machine: Machine, workers: int = 1) -> Threads:
        """For each of so many workers that are at work."""
        return _beside(machine, self.left, max(1, workers))


def _left(others: float) -> int:
    """Whole cores to leave to others, who keep so many busy."""
    return math.floor(max(0.0, others) + 0.5)


def _beside(machine: Machine, left: int, workers: int = 1) -> Threads:
    cores = machine.affinity or machine.cores or 1
    bounds = [cores - left, machine.physical_cores, machine.cores]
    if machine.quota is not None:
        bounds.append(math.floor(machine.quota))
    count = max(1, min(bound for bound in bounds if bound is not None) // workers)
    return Threads(decode=count, prefill=count)

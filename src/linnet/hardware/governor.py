"""How many threads a worker computes with: the one place that decides it. Policy on numbers, no I/O, no clock."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from linnet.hardware.machine import Machine

DECODE_SHARE, PREFILL_SHARE = 0.3, 0.5
"""Cores that others must use of one for it to be left to them. Measured (docs/hardware.md): from there on decoding,
which waits for all threads hundreds of times in a token, is slower with two than with one; prefill bears more."""

MARGIN = 0.15
"""Cores by which others must have become quieter before one that was left to them is taken back."""

QUIET_LOOKS = 3
"""Looks in a row that must find a core quiet before it is taken back. It is given away at the first."""


@dataclass(frozen=True)
class Threads:
    """For one token at a time (bound by memory) and for many at once (bound by arithmetic)."""

    decode: int
    prefill: int


def threads(machine: Machine, busy: float | None = None) -> Threads:
    """How many threads to give the engine while others keep `busy` cores' worth of work going.

    Never more than the affinity mask or the quota gives, nor than there are physical cores; at least 1. Cores that
    others use are left out, for two threads of which one waits stall each other. A quiet core is worth having in
    either phase. Without `busy`, the load average of the last minute stands in for it.
    """
    governor = Governor()
    governor.look(_busy(machine, busy))
    return governor.threads(machine)


def why(machine: Machine, busy: float | None = None) -> str:
    """What bounds the number of threads that `threads` gives for decoding, in a few words."""
    found, alone = threads(machine, busy).decode, _count(machine, 0, 1)
    if found < alone:
        return f"other programs keep {_busy(machine, busy):.1f} cores busy"
    if machine.quota is not None and max(1, math.floor(machine.quota)) == alone:
        return f"the quota is {machine.quota:g} cores"
    return "one for each physical core" if machine.physical_cores == alone else "one for each core"


class Governor:
    """The same policy for a machine whose load changes: it gives way at once, and comes back late.

    So it does not flap: a load that swings by less than `MARGIN` changes each answer at most once.
    """

    def __init__(self) -> None:
        self._decode, self._prefill = _Phase(DECODE_SHARE), _Phase(PREFILL_SHARE)

    def look(self, others: float) -> None:
        """Others kept so many cores busy since the look before."""
        self._decode.look(others)
        self._prefill.look(others)

    def threads(self, machine: Machine, workers: int = 1) -> Threads:
        """For each of so many workers that are at work."""
        decode, prefill = (_count(machine, phase.left, workers) for phase in (self._decode, self._prefill))
        return Threads(decode, prefill)


class _Phase:
    """Whole cores that are left to others in one phase."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._recent: deque[float] = deque(maxlen=QUIET_LOOKS)
        self.left = 0

    def look(self, others: float) -> None:
        self._recent.append(others)
        self.left = max(self._whole(others), min(self.left, self._whole(max(self._recent) + MARGIN)))

    def _whole(self, others: float) -> int:
        return math.floor(max(0.0, others) + 1 - self._share)


def _busy(machine: Machine, busy: float | None) -> float:
    return busy if busy is not None else (machine.load or (0.0,))[0]


def _count(machine: Machine, left: int, workers: int) -> int:
    cores = machine.affinity or machine.cores or 1
    bounds = [cores - left, machine.physical_cores, machine.cores]
    if machine.quota is not None:
        bounds.append(math.floor(machine.quota))
    return max(1, min(bound for bound in bounds if bound is not None) // max(1, workers))

"""What would fit on a machine, size by size: memory, the largest context and a guess at the speed."""

from __future__ import annotations

from dataclasses import dataclass

from linnet.hardware import budget
from linnet.hardware.footprint import footprint
from linnet.hardware.machine import Machine
from linnet.hardware.typical import QUANTISATIONS, TYPICAL, sized

CONTEXT = 4_096
"""Tokens for which the memory is told: what a model is opened with when nobody says otherwise."""

SHARE = 0.5
"""Of the memory's speed, what decoding reaches where that was not measured: 97 tokens/s of 92 MiB at 20 GB/s here."""


@dataclass(frozen=True)
class Prospect:
    """One size in one quantisation. `like` names a model that is built so.

    `needed_bytes` and `fits` are for a context of 4,096 tokens; `largest_context` in tokens, at most the one such
    a model is trained for, 0 if none fits; `tokens_per_second` is an estimate, None where nothing was measured.
    """

    size: str
    like: str
    quantisation: str
    needed_bytes: int
    fits: bool | None
    largest_context: int
    tokens_per_second: float | None


def prospects(machine: Machine, bandwidth: float | None, share: float | None = None) -> tuple[Prospect, ...]:
    """All sizes, smallest first. `bandwidth` in GB/s; `share` of it is what a model was seen to decode with.

    Where the available memory is unknown, `fits` is None and the largest context the trained one.
    """
    available, features = machine.memory_available, machine.features or ()
    found = []
    for model in TYPICAL:
        for quantisation in QUANTISATIONS:
            one = sized(model, quantisation, features)
            usable = None if available is None else int(available * (1 - budget.HEADROOM))
            needed = footprint(one.shape, CONTEXT).needed
            largest = model.trained if usable is None else budget.largest(one.shape, usable, model.trained)
            speed = bandwidth * 1e9 * (share or SHARE) / one.read if bandwidth else None
            fits = None if usable is None else needed <= usable
            found.append(Prospect(model.size, model.like, quantisation, needed, fits, largest, speed))
    return tuple(found)

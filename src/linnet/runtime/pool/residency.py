"""Who may be in memory: the next step towards room for a model, from numbers alone. No I/O, no threads, no clock.

Hides the ladder. Caches of idle models go before idle models, the least recently used first, and before the wanted
model gets a smaller context; who is in use is never touched, and nothing goes that would not help.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["idle", "busy", "leaving"]


@dataclass(frozen=True)
class Held:
    """A model in memory: `size` in bytes, of which `cache` can be had without ending its worker.

    `used` orders models by their last use. One that is `leaving` has been told to end, and may still hold all.
    """

    name: str
    size: int
    cache: int = 0
    state: State = "idle"
    used: float = 0.0


@dataclass(frozen=True)
class Need:
    """Bytes that a model takes with a context of so many tokens."""

    context: int
    size: int


@dataclass(frozen=True)
class Admit:
    """There is room for the model with this context."""

    need: Need


@dataclass(frozen=True)
class Release:
    """Have this idle model give up its caches, and ask again."""

    name: str


@dataclass(frozen=True)
class Evict:
    """End this idle model, and ask again."""

    name: str


@dataclass(frozen=True)
class Settle:
    """Somebody is leaving: ask again when they are gone, which is soon."""


@dataclass(frozen=True)
class Wait:
    """Only models in use could make room: ask again when one of them is idle."""


@dataclass(frozen=True)
class Refuse:
    """Even with nothing else in memory there would be no room; `least` is what would be needed."""

    least: Need


Step: TypeAlias = Admit | Release | Evict | Settle | Wait | Refuse


def towards(needs: Sequence[Need], residents: Sequence[Held], budget: int | None) -> Step:
    """The next step towards room for a model that is not among the residents.

    `needs` are its contexts, the largest and best first. `budget` are the bytes that all may take together; None
    holds everything. Following the steps ends in Admit, Wait or Refuse.
    """
    best, least = needs[0], needs[-1]
    if budget is None:
        return Admit(best)
    if least.size > budget:
        return Refuse(least)
    held = total(residents)
    if held + best.size <= budget:
        return Admit(best)
    if any(one.state == "leaving" for one in residents):
        return Settle()
    busy = total(one for one in residents if one.state == "busy")
    within = next((need for need in needs if busy + need.size <= budget), None)
    if within is None:
        return Wait()
    return _freeing(held + within.size - budget, residents) or Admit(within)


def relief(residents: Sequence[Held], budget: int | None) -> Release | Evict | None:
    """The next step where the residents hold more than they may; None if there is nothing to be done."""
    if budget is None or any(one.state == "leaving" for one in residents):
        return None
    return _freeing(total(residents) - budget, residents)


def spare(residents: Iterable[Held], budget: int | None, *, busy: bool = False) -> int | None:
    """Bytes that are left beside the residents, or only beside those of them that are in use; None if unknown."""
    beside = total(one for one in residents if one.state == "busy" or not busy)
    return None if budget is None else budget - beside


def total(residents: Iterable[Held]) -> int:
    return sum(one.size for one in residents)


def _freeing(short: int, residents: Sequence[Held]) -> Release | Evict | None:
    """What goes first where so many bytes are short. Caches go only where they are enough: a model that is ended
    takes its own with it, and those of the others would have gone in vain."""
    idle = sorted((one for one in residents if one.state == "idle"), key=lambda one: (one.used, one.name))
    if short <= 0 or not idle:
        return None
    if sum(one.cache for one in idle) >= short:
        return Release(next(one.name for one in idle if one.cache))
    return Evict(idle[0].name)

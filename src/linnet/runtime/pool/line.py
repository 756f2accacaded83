"""Requests that wait for memory, in the order in which they came. No lock of its own: the pool's is held."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import count

from linnet.errors import QueueFull
from linnet.limits import LIMITS
from linnet.runtime.pool.resident import Slot


@dataclass(eq=False)
class Ticket:
    """A request's way to a model: its place in the order of arrival, its deadline, then its lease on `slot`.

    `waiting` says that a thread waits with it. `blocked` says that requests must end before it can go on, `delayed`
    that this was ever so, and `joined` since when it stands in the line. All times are those of the monotonic clock.
    `submitting` says that its request is on its way to the model.
    """

    order: int
    until: float
    waiting: bool = False
    blocked: bool = False
    delayed: bool = False
    joined: float = 0.0
    submitting: bool = False
    slot: Slot | None = None


class Line:
    """First come, first served, among those with whom a thread waits: a stream that nobody reads holds up nobody."""

    def __init__(self) -> None:
        self._orders = count()
        self._tickets: list[Ticket] = []

    def __len__(self) -> int:
        return len(self._tickets)

    def ticket(self, seconds: float) -> Ticket:
        return Ticket(next(self._orders), time.monotonic() + seconds)

    def join(self, ticket: Ticket) -> None:
        """Stand in the line; once is enough. Raises QueueFull."""
        ticket.delayed = ticket.delayed or ticket.blocked
        if ticket in self._tickets:
            return
        if len(self._tickets) >= LIMITS.pool_queue:
            raise QueueFull(f"{len(self._tickets)} requests wait for memory already", limit=LIMITS.pool_queue)
        ticket.joined = time.monotonic()
        self._tickets.append(ticket)

    def leave(self, ticket: Ticket) -> None:
        if ticket in self._tickets:
            self._tickets.remove(ticket)

    def behind(self, ticket: Ticket, patience: float) -> bool:
        """Whether somebody who came before has stood there for so many seconds."""
        since = time.monotonic() - patience
        return any(one.waiting and one.order < ticket.order and one.joined <= since for one in self._tickets)

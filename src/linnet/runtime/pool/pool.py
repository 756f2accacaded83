"""Pool: several models within the memory that is there, loaded on demand, unloaded when they are idle or in the way.

A request takes a lease on its model for as long as its stream lasts; a model with a lease is never touched. What is
in the way goes in the order that `residency.towards` gives. Nothing is opened, hashed or ended under the lock:
whoever wants a model opens it, and the keeper's thread ends what is to go.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Condition
from types import TracebackType

from linnet.errors import Cancelled, DeadlineExceeded, OutOfMemory
from linnet.hardware.budget import HEADROOM, size
from linnet.hardware.room import room
from linnet.limits import LIMITS
from linnet.runtime.pool.keeper import Keeper
from linnet.runtime.pool.line import Line, Ticket
from linnet.runtime.pool.openings import Openings
from linnet.runtime.pool.pooled import PooledModel
from linnet.runtime.pool.residency import (
    Admit,
    Evict,
    Held,
    Need,
    Refuse,
    Release,
    Settle,
    Step,
    Wait,
    relief,
    spare,
    towards,
)
from linnet.runtime.pool.resident import Happened, Loadable, PoolEvent, Resident, Slot, refusal

__all__ = ["Pool", "PoolEvent", "PooledModel", "Resident"]

_LOOK, _LOOK_AGAIN = 5.0, 1.0
"""Seconds between two looks at the memory that other programs leave, and the least of them when requests end."""


class Pool:
    """Models by name, each opened with `opener` when it is first wanted, which is told how many bytes it may take
    beside those in use (None: unknown).

    `memory` are bytes that all may take together; never more than 90 % of what the machine has for them, as
    `available` says of the processes that run already (None: unknown, and nothing is held back). A model that was not
    used for `idle_seconds` is unloaded; 0 is never.
    """

    def __init__(
        self,
        opener: Callable[[str, int | None], Loadable],
        *,
        memory: int | None = None,
        idle_seconds: float = LIMITS.idle_seconds,
        available: Callable[[Iterable[int]], int | None] = room,
    ) -> None:
        self._memory, self._idle, self._available = memory, idle_seconds, available
        self._changed = Condition()
        self._line = Line()
        self._keeper = Keeper(self._changed, self._tend, self._tell)
        self._open = Openings(self._changed, opener, self._check, self._sleep, self._keeper.ensure)
        self._events: deque[PoolEvent] = deque(maxlen=LIMITS.pool_events)
        self._looked = self._look = 0.0
        self._closed = False

    # --- what the caller sees --------------------------------------------------------------------

    def model(self, name: str) -> PooledModel:
        """The model of that name, found and checked now, loaded when it is used. Raises what `opener` does."""
        return PooledModel(self, name, self.slot(name))

    def preload(self, *names: str) -> None:
        """Start loading these, in order, without waiting until they are ready; nothing makes way for them.

        Raises OutOfMemory for the first that does not fit as configured; those before it stay loaded.
        """
        for name in names:
            ticket = self._line.ticket(LIMITS.start_seconds)
            try:
                while ticket.slot is None:
                    slot = self._open.get(name, ticket.until, self._left)
                    with self._changed:
                        self._reserve(slot, ticket)
                ticket.slot.model.warm()
            finally:
                self.release(ticket)

    def residents(self) -> tuple[Resident, ...]:
        """The models in memory, the least recently used first."""
        with self._changed:
            loaded = [slot for slot in self._open.slots.values() if slot.need]
            return tuple(slot.describe() for slot in sorted(loaded, key=lambda slot: slot.used))

    def events(self) -> tuple[PoolEvent, ...]:
        """What happened to models, the oldest first; the newest 256 are kept."""
        with self._changed:
            return tuple(self._events)

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self, seconds: float = 0.0) -> None:
        """Give running requests so many seconds to end, cancel the others, and wait until all processes are gone.

        Requests that wait, and all later ones, end in Cancelled. Closing again does nothing.
        """
        until = time.monotonic() + seconds
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            while any(slot.leases for slot in self._open.slots.values()) and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            for slot in list(self._open.slots.values()):
                self._dismiss(slot, "the pool is closed")
            while self._keeper.leaving:
                self._changed.wait(_LOOK)
        self._keeper.join()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- leases, for PooledModel -----------------------------------------------------------------

    def ticket(self, seconds: float) -> Ticket:
        return self._line.ticket(seconds)

    def lease(self, name: str, ticket: Ticket, *, wait: bool) -> None:
        """Give the ticket its model: in memory, and not to be touched until `release`.

        Where others must end first, `wait` false returns without, and the ticket keeps its place in the line. Raises
        QueueFull, OutOfMemory, DeadlineExceeded, Cancelled, and what `opener` does; then it is to be released too.
        """
        ticket.waiting = True
        try:
            while ticket.slot is None:
                slot = self._open.get(name, ticket.until, self._usable)
                with self._changed:
                    if not self._open.has(slot):
                        continue
                    if self._admitted(slot, ticket):
                        self._take(slot, ticket)
                        continue
                    self._line.join(ticket)
                    if ticket.blocked and not wait:
                        return
                    self._sleep(ticket.until, self._holders(slot))
        finally:
            ticket.waiting = False

    def submitted(self, ticket: Ticket) -> None:
        """The ticket's request has reached its model, or will not."""
        with self._changed:
            if ticket.slot is not None and ticket.submitting:
                ticket.submitting = False
                ticket.slot.submitting -= 1

    def release(self, ticket: Ticket) -> None:
        """End the ticket's lease, and its place in the line. Releasing again does nothing."""
        with self._changed:
            self.submitted(ticket)
            self._line.leave(ticket)
            slot, ticket.slot = ticket.slot, None
            if slot is not None:
                slot.leases -= 1
                slot.used = time.monotonic()
            self._look = min(self._look, self._looked + _LOOK_AGAIN)
            # Waking the keeper costs a short request more than all else here: only where there may be work for it.
            if len(self._line) or self._closed or time.monotonic() >= self._look or 0 < self._idle < _LOOK:
                self._changed.notify_all()

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[Loadable]:
        """A model that stays open for the block, whether it is loaded or not."""
        ticket = self._line.ticket(LIMITS.request_seconds)
        try:
            while ticket.slot is None:
                slot = self._open.get(name, ticket.until, self._usable)
                with self._changed:
                    if self._open.has(slot):
                        self._take(slot, ticket)
            yield ticket.slot.serving(name)
        finally:
            self.release(ticket)

    def slot(self, name: str) -> Slot:
        """What is known of a model, which is opened if it is not open, to look at: the keeper may close it."""
        return self._open.get(name, math.inf, self._usable)

    # --- admission, under the lock ---------------------------------------------------------------

    def _admitted(self, slot: Slot, ticket: Ticket) -> bool:
        """Whether the model is in memory and may be used. If not, what can make way has been told to go, and
        `ticket.blocked` says whether requests must end first. Raises OutOfMemory."""
        ready = slot.need is not None and slot.cached and not slot.releasing and (slot.leases > 0 or not slot.shrunk)
        # Who finds its model in memory need not stand in line, unless somebody has stood there for long.
        ticket.blocked = self._line.behind(ticket, LIMITS.pool_patience_seconds if ready else 0.0)
        if ready or ticket.blocked or slot.releasing:
            return ready and not ticket.blocked
        others, budget = self._others(slot), self._budget()
        if slot.shrunk and not isinstance(whole := towards(slot.needs[:1], others, budget), Wait | Refuse):
            if not isinstance(whole, Settle):
                self._dismiss(slot, "it can have its whole context again")
            return False
        if slot.need and slot.cached:
            return True
        if slot.too_large(spare(others, budget, busy=True)):
            self._dismiss(slot, "its original is taken in its place")
            return False
        step = towards((slot.need,) if slot.need else slot.needs, others, budget)
        return self._follow(step, slot, ticket, budget)

    def _follow(self, step: Step, slot: Slot, ticket: Ticket, budget: int | None) -> bool:
        match step:
            case Admit(need):
                self._grant(slot, need)
                return True
            case Release() | Evict():
                self._give_way(step, f"{slot.name} needs the memory")
            case Wait():
                ticket.blocked = True
            case Refuse() if slot.need:
                self._dismiss(slot, "there is less memory than it was granted")  # and begins again, with less
            case Refuse():
                raise self._refused(slot, budget or 0)
        return False

    def _grant(self, slot: Slot, need: Need) -> None:
        if slot.need is None:
            slot.model.use_context(need.context)
            slot.need = need
            self._tell(slot.name, "loaded", f"{size(need.size)}, for a context of {need.context:,} tokens")
            if slot.note:
                self._tell(slot.name, "shrunk", slot.note)
        slot.cached = True

    def _reserve(self, slot: Slot, ticket: Ticket) -> None:
        """A lease if the model is in memory or fits beside what is; else raises OutOfMemory."""
        self._check()
        if not self._open.has(slot):
            return
        if self._keeper.leaving or slot.releasing:
            self._sleep(ticket.until, "models that were being unloaded held the memory")
            return
        if slot.need is None or not slot.cached:
            need, left = slot.need or slot.needs[0], self._left(slot)
            if slot.too_large(left):
                self._dismiss(slot, "its original is taken in its place")
                return
            if left is not None and need.size > left:
                raise self._refused(slot, left)
            self._grant(slot, need)
        self._take(slot, ticket)

    def _take(self, slot: Slot, ticket: Ticket) -> None:
        slot.leases += 1
        slot.submitting += 1
        ticket.slot, ticket.submitting = slot, True
        self._line.leave(ticket)
        if len(self._line):
            self._changed.notify_all()  # for now somebody else is the first
        if slot.need:
            self._keeper.ensure()

    def _give_way(self, step: Release | Evict, why: str) -> None:
        slot = self._open.slots[step.name]
        if isinstance(step, Evict):
            self._dismiss(slot, why)
        else:
            self._tell(slot.name, "released", why)
            self._keeper.release(slot)

    def _dismiss(self, slot: Slot, why: str) -> None:
        """Have a model ended. Its bytes count until its processes are gone."""
        self._open.remove(slot)
        if slot.need:
            self._tell(slot.name, "unloaded", why)
        self._keeper.end(slot)

    def _others(self, slot: Slot | None = None) -> list[Held]:
        staying = [other.held() for other in self._open.slots.values() if other is not slot and other.need]
        return [*staying, *(one.held(leaving=True) for one in self._keeper.leaving)]

    def _budget(self) -> int | None:
        """Bytes that all models may take now."""
        running = [pid for slot in (*self._open.slots.values(), *self._keeper.leaving) for pid in slot.model.pids]
        free = self._available(running)
        usable = None if free is None else int(free * (1 - HEADROOM))
        return min((limit for limit in (self._memory, usable) if limit is not None), default=None)

    def _usable(self) -> int | None:
        """Bytes that a model may take when all others that can make way have done so."""
        return spare(self._others(), self._budget(), busy=True)

    def _left(self, slot: Slot | None = None) -> int | None:
        """Bytes that a model may take where nobody makes way."""
        return spare(self._others(slot), self._budget())

    def _refused(self, slot: Slot, usable: int) -> OutOfMemory:
        error = refusal(slot, usable)
        self._tell(slot.name, "refused", error.message)
        return error

    # --- waiting, under the lock -----------------------------------------------------------------

    def _sleep(self, until: float, why: str) -> None:
        left = until - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded("the time of the request was over before its model was loaded", hint=f"{why}.")
        self._changed.wait(min(left, _LOOK))

    def _holders(self, slot: Slot) -> str:
        """Who holds the memory that a model waits for."""
        there = [one for one in self._open.slots.values() if one is not slot and one.need]
        held = [f"{one.name} {size(one.size)}{' (in use)' if one.leases else ''}" for one in there]
        return f"The memory was held by {', '.join(held)}" if held else "Other requests were before it"

    def _check(self) -> None:
        if self._closed:
            raise Cancelled("the pool of models is closed", hint="Open another one.")

    def _tell(self, name: str, what: Happened, why: str) -> None:
        self._events.append(PoolEvent(time.time(), name, what, why))

    def _tend(self) -> float | None:
        """Unload or close what has been idle for long, or holds what others need; seconds until the next look, None
        if nothing is left to look after. For the keeper."""
        now = time.monotonic()
        for slot in [slot for slot in self._open.slots.values() if self._unused(slot)]:
            if self._idle and now - slot.used >= self._idle:
                self._dismiss(slot, f"unused for {self._idle:g} s")
        if now >= self._look and not self._keeper.leaving:
            self._looked, self._look = now, now + _LOOK
            if step := relief(self._others(), self._budget()):
                self._look = now
                self._give_way(step, "other programs need the memory")
        slots = list(self._open.slots.values())
        after = [slot.used + self._idle - now for slot in slots if self._idle and self._unused(slot)]
        if any(slot.need for slot in slots):
            after.append(self._look - now)
        elif slots and self._idle:
            after.append(_LOOK)
        return max(0.0, min(after)) if after else None

    def _unused(self, slot: Slot) -> bool:
        """Whether its time of rest counts; without processes only while nobody in the line may be waiting for it."""
        return slot.idle if slot.need else not (slot.leases or slot.submitting or len(self._line))

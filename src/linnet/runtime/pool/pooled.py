"""PooledModel: the Model protocol over a model that comes and goes, with a lease for the time of each stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from typing import Protocol

from linnet.errors import Cancelled, ContextOverflow, DeadlineExceeded, EngineError
from linnet.models.configuration import Configuration
from linnet.models.family import Family
from linnet.requests import Capabilities, Done, Event, Request
from linnet.runtime.health import Health
from linnet.runtime.pool.line import Ticket
from linnet.runtime.pool.resident import Loadable, Slot
from linnet.runtime.supervisor import Supervisor


class Lender(Protocol):
    """What lends models: a Pool."""

    @property
    def closed(self) -> bool: ...

    def ticket(self, seconds: float) -> Ticket: ...

    def lease(self, name: str, ticket: Ticket, *, wait: bool) -> None: ...

    def submitted(self, ticket: Ticket) -> None: ...

    def release(self, ticket: Ticket) -> None: ...

    def opened(self, name: str) -> AbstractContextManager[Loadable]: ...

    def slot(self, name: str) -> Slot: ...


class PooledModel:
    """A model of a pool, by name. It is loaded when a request comes, and stays for as long as the pool lets it.

    Streams load the model themselves, in the caller's thread. Where requests to other models must end first, `stream`
    returns at once and it is the first event that waits, so that one thread may have several streams.
    """

    def __init__(self, lender: Lender, name: str, slot: Slot) -> None:
        self._lender, self._name, self._seen = lender, name, slot

    @property
    def configuration(self) -> Configuration | None:
        return self._slot().model.configuration

    @property
    def family(self) -> Family | None:
        configuration = self.configuration
        return configuration.family if configuration else None

    @property
    def capabilities(self) -> Capabilities:
        """With the context that it has now, if it is loaded, else the configured one."""
        return self._slot().capabilities(self._name)

    @property
    def supervisor(self) -> Supervisor | None:
        """Of the processes that it has now, for those who want to look; None of a model without."""
        return getattr(self._slot().model, "supervisor", None)

    def fingerprint(self) -> str:
        """SHA-256 of the file that is loaded."""
        with self._lender.opened(self._name) as model:
            return model.fingerprint()

    def original(self) -> str:
        """SHA-256 of the file that was named."""
        with self._lender.opened(self._name) as model:
            return model.original()

    def health(self) -> Health:
        """A look at its worker, which loads nothing."""
        return self._slot().serving(self._name).health()

    def stream(self, request: Request) -> Iterator[Event]:
        """Events of one request. Raises what `linnet.errors` has for each way to fail, here or from the events."""
        return _Stream(self._lender, self._name, request)

    def _slot(self) -> Slot:
        """The open model, opened anew if it was closed: other weights or another file may be meant by its name since.
        Of a closed pool it is the one that was seen last."""
        with suppress(Cancelled):
            self._seen = self._lender.slot(self._name)
        return self._seen


class _Stream:
    """The events of one request, and the lease that it has until they end. Dropping it cancels the request."""

    def __init__(self, lender: Lender, name: str, request: Request) -> None:
        self._over = False
        self._events: Iterator[Event] | None = None
        self._notes: tuple[str, ...] = ()
        self._lender, self._name, self._request = lender, name, request
        self._ticket = lender.ticket(request.deadline)
        try:
            self._begin(wait=False)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> Event:
        if self._over:
            raise StopIteration
        try:
            event = self._next()
        except EngineError as error:
            self.close()
            if self._lender.closed and not isinstance(error, Cancelled):
                raise Cancelled("the pool of models was closed while the request ran") from error
            raise
        except BaseException:
            self.close()
            raise
        if isinstance(event, Done):
            event = replace(event, degraded=(*self._notes, *event.degraded))
            self.close()
        return event

    def close(self) -> None:
        if not self._over:
            self._over = True
            self._let_go()

    __del__ = close

    def _let_go(self) -> None:
        events, self._events = self._events, None
        getattr(events, "close", lambda: None)()  # dropping it is not enough: another thread may wait for its next
        self._lender.release(self._ticket)

    def _begin(self, *, wait: bool) -> None:
        """Get the lease and submit the request; without `wait` perhaps neither."""
        ticket = self._ticket
        try:
            self._lender.lease(self._name, ticket, wait=wait)
        except DeadlineExceeded as error:
            raise self._late(error.hint) from error
        if ticket.slot is None:
            return
        note, waited = ticket.slot.note, time.monotonic() - ticket.joined
        if note:
            self._notes += (note,)
        if ticket.delayed:
            self._notes += (f"waited {waited:.1f} s for memory that other models held",)
        left = ticket.until - time.monotonic()
        if left <= 0:
            raise self._late()
        self._events = ticket.slot.serving(self._name).stream(replace(self._request, deadline=left))
        self._lender.submitted(ticket)

    def _next(self) -> Event:
        while (events := self._events) is None:
            self._begin(wait=True)
            if self._over:  # closed from another thread
                self._let_go()
                raise Cancelled("the stream was closed")
        try:
            return next(events)
        except DeadlineExceeded as error:
            raise self._late() from error
        except ContextOverflow as error:
            if self._ticket.slot is not None and (note := self._ticket.slot.note):
                error.hint = f"{error.hint} It has a {note}."
            raise

    def _late(self, hint: str | None = None) -> DeadlineExceeded:
        """With the deadline that the caller gave, of which waiting and loading were a part."""
        allowed = self._request.deadline
        return DeadlineExceeded(f"the request did not end within its {allowed:g} s", hint=hint, seconds=allowed)

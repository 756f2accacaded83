"""Cancelling: a Model around a Model whose running requests any thread can end.

Hides that a stream may be closed while another thread waits for its next event. A stream that cannot be closed from
outside (a generator that runs) is given up at its next event instead.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from weakref import WeakSet

from linnet.errors import Cancelled, LinnetError
from linnet.requests import Capabilities, Event, Model, Request


class Cancelling:
    """Passes requests on until `cancel`, which ends those that run and refuses all later ones with Cancelled."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._open: WeakSet[_Open] = WeakSet()
        self.cancelled = False

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    def stream(self, request: Request) -> Iterator[Event]:
        self.check()
        events = _Open(self, self._model.stream(request))
        with self._lock:
            self._open.add(events)
        if self.cancelled:  # since the look before
            events.close()
            self.check()
        return events

    def cancel(self) -> None:
        """End what runs, and free what it holds. Cancelling again does nothing."""
        with self._lock:
            self.cancelled = True
            running = list(self._open)
        for events in running:
            events.close()

    def check(self) -> None:
        """Raises Cancelled after `cancel`."""
        if self.cancelled:
            raise Cancelled("the caller no longer wants the answer")


class _Open:
    """The events of one request."""

    def __init__(self, of: Cancelling, events: Iterator[Event]) -> None:
        self._of, self._events = of, events

    def __iter__(self) -> _Open:
        return self

    def __next__(self) -> Event:
        try:
            event = next(self._events)
        except (StopIteration, LinnetError):
            self._of.check()
            raise
        if self._of.cancelled:
            self.close()
            self._of.check()
        return event

    def close(self) -> None:
        """From any thread."""
        with contextlib.suppress(ValueError):  # a generator that runs: the flag ends it
            getattr(self._events, "close", lambda: None)()

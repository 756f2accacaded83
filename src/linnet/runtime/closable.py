"""Closable: the events of one exchange, which any thread can end at any time, also while another waits for the next.

A generator cannot be closed while it runs; the connection under it can.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from linnet.requests import Event
from linnet.runtime.exchange import Exchange


class Closable:
    """`events` are read off the `exchange`."""

    def __init__(self, exchange: Exchange, events: Iterator[Event]) -> None:
        self._exchange, self._events = exchange, events

    def __iter__(self) -> Closable:
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def close(self) -> None:
        """Whoever waits for an event is told that the answer was cut."""
        self._exchange.close()
        with contextlib.suppress(ValueError):  # it runs: the closed connection ends it
            getattr(self._events, "close", lambda: None)()

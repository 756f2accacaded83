"""A request that a worker was given, and the events that come back of it, for the one who asked."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from linnet.errors import Cancelled, DeadlineExceeded, LinnetError
from linnet.protocol import Submit
from linnet.requests import Event, Piece


@dataclass
class Ticket:
    """A request that was accepted and has not ended.

    `sent` says that the running worker has it, `fresh` that a token came from this worker, `shown` how many
    characters the caller has. `deaths` counts the workers that ended with it before a new token came, `crashes` all
    that ended with it by themselves.
    """

    submit: Submit
    events: queue.SimpleQueue[Event | LinnetError] = field(default_factory=queue.SimpleQueue)
    emitted: list[int] = field(default_factory=list)
    shown: int = 0
    deaths: int = 0
    crashes: int = 0
    sent: bool = False
    fresh: bool = False
    resumed: bool = False


class Stream:
    """The events of one accepted request, up to Done or an error. Dropping it early cancels the request."""

    def __init__(self, drop: Callable[[int], None], ticket: Ticket, deadline: float) -> None:
        self._drop, self._ticket, self._deadline = drop, ticket, deadline
        self._over = False

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Event:
        if self._over:
            raise StopIteration
        try:
            event = self._ticket.events.get(timeout=max(0.0, self._deadline - time.monotonic()))
        except queue.Empty:
            self.close()
            allowed = self._ticket.submit.request.deadline
            raise DeadlineExceeded(f"the request did not end within its {allowed:g} s", seconds=allowed) from None
        except BaseException:
            self.close()
            raise
        if isinstance(event, Piece):
            return event
        self._over = True
        if isinstance(event, LinnetError):
            raise event
        return event

    def close(self) -> None:
        """From any thread; one that waits for the next event gets Cancelled."""
        if not self._over:
            self._over = True
            self._drop(self._ticket.submit.id)
            self._ticket.events.put(Cancelled("the stream was closed"))

    __del__ = close

"""Who runs now, who waits, and who is sent away: plain values in an event loop, and no thread for those that wait."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from linnet.errors import Cancelled, QueueFull


class Waiter(Protocol):
    """A request in the line: told to begin, or that the line has closed before it could."""

    def begin(self) -> None: ...

    def refuse(self) -> None: ...


ENDING = "Send the request again once the server is back."

_WEIGHT = 0.2
"""Of the newest request in the mean time that one takes."""


class Line:
    """`seats` requests run together, `room` are accepted and not finished; those over it are refused at once.

    Not for several threads. A request begins when it has a seat, at once or later; whoever joined calls `left` when
    it has ended, and before it has begun `withdraw` when it is not wanted any more.
    """

    def __init__(self, seats: int, room: int) -> None:
        self.seats, self._room = seats, room
        self._waiting: deque[Waiter] = deque()
        self.running = 0
        self._seconds = 1.0
        self._closed = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def join(self, waiter: Waiter) -> None:
        """Raises QueueFull with `retry_after` in seconds, or Cancelled."""
        if self._closed:
            raise Cancelled("the server is about to end", hint=ENDING)
        if self.running + self.waiting >= self._room:
            after = min(60.0, self._seconds * self.waiting / self.seats)
            message = f"{self._room} requests are accepted and not finished"
            raise QueueFull(message, queue=self._room, retry_after=max(1.0, round(after, 1)))
        self._waiting.append(waiter)
        self._advance()

    def withdraw(self, waiter: Waiter) -> bool:
        """Whether the request was still waiting; it is not any more."""
        if waiter not in self._waiting:
            return False
        self._waiting.remove(waiter)
        return True

    def left(self, seconds: float) -> None:
        """A request that had a seat has ended, after so many seconds on it."""
        self._seconds += _WEIGHT * (seconds - self._seconds)
        self.running -= 1
        self._advance()

    def close(self) -> None:
        """Let nobody in any more, and refuse those that wait."""
        self._closed = True
        while self._waiting:
            self._waiting.popleft().refuse()

    def _advance(self) -> None:
        while self._waiting and self.running < self.seats:
            self.running += 1
            self._waiting.popleft().begin()

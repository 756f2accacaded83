"""Flight: one request on its way through a fleet: sent, sent elsewhere while nothing of an answer was seen, told.

What was seen is never taken back: from the first event on the answer is one server's, and where that one fails, the
request does. With `hedge` a second server is asked when the first has said nothing for so many seconds; the first
event wins and the other is hung up on.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from linnet.errors import Cancelled, LinnetError
from linnet.limits import LIMITS
from linnet.messages import Step
from linnet.requests import Done, Embed, Event, Generate, Score
from linnet.runtime.fleet.seats import Seats
from linnet.runtime.fleet.server import Server
from linnet.runtime.fleet.verdict import verdict

Sent = Generate | Score | Embed
"""Requests that are sent to a server."""


class Closing(Protocol):
    """What a RemoteModel's stream can do."""

    def __next__(self) -> Event: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Tried:
    """A server that did not answer: how long it was waited for, and what it failed with (`overtaken`: by another)."""

    server: str
    error: str
    seconds: float


@dataclass(eq=False)
class _Attempt:
    server: Server
    stream: Closing
    began: float
    watched: bool = False


class Flight:
    """The events of one request. It is sent when it is made, if a server is free; else when it is first read."""

    def __init__(self, seats: Seats, request: Sent, hedge: float | None) -> None:
        self._seats, self._request, self._hedge = seats, request, hedge
        self._started = time.monotonic()
        self._running: list[_Attempt] = []
        self._asked: list[Server] = []
        self._tried: list[Tried] = []
        self._winner: _Attempt | None = None
        self._hedged = self._over = False  # hedged: it was tried to, also in vain
        self._hedges = 0
        self._firsts: queue.Queue[tuple[_Attempt, Event | BaseException]] = queue.Queue()
        self._lock = threading.Lock()
        if (server := seats.take()) is not None:
            self._send(server)

    def __iter__(self) -> Flight:
        return self

    def __next__(self) -> Event:
        if self._over:
            raise StopIteration
        try:
            event = self._next()
        except BaseException:
            self.close()
            raise
        if isinstance(event, Done):
            self.close()
            return self._told(event)
        return event

    def close(self) -> None:
        """Hang up and give the seats back. From any thread; closing again does nothing."""
        with self._lock:
            self._over = True
            running, self._running = self._running, []
        for attempt in running:
            self._drop(attempt)

    __del__ = close

    # --- events ----------------------------------------------------------------------------------

    def _next(self) -> Event:
        if self._winner is None:
            return self._first()
        try:
            return next(self._winner.stream)
        except LinnetError as error:
            self._left(self._winner, error, begun=True)
            error.details["server"] = self._winner.server.name
            raise

    def _first(self) -> Event:
        while True:
            self._wanted()
            attempt, outcome = self._soonest()
            if isinstance(outcome, Event):
                self._won(attempt)
                return outcome
            self._note(attempt, outcome)

    def _wanted(self) -> None:
        """Raises Cancelled where another thread has closed it: then nothing more is sent."""
        if self._over:
            raise Cancelled("the stream was closed")

    def _soonest(self) -> tuple[_Attempt, Event | BaseException]:
        """The next that a server says or fails with. Sends where nothing is on its way."""
        if not self._running:
            self._send(self._seat())
        first = next(iter(self._running), None)
        if first is not None and self._hedge is None:
            return first, _outcome(first)
        while True:
            self._wanted()
            self._watch()
            assert first is not None and self._hedge is not None
            patience = None if self._hedged else max(0.0, first.began + self._hedge - time.monotonic())
            try:
                return self._firsts.get(timeout=patience)
            except queue.Empty:
                self._second()

    def _seat(self) -> Server:
        """Waited for. What is raised instead tells who was tried before."""
        allowed = self._request.deadline
        try:
            return self._seats.wait(self._asked, self._started + allowed, allowed, self._wanted)
        except LinnetError as error:
            if self._tried:
                error.details["tried"] = [asdict(one) for one in self._tried]
            raise

    def _second(self) -> None:
        """Once, and only where a server is free: a hedge must not make others wait."""
        self._hedged = True
        try:
            server = self._seats.take(self._asked) if len(self._asked) < LIMITS.fleet_tries else None
        except LinnetError:
            server = None
        if server is not None:
            self._hedges += 1
            self._send(server)

    def _watch(self) -> None:
        for attempt in self._running:
            if not attempt.watched:
                attempt.watched = True
                threading.Thread(
                    target=_watched, args=(attempt, self._firsts), name="linnet-hedge", daemon=True
                ).start()

    def _won(self, attempt: _Attempt) -> None:
        self._winner = attempt
        self._seats.began(attempt.server)
        for other in [one for one in self._running if one is not attempt]:
            self._leave(other)
            self._tried.append(self._failure(other, "overtaken"))
            self._drop(other, overtaken=True)

    def _note(self, attempt: _Attempt, outcome: BaseException) -> None:
        """A failure before the first word: raises it unless another server may be asked, or is being asked."""
        if not isinstance(outcome, LinnetError):
            raise outcome
        self._left(attempt, outcome)
        self._wanted()
        self._tried.append(self._failure(attempt, outcome.code))
        if self._running:
            return
        if not verdict(outcome).elsewhere or not self._may_go_on():
            outcome.details["tried"] = [asdict(one) for one in self._tried]
            raise outcome

    def _may_go_on(self) -> bool:
        """Whether there is a server left that may be asked, and time for it."""
        if len(self._asked) >= LIMITS.fleet_tries or self._left_seconds() <= 0:
            return False
        try:
            server = self._seats.take(self._asked)
        except LinnetError:  # all others are given up: what this one failed with says more
            return False
        if server is not None:
            self._send(server)
        return True

    # --- attempts --------------------------------------------------------------------------------

    def _send(self, server: Server) -> None:
        """On a seat that is taken. Raises what cannot be asked of any server."""
        self._asked.append(server)
        try:
            stream = server.model.stream(replace(self._request, deadline=max(0.001, self._left_seconds())))
        except BaseException:
            self._seats.left(server)
            raise
        attempt = _Attempt(server, stream, time.monotonic())  # type: ignore[arg-type]
        with self._lock:
            if not self._over:
                self._running.append(attempt)
                return
        self._drop(attempt)

    def _left_seconds(self) -> float:
        return self._started + self._request.deadline - time.monotonic()

    def _leave(self, attempt: _Attempt) -> bool:
        """Whether it was under way, which it is no longer."""
        with self._lock:
            under_way = attempt in self._running
            self._running = [one for one in self._running if one is not attempt]
            return under_way

    def _left(self, attempt: _Attempt, error: LinnetError, begun: bool = False) -> None:
        if self._leave(attempt):
            self._seats.left(attempt.server, error, begun=begun)

    def _drop(self, attempt: _Attempt, overtaken: bool = False) -> None:
        attempt.stream.close()
        self._seats.left(attempt.server, overtaken=overtaken)

    def _failure(self, attempt: _Attempt, error: str) -> Tried:
        return Tried(attempt.server.name, error, round(time.monotonic() - attempt.began, 3))

    # --- what is told ----------------------------------------------------------------------------

    def _told(self, done: Done) -> Done:
        assert self._winner is not None
        name = self._winner.server.name
        notes = [
            f"{one.server} was hung up on, for {name} was faster; what it had computed is not in the usage"
            if one.error == "overtaken"
            else f"{one.server} failed before its first word ({one.error}): another server was asked"
            for one in self._tried
        ]
        overtaken = len([one for one in self._tried if one.error == "overtaken"])
        data = {
            "server": name,
            "tried": [asdict(one) for one in self._tried],
            "retries": len(self._tried) - overtaken,
            "hedges": self._hedges,
            "waited": round(self._winner.began - self._started, 3),
        }
        step = Step("fleet", f"answered by {name}", time.monotonic() - self._started, data)
        return replace(done, degraded=(*done.degraded, *notes), steps=(*done.steps, step))


def _watched(attempt: _Attempt, firsts: queue.Queue[tuple[_Attempt, Event | BaseException]]) -> None:
    firsts.put((attempt, _outcome(attempt)))


def _outcome(attempt: _Attempt) -> Event | BaseException:
    try:
        return next(attempt.stream)
    except BaseException as error:
        return error

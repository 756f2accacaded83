"""Within: a Model around a Model that keeps all requests of one turn within one deadline, and watches them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from linnet.agent.question import Clocked, Question, clock
from linnet.errors import DeadlineExceeded, LinnetError
from linnet.requests import Capabilities, Count, Done, Event, Model, Request, Spell


class Within:
    """Gives each request what is left of `seconds`, and none once they are over.

    `degraded` collects what any of them told was not as it should be, `cached` how those that were remembered were
    found, out of `asked` in all; counting asks nothing. `now` is the clock of the turn: seconds since it began.
    """

    def __init__(self, model: Model, seconds: float) -> None:
        self._model, self._seconds = model, seconds
        self.now = clock()
        self._clocked: list[Clocked] = []
        self.degraded: tuple[str, ...] = ()
        self.cached: tuple[str, ...] = ()
        self.asked = 0

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    def stream(self, request: Request) -> Iterator[Event]:
        left = self._seconds - self.now()
        if left <= 0:
            raise self.over()
        self.asked += not isinstance(request, Count | Spell)
        start = self.now()
        clocked = Clocked(request, start, self.now, start)
        self._clocked.append(clocked)
        try:
            events = self._model.stream(replace(request, deadline=min(left, request.deadline)))
        except LinnetError as error:
            raise self.failed(error, clocked) from error
        return _Watched(self, events, clocked)

    def failed(self, error: LinnetError, clocked: Clocked) -> LinnetError:
        """What a request ended with as the turn tells it: whoever noticed it, and when, the time is the turn's."""
        clocked.failed(error)
        return self.over() if isinstance(error, DeadlineExceeded) else error

    @property
    def questions(self) -> tuple[Question, ...]:
        """All that was asked, in order, as far as it was heard."""
        return tuple(clocked.question() for clocked in self._clocked)

    def over(self) -> DeadlineExceeded:
        """The error of a turn that took too long, whichever of its requests noticed."""
        return DeadlineExceeded(f"the turn did not end within its {self._seconds:g} s", seconds=self._seconds)


class _Watched:
    """The events of one request. Dropping this drops the stream behind it, which cancels the request."""

    def __init__(self, within: Within, events: Iterator[Event], clocked: Clocked) -> None:
        self._within, self._events, self._clocked = within, events, clocked

    def __iter__(self) -> _Watched:
        return self

    def __next__(self) -> Event:
        try:
            event = next(self._events)
        except LinnetError as error:
            raise self._within.failed(error, self._clocked) from error
        self._clocked.event(event)
        if isinstance(event, Done):
            fresh = (told for told in event.degraded if told not in self._within.degraded)
            self._within.degraded += tuple(fresh)
            self._within.cached += (event.cached,) if event.cached else ()
        return event

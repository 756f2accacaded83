"""One turn in a thread of its own: its events as they happen, and an end to it whenever they are no longer wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from linnet.agent.events import TurnEvent, Watch
from linnet.agent.result import Result
from linnet.errors import Cancelled


class Prepared:
    """A turn that was looked at and not begun. `begin` runs it in the calling thread; `cancel`, from any thread, ends
    its model work at once and begins nothing more. A tool that runs by then is let finish."""

    def __init__(self, begin: Callable[[], Result], cancel: Callable[[], None]) -> None:
        self.begin, self.cancel = begin, cancel


Prepare = Callable[[Watch], Prepared]


def start(turn: Prepared, put: Callable[[TurnEvent | BaseException], None]) -> None:
    """Run the turn in a thread that keeps no program from ending; `put` gets its Result, or what it raised."""

    def run() -> None:
        try:
            put(turn.begin())
        except BaseException as error:
            put(error)

    threading.Thread(target=run, name="linnet-turn", daemon=True).start()


class Streaming:
    """The events of one turn, the last one its Result; what the turn raises is raised. Closing or dropping this
    before its end cancels the turn."""

    def __init__(self, prepare: Prepare) -> None:
        self._events: SimpleQueue[TurnEvent | BaseException] = SimpleQueue()
        self._over = False
        self._turn = prepare(self._events.put)
        start(self._turn, self._events.put)

    def __iter__(self) -> Streaming:
        return self

    def __next__(self) -> TurnEvent:
        if self._over:
            raise StopIteration
        try:
            event = self._events.get()
        except BaseException:
            self.close()
            raise
        if isinstance(event, BaseException):
            self._over = True
            raise event
        self._over = isinstance(event, Result)
        return event

    def close(self) -> None:
        """From any thread; one that waits for the next event gets Cancelled."""
        if not self._over:
            self._over = True
            self._turn.cancel()
            self._events.put(Cancelled("the stream was closed"))

    def __del__(self) -> None:
        if hasattr(self, "_turn"):  # else nothing was begun
            self.close()

"""Run: the work of one request in a thread, as soon as it has a seat, and its events in the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from linnet.errors import Cancelled, EngineError, LinnetError
from linnet.interfaces.http.errors import as_ours
from linnet.interfaces.http.line import ENDING, Line

Event = TypeVar("Event")


class _End:
    """Behind the last event."""


class Run(Generic[Event]):
    """The events of one request, for `async for`. Raises what the line does, at once, for one that is refused.

    `work` runs in a thread of its own and yields events; `stop`, from any thread, makes it end soon. The seat is free
    again when the thread has ended, not when nobody reads any more: what runs is what is counted.
    """

    def __init__(self, line: Line, work: Callable[[], Iterator[Event]], stop: Callable[[], None]) -> None:
        self._line, self._work, self._stop = line, work, stop
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event | LinnetError | _End] = asyncio.Queue()
        self._first: Event | LinnetError | _End | None = None
        self._over = False
        line.join(self)

    def __aiter__(self) -> Run[Event]:
        return self

    async def __anext__(self) -> Event:
        if self._over:
            raise StopAsyncIteration
        event, self._first = self._first, None
        if event is None:
            event = await self._events.get()
        if isinstance(event, _End):
            self._over = True
            raise StopAsyncIteration
        if isinstance(event, LinnetError):
            self._over = True
            raise event
        return event

    async def begun(self, seconds: float) -> None:
        """Wait for the first event, at most so long. Raises the error that came in its place."""
        if self._first is None:
            with contextlib.suppress(TimeoutError):
                self._first = await asyncio.wait_for(self._events.get(), seconds)
        if isinstance(self._first, LinnetError):
            await anext(self)

    def cancel(self) -> None:
        """Nobody wants the answer: whoever still reads gets Cancelled. Cancelling again does nothing."""
        if self._over:
            return
        if self._line.withdraw(self):
            self._put(Cancelled("cancelled while it waited"))
        else:
            self._stop()

    # --- for the line ----------------------------------------------------------------------------

    def begin(self) -> None:
        try:
            threading.Thread(target=self._run, name="linnet-request", daemon=True).start()
        except RuntimeError as error:  # the machine has none left
            self._put(EngineError(f"no thread could be started: {error}"))
            self._loop.call_soon(self._line.left, 0.0)

    def refuse(self) -> None:
        self._put(Cancelled("the server ends, and the request had not begun", hint=ENDING))

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        started = time.monotonic()
        last: LinnetError | _End = _End()
        try:
            for event in self._work():
                self._tell(self._put, event)
        except BaseException as error:
            last = as_ours(error)
        self._tell(self._put, last)
        self._tell(self._line.left, time.monotonic() - started)

    def _put(self, event: Event | LinnetError | _End) -> None:
        self._events.put_nowait(event)

    def _tell(self, call: Callable[..., None], value: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            self._loop.call_soon_threadsafe(call, value)

"""Turns in an event loop: a thin face over turns in threads, which never makes the loop wait.

Hides the threads: there is one for each turn that runs, and none for those that wait.
"""

from __future__ import annotations

import asyncio
import contextlib
from weakref import WeakKeyDictionary

from linnet.agent.events import TurnEvent
from linnet.agent.result import Result
from linnet.agent.underway import Prepare, start
from linnet.errors import QueueFull
from linnet.limits import LIMITS


class Loops:
    """The event loops that one agent has turns in, with the seats that each of them has."""

    def __init__(self) -> None:
        self._seats: WeakKeyDictionary[asyncio.AbstractEventLoop, _Seats] = WeakKeyDictionary()

    def stream(self, prepare: Prepare) -> AsyncStreaming:
        """Raises at once for a request that cannot be, and QueueFull where too many are under way."""
        loop = asyncio.get_running_loop()
        return AsyncStreaming(prepare, loop, self._seats.setdefault(loop, _Seats()))


class _Seats:
    """How many turns are under way in one event loop, and which of them may run."""

    def __init__(self) -> None:
        self.taken = 0
        self.running = asyncio.Semaphore(LIMITS.turns_at_once)


class AsyncStreaming:
    """What `linnet.agent.underway.Streaming` is, for `async for`. Cancelling a task that waits here, closing this and
    dropping it all cancel the turn."""

    def __init__(self, prepare: Prepare, loop: asyncio.AbstractEventLoop, seats: _Seats) -> None:
        self._over = True
        if seats.taken >= LIMITS.turns_waiting:
            raise QueueFull(f"{LIMITS.turns_waiting} turns are under way in this event loop already")
        events = self._events = asyncio.Queue[TurnEvent | BaseException]()

        def put(event: TurnEvent | BaseException) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
                loop.call_soon_threadsafe(events.put_nowait, event)

        self._turn, self._put, self._loop, self._seats = prepare(put), put, loop, seats
        self._begun = self._over = False
        seats.taken += 1

    def __aiter__(self) -> AsyncStreaming:
        return self

    async def __anext__(self) -> TurnEvent:
        if self._over:
            raise StopAsyncIteration
        try:
            event = await self._next()
        except BaseException:
            self.close()
            raise
        if isinstance(event, BaseException | Result):
            self._end()
        if isinstance(event, BaseException):
            raise event
        return event

    async def result(self) -> Result:
        """The last event. Raises what the turn raises."""
        async for event in self:
            if isinstance(event, Result):
                return event
        raise RuntimeError("the stream was closed, or has been read to its end")

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        if not self._over:
            self._end()
            self._turn.cancel()

    __del__ = close

    async def _next(self) -> TurnEvent | BaseException:
        if not self._begun:
            await self._seats.running.acquire()
            self._begun = True
            start(self._turn, self._put)
        return await self._events.get()

    def _end(self) -> None:
        """Also from another thread: whatever drops this last."""
        self._over = True
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_leave, self._seats, self._begun)


def _leave(seats: _Seats, begun: bool) -> None:
    seats.taken -= 1
    if begun:
        seats.running.release()

"""Calls under way, for threads: what an event loop receives of each, and an end to it from anywhere.

Hides the loop, which is one for the whole process, and that a call is a task of it.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, Callable
from functools import cache


class Lost(Exception):
    """A replica is gone, or cannot be reached; what it was asked can be asked of another."""


class Silent(Exception):
    """Nothing came for so long."""


class Flow:
    """The chunks of one call. `make` is called in the loop, and what it gives is closed there when the call ends."""

    def __init__(self, make: Callable[[], AsyncGenerator[bytes, None]]) -> None:
        self._chunks: queue.SimpleQueue[bytes | BaseException | None] = queue.SimpleQueue()
        self._task = asyncio.run_coroutine_threadsafe(self._follow(make), _loop())

    def next(self, seconds: float) -> bytes | None:
        """The next chunk, None behind the last. Raises Silent, and what the call raised: Lost or a LinnetError."""
        try:
            chunk = self._chunks.get(timeout=max(0.0, seconds))
        except queue.Empty:
            raise Silent from None
        if isinstance(chunk, BaseException):
            raise chunk
        return chunk

    def close(self) -> None:
        """End the call, there too. Whoever waits for a chunk gets None. Closing again does nothing."""
        self._task.cancel()
        self._chunks.put(None)

    async def _follow(self, make: Callable[[], AsyncGenerator[bytes, None]]) -> None:
        chunks = make()
        try:
            async for chunk in chunks:
                self._chunks.put(chunk)
            self._chunks.put(None)
        except Exception as error:
            self._chunks.put(error)
        finally:
            await chunks.aclose()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="linnet-calls", daemon=True).start()
    return loop

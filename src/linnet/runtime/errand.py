"""Errand: one request that takes several exchanges with a server, worked on by a thread from when it is made.

Hides the thread. Each exchange has what is left of the request's time; closing hangs up on the one under way.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from linnet.errors import DeadlineExceeded, RemoteCut, RemoteError
from linnet.requests import Done
from linnet.runtime.exchange import Exchange, Post


class Ask(Protocol):
    """A URL and a body of JSON -> the body that comes back."""

    def __call__(self, url: str, body: bytes) -> bytes: ...


class Errand:
    """The one event of the request, which is what `work` makes of the answers that it asks for. Raises what that
    raises: RemoteErrors, and DeadlineExceeded after `deadline` seconds."""

    def __init__(self, post: Callable[[str, bytes], Post], deadline: float, work: Callable[[Ask], Done]) -> None:
        self._over = False
        self._line = _Line(post, deadline, work)
        threading.Thread(target=self._line.run, name="linnet-errand", daemon=True).start()

    def __iter__(self) -> Errand:
        return self

    def __next__(self) -> Done:
        if self._over:
            raise StopIteration
        end = self._line.end.get()
        self._over = True
        if isinstance(end, Done):
            return end
        raise end

    def close(self) -> None:
        """From any thread; closing again does nothing. Whoever waits for the event is told that it was cut."""
        self._line.hang_up()

    __del__ = close


class _Line:
    """What the thread has in its hands."""

    def __init__(self, post: Callable[[str, bytes], Post], deadline: float, work: Callable[[Ask], Done]) -> None:
        self.end: queue.SimpleQueue[Done | BaseException] = queue.SimpleQueue()
        self._post, self._work = post, work
        self._allowed, self._until = deadline, time.monotonic() + deadline
        self._exchange: Exchange | None = None
        self._hung_up = False
        self._lock = threading.Lock()

    def run(self) -> None:
        try:
            self.end.put(self._work(self._ask))
        except BaseException as error:  # whatever it is: the reader must hear of it
            self.end.put(error)

    def hang_up(self) -> None:
        with self._lock:
            self._hung_up, exchange = True, self._exchange
        if exchange is not None:
            exchange.close()

    def _ask(self, url: str, body: bytes) -> bytes:
        with self._lock:
            if self._hung_up:
                raise RemoteCut("it was hung up on")
            left = max(0.001, self._until - time.monotonic())
            exchange = self._exchange = Exchange(replace(self._post(url, body), kind="application/json"), left)
        try:
            with contextlib.closing(exchange):
                return b"".join(exchange)
        except DeadlineExceeded:
            message = f"the request did not end within its {self._allowed:g} s"
            raise DeadlineExceeded(message, seconds=self._allowed) from None
        except RemoteError as error:
            if self._hung_up:  # it looks like any fault of the server
                raise RemoteCut("it was hung up on") from error
            raise

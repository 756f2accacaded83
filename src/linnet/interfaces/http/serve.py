"""The server process: one socket, one event loop, and an end that finishes or hands back what runs.

A first SIGTERM or SIGINT lets nobody in any more: what waits is refused with 503, what runs has `http_grace_seconds`
to end, and is then cancelled. A second one ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from linnet.errors import InputInvalid
from linnet.interfaces.http.deadlines import Bounded
from linnet.interfaces.http.guard import Door
from linnet.limits import LIMITS

_BACKLOG = 2_048

_LAST_WORDS = 2
"""Seconds to say that an answer was cancelled."""


class Ends(Protocol):
    """What is behind a server, and is told of its end: let nobody in any more, and then end what still runs."""

    def close(self) -> None: ...

    def cancel(self) -> None: ...


class Server(uvicorn.Server):
    """uvicorn's, with both signals treated alike. `ready` is called with the socket open.

    The first signal lets what runs go on to its end, for a while; a second one cancels it, and whoever reads is told.
    """

    def __init__(self, app: ASGIApp, service: Ends, ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(_configuration(app))
        self._service, self._ready = service, ready
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.close()
        last = asyncio.get_running_loop().call_later(LIMITS.http_grace_seconds, self._service.cancel)
        await super().shutdown(sockets)
        last.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The signal is not raised again at the end, as uvicorn's own would be: a server that was told to end has
        done what it should."""
        if self.should_exit and self._loop is not None:
            self._loop.call_soon_threadsafe(self._hurry, self._loop)
        self.should_exit = True

    def _hurry(self, loop: asyncio.AbstractEventLoop) -> None:
        self._service.cancel()
        loop.call_later(_LAST_WORDS, self._leave)

    def _leave(self) -> None:
        self.force_exit = True


def serve(app: ASGIApp, service: Ends, listening: socket.socket, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until a signal says otherwise.

    What is loaded by now stays as long as the process: no collection looks through it again while requests wait.
    """
    gc.collect()
    gc.freeze()
    Server(app, service, ready).run(sockets=[listening])


@contextlib.contextmanager
def bound(door: Door, port: int) -> Iterator[socket.socket]:
    """The socket to listen on; port 0 is any free one. Raises Forbidden, SettingsInvalid, and InputInvalid for an
    address that cannot be had."""
    door.check_bind()
    try:
        found = socket.getaddrinfo(door.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InputInvalid(f"{door.host!r} is no address to listen on: {error}", hint="Try 127.0.0.1.") from error
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
        except (OSError, OverflowError) as error:
            hint = "Give another --port, or end what listens there."
            raise InputInvalid(f"cannot listen on {door.host} port {port}: {error}", hint=hint) from error
        yield listening


def _configuration(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Bounded,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        h11_max_incomplete_event_size=LIMITS.http_header_bytes,
        timeout_keep_alive=int(LIMITS.http_idle_seconds),
        timeout_graceful_shutdown=int(LIMITS.http_grace_seconds) + _LAST_WORDS,
    )

"""The protocol of one connection, with deadlines that hold: a client that sends, or reads, too slowly is cut off.

Middleware runs once the headers are there, and so never for a client that does not end them. The clocks here start
with the first byte of a request, with the end of its headers, and with the first byte that a client does not take.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from linnet.errors import DeadlineExceeded, LinnetError, RequestError
from linnet.interfaces.http.errors import openai_body, status_of
from linnet.interfaces.http.guard import headers_too_large
from linnet.limits import LIMITS

_HEADERS, _BODY = "headers", "body"


class Bounded(H11Protocol):
    """uvicorn's protocol with clocks. What is refused here is refused in OpenAI's shape, as everywhere."""

    _clock: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _phase: tuple[str, int] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > LIMITS.http_connections:
            transport.abort()
            return
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._read()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        self._follow()

    # --- receiving -------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Start the clock of the phase that the connection is in now, unless it runs already."""
        phase = self._now()
        if phase == self._phase:
            return
        self._stop()
        self._phase = phase
        if phase is not None:
            seconds = LIMITS.http_header_seconds if phase[0] == _HEADERS else LIMITS.http_body_seconds
            self._clock = self.loop.call_later(seconds, self._late, phase[0])

    def _now(self) -> tuple[str, int] | None:
        """What is being received, and of which request; None where nothing is expected."""
        if self.transport.is_closing():
            return None
        done = id(self.cycle)
        if self.conn.their_state is h11.SEND_BODY:
            return _BODY, done
        begun = self.cycle is None or bool(self.conn.trailing_data[0])
        return (_HEADERS, done) if self.conn.their_state is h11.IDLE and begun else None

    def _late(self, what: str) -> None:
        if self.transport.is_closing():
            return
        if what == _BODY and self.cycle is not None and self.cycle.response_started:
            self.transport.abort()
        elif what == _HEADERS and not self.conn.trailing_data[0]:
            self.transport.close()  # it has said nothing: there is nothing to answer
        else:
            hint = "Send headers and body without pauses; `linnet limits` shows the deadlines."
            self._say(DeadlineExceeded(f"the {what} did not arrive in time", hint=hint), 408)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock = self._phase = None

    # --- sending ---------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self._read()
        self._unread = self.loop.call_later(LIMITS.http_write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read()

    def _read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
        self._unread = None

    # --- refusing --------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, or has headers without end."""
        cause = sys.exc_info()[1]
        too_large = getattr(cause, "error_status_hint", 400) == 431
        error = (
            headers_too_large() if too_large else RequestError("what was sent is not HTTP, or not a valid request")
        )
        self._say(error, 431 if too_large else 400)

    def _say(self, error: LinnetError, status: int | None = None) -> None:
        """The last words of this connection, unless an answer is on its way already."""
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.abort()
            return
        code = status or status_of(error)
        body = json.dumps(openai_body(error, code)).encode()
        head: list[Any] = [b"HTTP/1.1 %d %s" % (code, STATUS_PHRASES[code]), b"content-type: application/json"]
        head += [b"content-length: %d" % len(body), b"connection: close"]
        with contextlib.suppress(OSError):
            self.transport.write(b"\r\n".join([*head, b"", body]))
        self.transport.close()

"""One POST or GET to a server, and the bytes that come back of it: in time, within a size, every failure typed.

Hides HTTP and the thread that speaks it. Each exchange has a connection of its own, so that closing one early ends
what the server does for it, and a thread that hangs holds up nobody. Redirects are not followed, for they would
carry the key to where nobody has configured; bodies are not unpacked; what a server says of an error is shown
without control characters, short, and without the key.
"""

from __future__ import annotations

import contextlib
import email.utils
import queue
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from linnet.errors import (
    DeadlineExceeded,
    LinnetError,
    RemoteBusy,
    RemoteCut,
    RemoteDenied,
    RemoteError,
    RemoteFailed,
    RemoteInvalid,
    RemoteRefused,
    RemoteSilent,
    RemoteUnreachable,
)
from linnet.limits import LIMITS

if TYPE_CHECKING:
    import ssl

    import httpx2

_BLOCKS = 256
"""That wait for their reader; more wait in the connection."""

_SHOWN = 300
"""Characters of what a server says of an error."""

FOREIGN: dict[str, type[RemoteError]] = {
    "ConnectError": RemoteUnreachable,
    "ConnectTimeout": RemoteUnreachable,
    "PoolTimeout": RemoteUnreachable,
    "ProxyError": RemoteUnreachable,
    "UnsupportedProtocol": RemoteUnreachable,
    "InvalidURL": RemoteUnreachable,
    "ReadTimeout": RemoteSilent,
    "WriteTimeout": RemoteSilent,
    "NetworkError": RemoteCut,
    "RemoteProtocolError": RemoteInvalid,
    "LocalProtocolError": RemoteInvalid,
    "DecodingError": RemoteInvalid,
    "SSEError": RemoteInvalid,
    "TooManyRedirects": RemoteInvalid,
}
"""What the client raises, by the name of the class or of one of its parents -> what it means here."""


EVENTS = "text/event-stream"


@dataclass(frozen=True)
class Post:
    """What is sent. `secret` is in a header, and in nothing that anybody is told. `direct` passes proxies by. `kind`
    is the type of a good answer, "" for any. Without a body it is a GET."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(repr=False)
    secret: str = field(default="", repr=False)
    direct: bool = False
    silence: float = LIMITS.remote_silence_seconds
    kind: str = EVENTS

    def clean(self, text: str) -> str:
        """A foreign text as it may be shown."""
        text = text.replace(self.secret, "[key]") if self.secret else text
        printable = "".join(letter if letter.isprintable() else " " for letter in text)
        return " ".join(printable.split())[:_SHOWN]


class Exchange:
    """The body of the answer, in blocks. `deadline` is in seconds from now. Dropping it early hangs up.

    Iterating raises a RemoteError or DeadlineExceeded; the end of iterating is a whole body.
    """

    def __init__(self, post: Post, deadline: float) -> None:
        self._allowed, self._until = deadline, time.monotonic() + deadline
        self._over = False
        self._line = _Line(post, deadline)
        threading.Thread(target=self._line.run, name="linnet-remote", daemon=True).start()

    def __iter__(self) -> Exchange:
        return self

    def __next__(self) -> bytes:
        if self._over:
            raise StopIteration
        block: bytes | LinnetError | None
        try:
            block = self._next()
        except BaseException:
            self.close()
            raise
        if isinstance(block, bytes):
            return block
        self.close()
        if block is None:
            raise StopIteration
        raise block

    def _next(self) -> bytes | LinnetError | None:
        left = self._until - time.monotonic()
        try:
            if left > 0:
                return self._line.blocks.get(timeout=min(left, threading.TIMEOUT_MAX))
        except queue.Empty:
            pass
        message = f"the request did not end within its {self._allowed:g} s"
        raise DeadlineExceeded(message, seconds=self._allowed)

    def close(self) -> None:
        """Hang up. Closing again does nothing."""
        if not self._over:
            self._over = True
            self._line.hang_up()

    __del__ = close


class _Line:
    """What the thread of an exchange has in its hands."""

    def __init__(self, post: Post, deadline: float) -> None:
        self.blocks: queue.Queue[bytes | LinnetError | None] = queue.Queue(_BLOCKS)
        self._post, self._deadline = post, deadline
        self._hung_up = threading.Event()
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def hang_up(self) -> None:
        with self._lock:
            self._hung_up.set()
            _shut(self._socket)
        with contextlib.suppress(queue.Empty):
            while True:  # so that the thread is not left waiting for room
                self.blocks.get_nowait()
        with contextlib.suppress(queue.Full):  # the end may have been among them, and somebody wait for it
            self.blocks.put_nowait(RemoteCut("it was hung up on"))

    def run(self) -> None:
        end: LinnetError | None = None
        try:
            self._talk()
        except LinnetError as error:
            end = error
        except Exception as error:  # of a foreign library: whatever it is, the reader must hear of it
            end = translated(error, self._post)
        self.blocks.put(end)

    def _talk(self) -> None:
        import httpx2

        post, patience = self._post, min(self._post.silence, self._deadline)
        timeout = httpx2.Timeout(patience, connect=min(LIMITS.remote_connect_seconds, patience))
        headers = {"User-Agent": _agent(), "Accept-Encoding": "identity", "Connection": "close", **post.headers}
        extensions = {"trace": self._traced}
        with (
            httpx2.Client(
                verify=_trusted(), timeout=timeout, follow_redirects=False, trust_env=not post.direct
            ) as client,
            client.stream(
                "POST" if post.body else "GET", post.url, content=post.body, headers=headers, extensions=extensions
            ) as response,
        ):
            self._read(response)

    def _read(self, response: httpx2.Response) -> None:
        _check(response, self._post)
        size = 0
        for block in self._blocks(response):
            size += len(block)
            if size > LIMITS.remote_reply_bytes:
                told = f"the server sent over {LIMITS.remote_reply_bytes:,} bytes, the limit"
                raise RemoteInvalid(told, limit=LIMITS.remote_reply_bytes)
            self.blocks.put(block)
            if self._hung_up.is_set():
                return

    def _blocks(self, response: httpx2.Response) -> Iterator[bytes]:
        """Of an answer that has begun: whatever goes wrong now but silence has cut it."""
        try:
            yield from response.iter_raw()
        except Exception as error:
            found = translated(error, self._post)
            if isinstance(found, RemoteSilent):
                raise found from error
            raise RemoteCut(f"the answer ended before its end: {found.message}", **found.details) from error

    def _traced(self, event: str, info: Mapping[str, Any]) -> None:
        """The client's own account of what it does, for the socket of the connection."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                if self._hung_up.is_set():
                    _shut(self._socket)


def translated(error: Exception, post: Post) -> RemoteError:
    """An error of the client as one of ours."""
    names = [kind.__name__ for kind in type(error).__mro__]
    kind = next((FOREIGN[name] for name in names if name in FOREIGN), RemoteUnreachable)
    host = re.sub(r"^(https?://[^/]*).*$", r"\1", post.url)
    told = post.clean(str(error)) or type(error).__name__
    what = f"{host} sent nothing for {post.silence:g} s" if kind is RemoteSilent else f"{host}: {told}"
    return kind(what, reason=type(error).__name__)


def _shut(connection: socket.socket | None) -> None:
    """Wake whoever reads from it. As a plain socket: the method of an SSL one takes it apart under its reader."""
    if connection is not None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


# --- what a status means -------------------------------------------------------------------------


def _check(response: httpx2.Response, post: Post) -> None:
    """Raises what the answer's head means; returns where an answer follows that can be read."""
    status, headers = response.status_code, response.headers
    if status != 200:
        raise _refusal(status, _retry_after(headers.get("Retry-After", "")), post, _beginning(response))
    if headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise RemoteInvalid("the server packs its answer though asked not to")
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if post.kind and kind != post.kind:
        wanted = "a stream of events" if post.kind == EVENTS else post.kind
        raise RemoteInvalid(f"the server answers with {post.clean(kind)[:60] or 'no type'}, not with {wanted}")


def _refusal(status: int, after: float | None, post: Post, said: bytes) -> RemoteError:
    text = post.clean(said.decode(errors="replace"))
    message = f"the server answers {status}{f': {text}' if text else ''}"
    details: dict[str, Any] = {"status": status} | ({"retry_after": after} if after is not None else {})
    hint = f"The server asks to wait {after:.0f} s." if after is not None else None
    if status in (401, 403, 407):
        return RemoteDenied(message, **details)
    if status == 429:
        return RemoteBusy(message, hint=hint, **details)
    if status >= 500 or status == 408:
        return RemoteFailed(message, hint=hint, **details)
    if 300 <= status < 400:
        message = f"the server answers {status} and sends on to another address, which is not followed"
    return RemoteRefused(message, **details)


def _beginning(response: httpx2.Response) -> bytes:
    """Of the body of a refusal; what does not come in a while is not waited for."""
    body, until = bytearray(), time.monotonic() + LIMITS.remote_connect_seconds
    with contextlib.suppress(Exception):
        for block in response.iter_raw():
            body += block
            if len(body) >= LIMITS.remote_error_bytes or time.monotonic() > until:
                break
    return bytes(body[: LIMITS.remote_error_bytes])


def _retry_after(value: str) -> float | None:
    """Seconds, from a number or a date (RFC 9110, 10.2.3); None where it is neither."""
    if re.fullmatch("[0-9]{1,9}", value):
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


@cache
def _trusted() -> ssl.SSLContext:
    """Whose certificates hold: read once, for that takes 20 ms and more."""
    import httpx2

    return httpx2.create_ssl_context()


def _agent() -> str:
    from linnet import __version__

    return f"linnet/{__version__}"

"""One GET, hop by hop: every address vetted and connected to as vetted, all of it within one deadline and one size.

Hides HTTP, redirects, name resolution and unpacking. A name is resolved once for each hop, and the connection goes to
the very address that was vetted, so that no second answer of a name server is ever used (rebinding). No proxy, no
cookie, no header of the user's goes along a redirect. A clock shuts the socket at the deadline, whatever is being
waited for: a handshake, a header or a body that drips.

Covered: what `vetting.py` says, at every hop; redirect loops, redirects from https to http; bodies over the limit, as
sent or as unpacked; packed twice or in unknown ways; bodies that end early. Not covered: what a server learns from
the request itself: this machine's address, the URL, and that Linnet asks.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from linnet.agent.tools.vetting import Address, Reach, Target, target
from linnet.errors import ToolDenied, ToolError, ToolFailed, ToolTimeout
from linnet.limits import LIMITS

Resolve = Callable[[str, int], list[str]]
"""A host and a port -> addresses, best first."""

_BLOCK = 64 * 1024
_REDIRECTS = {301, 302, 303, 307, 308}
_ADDRESSES = 8
"""Of one name that are vetted; one that is refused refuses the name."""


@dataclass(frozen=True)
class Get:
    """What is asked for. `headers` go to the first hop's host only; `seconds` and `bytes` bound all hops together."""

    url: str
    reach: Reach = field(default=Reach())
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    accept: str = "text/html, application/xhtml+xml, text/plain, */*;q=0.1"
    seconds: float = LIMITS.fetch_seconds
    bytes: int = LIMITS.fetch_bytes
    hops: int = LIMITS.fetch_hops


@dataclass(frozen=True)
class Got:
    """What came: `url` is where it came from at last, `hops` all addresses on the way, `kind` the content type
    without parameters, `charset` "" where none was said."""

    url: str
    hops: tuple[str, ...]
    kind: str
    charset: str
    body: bytes = field(repr=False)


def system_resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def fetch(get: Get, resolve: Resolve = system_resolve) -> Got:
    """The body of the page at the end of at most `hops` redirects.

    Raises ToolDenied for an address that may not be connected to, ToolTimeout, and ToolFailed for all else.
    """
    clock = _Clock(get.seconds)
    here = target(get.url)
    hops = [here.url]
    while True:
        headers = get.headers if len(hops) == 1 else {}
        answer = _hop(get, here, headers, clock, resolve)
        if isinstance(answer, Got):
            return Got(answer.url, tuple(hops), answer.kind, answer.charset, answer.body)
        if len(hops) > get.hops:
            raise ToolFailed(f"over {get.hops} redirects, the last to {answer.url[:200]}", limit=get.hops)
        if here.scheme == "https" and answer.scheme == "http":
            raise ToolDenied(f"{here.host} leads from https to http, which is not followed")
        here = answer
        hops.append(here.url)


def _hop(get: Get, here: Target, headers: Mapping[str, str], clock: _Clock, resolve: Resolve) -> Got | Target:
    """A page, or where it is to be found."""
    get.reach.check(here)
    address = _resolved(here, get.reach, clock, resolve)
    connection = _Connection(here, address, clock)
    try:
        with clock.watching(connection):
            path = here.path
            connection.request("GET", path, headers={**_headers(get, here), **headers})
            answer = connection.getresponse()
            if answer.status in _REDIRECTS and (where := answer.getheader("Location")):
                return target(where, here)
            return _page(get, here, answer)
    except ToolError:
        raise
    except (OSError, http.client.HTTPException, ValueError, zlib.error) as error:
        clock.check()
        said = str(error) or type(error).__name__
        raise ToolFailed(f"{here.place}: {said[:200]}", error=type(error).__name__) from error
    finally:
        connection.close()


def _headers(get: Get, here: Target) -> dict[str, str]:
    from linnet import __version__

    default = here.url.partition("://")[2].partition("/")[0]
    return {
        "Host": default,
        "User-Agent": f"linnet/{__version__}",
        "Accept": get.accept,
        "Accept-Encoding": "gzip",
        "Connection": "close",
    }


# --- time and connections ------------------------------------------------------------------------


class _Clock:
    """What is left of the time, and the end of a connection when nothing is."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._until = seconds, time.monotonic() + seconds

    def left(self) -> float:
        """Seconds; raises ToolTimeout when there are none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise ToolTimeout(f"the page did not come within {self._seconds:g} s", seconds=self._seconds)
        return left

    check = left

    @contextlib.contextmanager
    def watching(self, connection: _Connection) -> Iterator[None]:
        timer = threading.Timer(self.left(), connection.shut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
        self.check()  # a body that was ended by the clock looks whole where its length was not said


class _Connection(http.client.HTTPConnection):
    """To one vetted address, by the host's name for TLS."""

    def __init__(self, here: Target, address: Address, clock: _Clock) -> None:
        super().__init__(here.host, here.port)
        self._here, self._address, self._clock = here, str(address), clock
        self._plain: socket.socket | None = None
        self._over = False

    def connect(self) -> None:
        most = min(self._clock.left(), LIMITS.fetch_connect_seconds)
        self.sock = self._plain = socket.create_connection((self._address, self.port), most)
        self._plain.settimeout(self._clock.left())
        if self._here.scheme == "https":
            line = _trusted().wrap_socket(self._plain, server_hostname=self._here.host, do_handshake_on_connect=False)
            self.sock = line  # what the clock shuts, before anything is waited for
            self._go_on()
            line.do_handshake()
        self._go_on()

    def _go_on(self) -> None:
        self._clock.check()
        if self._over:
            raise TimeoutError("its time is over")

    def shut(self) -> None:
        """From another thread: whoever waits for this connection stops waiting, and whoever is about to does not."""
        self._over = True
        for line in (self.sock, self._plain):
            if isinstance(line, socket.socket):
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(line, socket.SHUT_RDWR)


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()


def _resolved(here: Target, reach: Reach, clock: _Clock, resolve: Resolve) -> Address:
    """The address to connect to. A name with one refused address among its own is refused."""
    outcome: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            outcome.put(resolve(here.host, here.port))
        except Exception as error:
            outcome.put(error)

    threading.Thread(target=look_up, name="linnet-resolve", daemon=True).start()  # the system's call has no deadline
    try:
        found = outcome.get(timeout=clock.left())
    except queue.Empty:
        found = []
        clock.check()
    if isinstance(found, Exception) or not found:
        raise ToolFailed(f"{here.host} is not known: {found or 'no address'}"[:200])
    vetted = [reach.vet(here, address) for address in found[:_ADDRESSES]]
    return vetted[0]


# --- the body ------------------------------------------------------------------------------------


def _page(get: Get, here: Target, answer: http.client.HTTPResponse) -> Got:
    if answer.status != 200:
        raise ToolFailed(f"{here.place} answers {answer.status} {_clean(answer.reason)}", status=answer.status)
    body = b"".join(_bounded(_unpacked(answer), get.bytes))
    kind = (answer.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    charset = answer.headers.get_content_charset() or ""
    return Got(here.url, (), kind, charset, body)


def _bounded(blocks: Iterator[bytes], most: int) -> Iterator[bytes]:
    for block in blocks:
        most -= len(block)
        if most < 0:
            raise ToolFailed("the page is over the limit in size", limit=LIMITS.fetch_bytes)
        yield block


def _raw(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    while block := answer.read1(_BLOCK):
        yield block
    if answer.length:  # what was promised and did not come
        raise ToolFailed("the page ended before its end")


def _unpacked(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    packing = (answer.getheader("Content-Encoding") or "identity").strip().lower()
    if packing == "identity":
        return _raw(answer)
    if packing not in ("gzip", "x-gzip"):
        raise ToolFailed(f"the page is packed as {_clean(packing)}, which was not asked for")
    return _gunzipped(_raw(answer))


def _gunzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """In pieces of at most a block, so that who counts them is never handed more; one member, nothing behind it."""
    unpacker = zlib.decompressobj(wbits=31)
    for block in blocks:
        while block and not unpacker.eof:
            yield unpacker.decompress(block, _BLOCK)
            block = unpacker.unconsumed_tail
    if not unpacker.eof:
        raise ToolFailed("the packed page ended before its end")


def _clean(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:60])

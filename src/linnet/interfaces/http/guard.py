"""What stands before every path: whose host name was asked for, which page asks, and with which key.

A page of any site can make a browser send requests to this machine, and can have its own name lead to 127.0.0.1
(DNS rebinding). So the name must be the server's, the origin, if one is told, too, and with keys there is no path
without one, not even for what does not exist; but for the files of the page that asks for the key.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linnet.errors import Forbidden, LinnetError, RequestError, RequestTooLarge, SettingsInvalid
from linnet.interfaces.http.auth import Keys, given_key
from linnet.interfaces.http.errors import anthropic_body, as_ours, headers_of, openai_body, status_of
from linnet.interfaces.http.told import MARKS
from linnet.limits import LIMITS

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})

_EXPOSED = ", ".join((*MARKS, "x-request-id", "retry-after"))
"""What a page may read of an answer, beside its body."""

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Door:
    """Who may come in. `host` is the address that is listened on; `hosts` are further names that it is called by, and
    `origins` of pages that may ask from elsewhere, as `https://example.org`."""

    host: str = "127.0.0.1"
    keys: Keys = field(default_factory=Keys)
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def check_bind(self) -> None:
        """Raises Forbidden for an address that others reach, without a key, and SettingsInvalid for an origin that
        is none."""
        if not is_loopback(self.host) and not self.keys:
            hint = "Give a key (--api-key-file FILE, or LINNET_API_KEYS), or listen on 127.0.0.1."
            message = f"{self.host or 'that address'} can be reached by others, and there is no API key"
            raise Forbidden(message, hint=hint, host=self.host)
        for origin in self.origins:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
                raise SettingsInvalid(f"{origin[:80]!r} is no origin", hint="Write it as https://example.org")

    def admit(self, headers: Headers, *, keyless: bool = False) -> str:
        """Whose request it is; nobody's where it is for something that is `keyless`. Raises RequestError, Forbidden
        or NotAuthorized."""
        hosts = headers.getlist("host")
        named = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if named is None:
            raise RequestError("the request has no Host, or not one of a known form")
        if not self._is_ours(named["name"].strip("[]").lower()):
            raise Forbidden("this server is not called by that host name")
        self._check_origin(headers, hosts[0])
        return "" if keyless else self.keys.owner(given_key(headers))

    def allows(self, origin: str) -> bool:
        return origin in self.origins

    def _is_ours(self, name: str) -> bool:
        if name in _LOCAL or name in self.hosts or name == self.host.lower():
            return True
        # An address is no name that somebody else could have lead here.
        return not is_loopback(self.host) and _is_address(name)

    def _check_origin(self, headers: Headers, host: str) -> None:
        origin = headers.get("origin")
        if origin is not None and not self.allows(origin) and _netloc(origin) != host.lower():
            raise Forbidden("pages of that origin may not ask this server")
        if origin is None and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            raise Forbidden("a page of another site asks, and does not say which")


def _netloc(origin: str) -> str:
    """Host and port of an origin, "" where it has none."""
    try:
        parts = urlsplit(origin)
        return parts.netloc.lower() if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Middleware: nothing behind it is reached by who may not come in. Each answer gets an `x-request-id`, those to
    faults that nobody foresaw included: they are caught here, for what catches them otherwise is outside.

    `keyless` are paths that may be read without a key, by exactly these names.
    """

    def __init__(self, app: ASGIApp, door: Door, keyless: frozenset[str] = frozenset()) -> None:
        self._app, self._door, self._keyless = app, door, keyless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        scope["request_id"] = name = f"req_{secrets.token_hex(12)}"
        begun = False

        async def marked(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                told = MutableHeaders(scope=message)
                told["x-request-id"] = name
                told["x-content-type-options"] = "nosniff"
                if self._door.allows(origin):
                    told["access-control-allow-origin"], told["vary"] = origin, "origin"
                    told["access-control-expose-headers"] = _EXPOSED
            await send(message)

        if header_bytes(scope) > LIMITS.http_header_bytes:
            await refusal(headers_too_large(), scope, 431)(scope, receive, marked)
            return
        try:
            if scope["method"] == "OPTIONS" and self._door.allows(origin):
                await _preflight(headers.get("access-control-request-headers", ""))(scope, receive, marked)
                return
            keyless = scope["method"] in ("GET", "HEAD") and scope["path"] in self._keyless
            scope["owner"] = self._door.admit(headers, keyless=keyless)
            await self._app(scope, receive, marked)
        except Exception as error:
            if begun:
                raise
            await refusal(as_ours(error), scope)(scope, receive, marked)


def refusal(error: LinnetError, scope: Scope, status: int | None = None) -> Response:
    """An error as the protocol of this path has it."""
    body = anthropic_body(error) if scope["path"].startswith("/v1/messages") else openai_body(error)
    return JSONResponse(body, status or status_of(error), headers_of(error))


def _preflight(asked: str) -> Response:
    """The headers that are asked for are allowed: clients send their own, and none of them does anything here."""
    allowed = {
        "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
        "access-control-max-age": "600",
    }
    if asked:
        allowed["access-control-allow-headers"] = asked
    return Response(status_code=204, headers=allowed)


def header_bytes(scope: Scope) -> int:
    """Of request line and headers, about as they came over the line."""
    sizes = (len(name) + len(value) + 4 for name, value in scope["headers"])
    return sum(sizes) + len(scope["raw_path"]) + len(scope["query_string"])


def headers_too_large() -> RequestTooLarge:
    return RequestTooLarge(f"the headers are over {LIMITS.http_header_bytes:,} bytes", limit=LIMITS.http_header_bytes)

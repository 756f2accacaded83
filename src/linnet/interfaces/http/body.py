"""A request's body: received within its bounds, looked at before it is parsed, parsed, and checked against a shape.

Hides that a body of some size is looked at in a thread, so that the event loop goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from linnet.errors import Cancelled, QueueFull, RequestError, RequestTooLarge
from linnet.limits import KIB, LIMITS

Shape = TypeVar("Shape", bound=BaseModel)
Value = TypeVar("Value")

_AT_ONCE = 64 * KIB
"""Bytes that are looked at in the event loop: a millisecond or two."""

_MARK = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]|[^\s",:\[\]{}]++', re.DOTALL)
"""A string, what opens or closes a level, or any other value. A string that does not end is one too: to look for its
end once more behind each of its quotes would take for ever."""


async def received(request: Request, shape: type[Shape]) -> Shape:
    """The body as `shape` has it. Raises RequestTooLarge, QueueFull where all bodies together are too much, or
    RequestError that names what is wrong where."""
    body = await _bytes(request)
    if len(body) <= _AT_ONCE:
        return parsed(body, shape)
    return await asyncio.to_thread(parsed, body, shape)


async def understood(request: Request, shape: type[Shape], read: Callable[[Shape], Value]) -> tuple[Shape, Value]:
    """The body, and what `read` makes of it: in a thread, for a short body may hold tools that are long to read."""
    asked = await received(request, shape)
    return asked, await asyncio.to_thread(read, asked)


class Bodies:
    """How much all requests that are in a server have sent."""

    def __init__(self, most: int = LIMITS.http_bodies_bytes) -> None:
        self._most, self.held = most, 0

    def take(self, scope: Scope, size: int) -> None:
        """Raises QueueFull where there is no room for so many bytes more."""
        if self.held + size > self._most:
            raise QueueFull(f"the bodies of all requests are over {self._most:,} bytes", limit=self._most)
        self.held += size
        scope[_HELD] = scope.get(_HELD, 0) + size

    def give(self, scope: Scope) -> None:
        """The request is over."""
        self.held -= scope.pop(_HELD, 0)


_HELD = "linnet.body_bytes"


def parsed(body: bytes, shape: type[Shape]) -> Shape:
    check_bounds(body)
    try:
        value = from_json(body, allow_inf_nan=False)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {str(error)[:200]}") from None
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise _misshapen(error) from None
    except RecursionError:
        raise RequestError("the body nests too deeply") from None


def check_bounds(body: bytes) -> None:
    """Raises RequestError for JSON that nests deeper than `LIMITS.json_depth`, or holds more values and names of
    fields than `LIMITS.json_values`, before anything recurses into it or makes objects of it."""
    depth = values = 0
    for found in _MARK.finditer(body):
        mark = found[0][0]
        if mark in b"]}":
            depth -= 1
            if depth < 0:
                return  # it is no JSON, as its parser will say
            continue
        values += 1
        if values > LIMITS.json_values:
            message = f"the body holds more than {LIMITS.json_values:,} values"
            raise RequestError(message, limit=LIMITS.json_values)
        depth += mark in b"[{"
        if depth > LIMITS.json_depth:
            message = f"the body nests deeper than {LIMITS.json_depth} levels"
            raise RequestError(message, limit=LIMITS.json_depth)


async def _bytes(request: Request) -> bytes:
    most = LIMITS.http_body_bytes
    declared = request.headers.get("content-length", "")
    if re.fullmatch("[0-9]{1,18}", declared) and int(declared) > most:
        raise _too_large(most)
    if request.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise RequestError("the body is packed, and is not unpacked here", hint="Send it without Content-Encoding.")
    body = bytearray()
    try:
        async for block in request.stream():
            request.scope["bodies"].take(request.scope, len(block))
            body += block
            if len(body) > most:
                raise _too_large(most)
    except ClientDisconnect:
        raise Cancelled("the client left before it had sent its request") from None
    return bytes(body)


def _too_large(most: int) -> RequestTooLarge:
    return RequestTooLarge(f"the body is over {most:,} bytes", limit=most)


def _misshapen(error: ValidationError) -> RequestError:
    """The first few faults, each with its place; never the whole of what was sent."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{_place(fault['loc'])}: {fault['msg']}" for fault in faults[:4]]
    more = f"; and {len(faults) - 4} more" if len(faults) > 4 else ""
    return RequestError(f"{'; '.join(told)}{more}"[:1_000], param=_place(faults[0]["loc"]))


def _place(loc: tuple[int | str, ...]) -> str:
    """`messages[0].content`, cut where names that the client chose are long."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    return text[:120] or "the body"


def passed_over(shape: BaseModel) -> tuple[str, ...]:
    """What the request had and this server knows nothing of, as lines for `degraded`."""
    names = sorted(str(name) for name in (shape.model_extra or {}))
    cut: list[Any] = [f"the field {name[:60]!r} is not known here and was passed over" for name in names[:16]]
    return (*cut, *([f"{len(names) - 16} more unknown fields"] if len(names) > 16 else []))

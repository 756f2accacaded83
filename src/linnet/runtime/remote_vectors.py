"""Vectors of texts from a server that speaks OpenAI's JSON: what is sent to `/embeddings`, and what is believed.

A row for each text, all of one width, of finite numbers; they are brought to length 1 here.
"""

from __future__ import annotations

import json
import math
import time
from array import array
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError

from linnet.errors import RemoteInvalid
from linnet.limits import LIMITS
from linnet.messages import Step
from linnet.requests import Done, Embed, Event, Usage, check_size
from linnet.runtime.exchange import Exchange, Post
from linnet.vectors import Vectors


def body(model: str, request: Embed) -> bytes:
    """Raises RequestTooLarge."""
    check_size(request.texts)
    return json.dumps({"model": model, "input": list(request.texts), "encoding_format": "float"}).encode()


def events(exchange: Exchange, request: Embed, post: Post) -> Iterator[Event]:
    """One Done. Raises a RemoteError."""
    started = time.monotonic()
    try:
        data = b"".join(exchange)
    finally:
        exchange.close()
    yield _done(data, len(request.texts), post, time.monotonic() - started)


class _Row(BaseModel):
    index: int
    embedding: list[float]


class _Usage(BaseModel):
    prompt_tokens: int = 0


class _Reply(BaseModel):
    data: list[_Row]
    usage: _Usage | None = None


def _done(data: bytes, count: int, post: Post, seconds: float) -> Done:
    try:
        reply = _Reply.model_validate_json(data)
    except ValidationError:
        told = post.clean(data.decode(errors="replace"))[:80]
        raise RemoteInvalid(f"the server's answer holds no vectors: {told!r}") from None
    rows = {row.index: row.embedding for row in reply.data}
    width = len(reply.data[0].embedding) if reply.data else 0
    if sorted(rows) != list(range(count)) or len(reply.data) != count:
        raise RemoteInvalid(f"the server was given {count} texts and sent vectors of {len(reply.data)}")
    if not 0 < width <= LIMITS.vector_width or any(len(row) != width for row in rows.values()):
        raise RemoteInvalid(f"the server's vectors are not all of one width up to {LIMITS.vector_width:,}")
    vectors = Vectors(width, b"".join(_unit(rows[index]) for index in range(count)))
    notes = () if reply.usage else ("tokens are not counted: the server told none",)
    usage = Usage(max(0, reply.usage.prompt_tokens)) if reply.usage else Usage()
    step = Step("remote", f"embedded by {post.url}", seconds, {})
    return Done(usage=usage, vectors=vectors, degraded=notes, steps=(step,))


def _unit(row: list[float]) -> bytes:
    length = math.sqrt(math.fsum(value * value for value in row))
    if not math.isfinite(length) or not length:
        raise RemoteInvalid("a vector of the server's has no length")
    made = array("f", (value / length for value in row))
    assert made.itemsize == 4
    return made.tobytes()

"""Server-sent events: frames out of JSON, comments while nothing comes, and an end as soon as nobody reads.

Hides how a client that leaves is noticed while its request waits, runs, or is being answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from linnet.interfaces.http.running import Run
from linnet.limits import LIMITS

Event = TypeVar("Event")

_COMMENT = b": still at work\n\n"

DONE = b"data: [DONE]\n\n"


def frame(value: Any, name: str = "") -> bytes:
    """One event. Its data is one line, for JSON has no bare line ends, and U+2028 is escaped with the rest."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value, separators=(',', ':'))}\n\n".encode()


@contextlib.asynccontextmanager
async def wanted(request: Request, run: Run[Event]) -> AsyncIterator[Run[Event]]:
    """The run for the block, which is cancelled where the block ends early or the client leaves."""
    watch = asyncio.create_task(_until_gone(request, run))
    try:
        yield run
    finally:
        watch.cancel()
        run.cancel()


async def _until_gone(request: Request, run: Run[Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    run.cancel()


async def gathered(request: Request, run: Run[Event]) -> list[Event]:
    """All events of a run. Raises what it raises."""
    async with wanted(request, run):
        return [event async for event in run]


async def streamed(
    request: Request,
    run: Run[Event],
    frames: Callable[[Run[Event]], AsyncGenerator[bytes, None]],
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer of events. What fails before the first of them is raised, so that it can have a status of its own;
    what comes later than a moment is a stream that has begun."""
    watch = asyncio.create_task(_until_gone(request, run))
    try:
        await run.begun(LIMITS.http_keep_alive_seconds)
    except BaseException:
        watch.cancel()
        run.cancel()
        raise
    body = _sent(run, watch, kept_alive(frames(run)))
    told = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", **(headers or {})}
    return StreamingResponse(body, media_type="text/event-stream", headers=told)


async def _sent(
    run: Run[Any], watch: asyncio.Task[None], frames: AsyncGenerator[bytes, None]
) -> AsyncIterator[bytes]:
    try:
        async for one in frames:
            yield one
    finally:
        watch.cancel()
        run.cancel()


async def kept_alive(frames: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The frames, and a comment wherever none comes for a while."""
    following: asyncio.Future[bytes] | None = None
    try:
        while True:
            following = following or asyncio.ensure_future(anext(frames))
            done, _ = await asyncio.wait({following}, timeout=LIMITS.http_keep_alive_seconds)
            if not done:
                yield _COMMENT
                continue
            try:
                one = following.result()
            except StopAsyncIteration:
                return
            following = None
            yield one
    finally:
        if following is not None:
            following.cancel()

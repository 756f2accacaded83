"""Many requests on one model, for offline use: kept flowing into the engine, answered in their own order.

Requests that begin alike are asked one after the other, and the first of them by itself until its prompt is computed:
the others then find it. While the engine computes, more are rendered, and ends worked on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any

from linnet.errors import LinnetError, SettingsInvalid
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Count, Done, Embed, Generate, Model, Request, Score, Spell, complete
from linnet.runtime.cancelling import Cancelling
from linnet.runtime.crew import in_order

_HEAD = 240
"""Characters that prompts must share before one waits for another: some 50 tokens, which take as long to compute
together with others as the waiting does."""


def generate_batch(
    model: Model,
    requests: Iterable[Request],
    *,
    finish: Callable[[Done], Any] | None = None,
    at_once: int = LIMITS.batch_requests_at_once,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Any]:
    """What each request ended in, in the order of the requests: its Done, or what `finish` makes of that.

    A request that fails spoils no other: its error is its outcome, and so is what `finish` raises. At most `at_once`
    are in the hands of model and `finish`, and requests are read no more than `LIMITS.batch_ahead` ahead, so they may
    be more than fit into memory. `finish` runs in several threads; `progress` is told how many have ended, by one of
    them at a time. Closing the iterator cancels what runs and leaves the rest. Raises SettingsInvalid for an
    `at_once` beyond what a worker's queue takes.
    """
    if not 1 <= at_once <= LIMITS.queue:
        raise SettingsInvalid(f"`at_once` is {at_once}: it should be from 1 to {LIMITS.queue}")
    return _outcomes(Cancelling(model), requests, finish, at_once, progress)


def _outcomes(
    model: Cancelling,
    requests: Iterable[Request],
    finish: Callable[[Done], Any] | None,
    at_once: int,
    progress: Callable[[int], None] | None,
) -> Iterator[Any]:
    ended, telling = count(1), threading.Lock()
    first = _First(model)

    def work(index: int, request: Request) -> Any:
        try:
            computed = first.compute(request)
            done = complete(model, request)
            if computed is not None:  # what this request finds is its own work
                done = replace(done, usage=replace(done.usage, cached_tokens=computed.usage.cached_tokens))
            return finish(done) if finish else done
        except Exception as error:
            return error
        finally:
            if progress and not model.cancelled:
                with telling:
                    progress(next(ended))

    try:
        yield from in_order(requests, work, at_once=at_once, ahead=LIMITS.batch_ahead, alike=beginning)
    finally:
        model.cancel()


def beginning(request: Request) -> str:
    """What requests whose prompts begin alike are sorted by: their texts, tools first, as templates have them."""
    if isinstance(request, Embed | Spell):
        return ""
    parts = (f"{part.role}\n{part.content}" if isinstance(part, Message) else part.text for part in request.prompt)
    return "\n".join([*(tool.name for tool in request.tools), *parts])


class _First:
    """The first request of each beginning: the others wait while its prompt is computed."""

    def __init__(self, model: Model) -> None:
        self._model, self._lock = model, threading.Lock()
        self._begun: dict[int, threading.Event] = {}

    def compute(self, request: Request) -> Done | None:
        """Have the prompt computed, if none began like this before: the end of that, of which an outcome tells."""
        head = beginning(request)[:_HEAD]
        if isinstance(request, Count | Embed | Spell) or len(head) < _HEAD:
            return None
        with self._lock:
            mine = threading.Event()
            event = self._begun.setdefault(hash(head), mine)
            if len(self._begun) > LIMITS.batch_ahead:
                del self._begun[next(iter(self._begun))]
        if event is not mine:
            event.wait()
            return None
        try:
            with suppress(LinnetError):  # the request itself will tell
                return complete(self._model, _least(request))
        finally:
            event.set()
        return None


def _least(request: Generate | Score) -> Request:
    """Its prompt, and as little more as there can be."""
    if isinstance(request, Score):
        return replace(request, continuations=request.continuations[:1])
    return replace(request, max_tokens=1, constraint=None, stop=())

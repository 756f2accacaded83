"""Many requests on one model, for offline use: kept flowing into the engine, answered in their own order.

Requests that begin alike are asked one after the other, so that what was computed of a prompt is there for the next;
while the engine computes, others are rendered and their ends worked on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

from linnet.errors import SettingsInvalid
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Done, Model, Request, complete
from linnet.runtime.cancelling import Cancelling
from linnet.runtime.crew import in_order


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

    def work(index: int, request: Request) -> Any:
        try:
            done = complete(model, request)
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
    parts = (f"{part.role}\n{part.content}" if isinstance(part, Message) else part.text for part in request.prompt)
    return "\n".join([*(tool.name for tool in request.tools), *parts])

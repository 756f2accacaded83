"""One request to the model within a turn: when it was asked, when the answer began and ended, what it cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from linnet.errors import LinnetError
from linnet.messages import Message
from linnet.requests import Done, Event, Generate, Request, Usage


@dataclass(frozen=True)
class Question:
    """`kind` is `chat`, `continue` (a prompt that is rendered already), `score`, `count` or `embed`.

    `start` is in seconds since the turn began; `first` are the seconds until the first piece of the answer, None if
    there was none: they hold the wait, the start of a worker included, the prompt and one token. `finish` is "" for
    an answer that was not heard to its end, `error` then the code of why, if that was an error. `cached` says how an
    answer that was remembered was found.
    """

    kind: str
    start: float
    seconds: float
    first: float | None = None
    usage: Usage = Usage()
    finish: str = ""
    cached: str = ""
    error: str = ""
    most_tokens: int | None = None

    @property
    def end(self) -> float:
        return self.start + self.seconds

    def describe(self) -> dict[str, Any]:
        """The one JSON form."""
        told = asdict(self)
        del told["most_tokens"]
        first = None if self.first is None else round(self.first, 4)
        return told | {"start": round(self.start, 4), "seconds": round(self.seconds, 4), "first": first}


@dataclass
class Clocked:
    """A Question in the making: told of each event as it comes."""

    request: Request
    start: float
    now: Callable[[], float]
    heard: float = 0.0
    first: float | None = None
    error: str = ""
    done: Done | None = None
    _pieces: int = field(default=0, repr=False)

    def event(self, event: Event) -> None:
        self.heard = self.now()
        if isinstance(event, Done):
            self.done = event
        else:
            self._pieces += len(event.tokens)
            if self.first is None:
                self.first = self.heard - self.start

    def failed(self, error: LinnetError) -> None:
        self.heard, self.error = self.now(), error.code

    def question(self) -> Question:
        """As far as it was heard: of one that was dropped the tokens that came."""
        done = self.done or Done(usage=Usage(generated_tokens=self._pieces))
        return Question(
            _kind(self.request),
            self.start,
            max(0.0, self.heard - self.start),
            self.first,
            done.usage,
            done.finish if self.done else "",
            done.cached,
            self.error,
            self.request.max_tokens if isinstance(self.request, Generate) else None,
        )


def clock() -> Callable[[], float]:
    """A clock that begins at 0, in seconds."""
    began = time.monotonic()
    return lambda: time.monotonic() - began


def _kind(request: Request) -> str:
    if not isinstance(request, Generate):
        return request.kind
    return "chat" if all(isinstance(part, Message) for part in request.prompt) else "continue"

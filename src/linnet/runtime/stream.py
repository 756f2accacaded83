"""A request that a worker was given, and the events that come back of it, for the one who asked."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from linnet.errors import Cancelled, DeadlineExceeded, LinnetError, ProtocolBroken, RequestError
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.protocol import Submit
from linnet.requests import Begun, Event, Generate, Piece, Request, Score

_KILLS_IN_COMPANY = 2
"""That are counted; the others are if it was alone."""

_SLACK = 64
"""Tokens beyond what its request allows, after which a worker is not believed any more."""


@dataclass
class Ticket:
    """A request that was accepted and has not ended.

    `sent` says that the running worker has it, `fresh` that a token came from this worker, `shown` how many
    characters the caller has. `deaths` counts the workers that ended with it before a new token came, and
    `kills` those that were ended from outside, or so it seems; `crashes` all that ended with it by themselves.
    """

    submit: Submit
    events: queue.SimpleQueue[Event | LinnetError] = field(default_factory=queue.SimpleQueue)
    emitted: list[int] = field(default_factory=list)
    shown: int = 0
    deaths: int = 0
    kills: int = 0
    crashes: int = 0
    sent: bool = False
    fresh: bool = False
    resumed: bool = False

    def take(self, piece: Piece) -> None:
        """Raises ProtocolBroken for what no honest worker sends: no tokens, more than were asked for, more text than
        so many tokens can be, or the odds of other tokens."""
        if not piece.tokens or len(self.emitted) + len(piece.tokens) > _most(self.submit.request):
            raise ProtocolBroken("the engine went on beyond what was asked of it")
        if piece.odds and tuple(odds.token.id for odds in piece.odds) != piece.tokens:
            raise ProtocolBroken("the engine told the odds of other tokens than it sent")
        self.emitted += piece.tokens
        self.shown += len(piece.text)
        if self.shown > len(self.emitted) * LIMITS.token_text_bytes:  # a character has a byte at least
            raise ProtocolBroken("the engine said more than its tokens can be")
        self.deaths, self.kills, self.fresh = 0, 0, True

    def went_on(self, begun: Begun) -> None:
        """Another process had begun it. Raises RequestError for more than it can have said."""
        request = self.submit.request
        most = request.max_tokens if isinstance(request, Generate) else 0
        if len(begun.tokens) > most or begun.shown > len(begun.tokens) * LIMITS.token_text_bytes:
            raise RequestError("more was sent of this answer than was asked for")
        self.emitted, self.shown, self.resumed = list(begun.tokens), begun.shown, True

    @property
    def suspect(self) -> bool:
        """Whether it goes to the next worker alone: one kill makes none, for it may have come from anywhere."""
        return self.deaths > 0 or self.kills >= _KILLS_IN_COMPANY

    def killed(self, *, alone: bool) -> None:
        """Its worker was ended from outside, or ended itself so that it seems to be."""
        if not self.fresh and (alone or self.kills < _KILLS_IN_COMPANY):
            self.kills += 1

    def lost(self) -> None:
        """The worker that may have had it is gone."""
        self.resumed = self.resumed or self.sent
        self.sent = self.fresh = False


def _most(request: Request) -> int:
    """Tokens that a worker may send of it: a prompt that is scored has few more than bytes, but SentencePiece sets
    marks before a text and around the bytes of what it does not know, and so makes three of `12`."""
    if isinstance(request, Generate):
        return request.max_tokens + _SLACK
    if isinstance(request, Score) and request.alternatives is not None:
        texts = (part.content if isinstance(part, Message) else part.text for part in request.prompt)
        return 2 * sum(len(text.encode()) for text in texts) + _SLACK
    return 0


class Stream:
    """The events of one accepted request, up to Done or an error. Dropping it early cancels the request."""

    def __init__(self, drop: Callable[[int], None], ticket: Ticket, deadline: float) -> None:
        self._drop, self._ticket, self._deadline = drop, ticket, deadline
        self._over = False

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Event:
        if self._over:
            raise StopIteration
        try:
            event = self._ticket.events.get(timeout=max(0.0, self._deadline - time.monotonic()))
        except queue.Empty:
            self.close()
            allowed = self._ticket.submit.request.deadline
            raise DeadlineExceeded(f"the request did not end within its {allowed:g} s", seconds=allowed) from None
        except BaseException:
            self.close()
            raise
        if isinstance(event, Piece):
            return event
        self._over = True
        if isinstance(event, LinnetError):
            raise event
        return event

    def close(self) -> None:
        """From any thread; one that waits for the next event gets Cancelled."""
        if not self._over:
            self._over = True
            self._drop(self._ticket.submit.id)
            self._ticket.events.put(Cancelled("the stream was closed"))

    __del__ = close

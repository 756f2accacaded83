"""ClusterModel: the Model protocol over replicas on any machine, of which any may die while it answers.

Hides which replica answers, that it is another one after a death, and what that one has to be told. An answer goes on
behind what was sent of it: prompt and tokens are fed to the next replica, which rebuilds the constraint from them, as
a supervisor has it within one machine. A replica that sends nothing for `LIMITS.replica_silence_seconds`, not even
that it is alive, counts as dead.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from linnet import log
from linnet.errors import Cancelled, DeadlineExceeded, LinnetError, ReplicaLost
from linnet.interfaces.scale.flow import Flow, Lost, Silent
from linnet.interfaces.scale.prefix import key_of
from linnet.interfaces.scale.wire import Call, Facts, read_replies, write_call
from linnet.limits import LIMITS
from linnet.models.family import Family
from linnet.requests import Begun, Capabilities, Event, Piece, Request


class Replicas(Protocol):
    """Those of one model. `call` yields replies, first of all which replica it is, as UTF-8; it raises Lost, and a
    LinnetError for what no other replica could do better."""

    def call(self, call: bytes, key: str, avoid: Collection[str]) -> AsyncGenerator[bytes, None]: ...

    def facts(self) -> Facts: ...


class ClusterModel:
    """One model, or one of its adapters, by whatever replicas it has."""

    def __init__(self, replicas: Replicas, adapter: str = "") -> None:
        self._replicas, self._adapter = replicas, adapter

    @property
    def capabilities(self) -> Capabilities:
        return self._replicas.facts().capabilities[self._adapter]

    @property
    def family(self) -> Family | None:
        """How it is spoken to, as its file says and the replicas are set."""
        return self._replicas.facts().family

    def original(self) -> str:
        """SHA-256 of the file that was named."""
        return self._replicas.facts().original[self._adapter]

    def stream(self, request: Request) -> Iterator[Event]:
        """Events of one request. Raises what `linnet.errors` has for each way to fail, ReplicaLost for one that the
        replicas that had it have died with."""
        return _Answer(self._replicas.call, request, self._adapter)


class _Answer:
    """The events of one request. Closing it, from any thread, cancels the request in its replica."""

    def __init__(self, call: Callable[..., AsyncGenerator[bytes, None]], request: Request, adapter: str) -> None:
        self._call, self._request, self._adapter = call, request, adapter
        self._key = key_of(request, adapter)
        self._until = time.monotonic() + request.deadline
        self._events: deque[Event | LinnetError] = deque()
        self._tokens: list[int] = []
        self._shown = self._losses = self._barren = 0
        self._avoid: tuple[str, ...] = ()
        self._over = False
        self._begin()

    def __iter__(self) -> _Answer:
        return self

    def __next__(self) -> Event:
        if self._over and not self._events:
            raise StopIteration
        try:
            while not self._events:
                self._events.extend(self._arrived())
        except BaseException:
            self.close()
            raise
        event = self._events.popleft()
        if isinstance(event, Piece):
            self._take(event)
            return event
        self._over = True
        if isinstance(event, LinnetError):
            raise event
        return replace(event, degraded=(*event.degraded, *self._told()))

    def close(self) -> None:
        if not self._over:
            self._over = True
            self._flow.close()

    __del__ = close

    def _begin(self) -> None:
        self._replica = ""  # until it has said so
        begun = Begun(tuple(self._tokens), self._shown) if self._tokens else None
        left = max(0.001, self._until - time.monotonic())
        given: Any = self._request
        call = write_call(Call(replace(given, deadline=left), self._adapter, begun))
        self._flow = Flow(partial(self._call, call, self._key, self._avoid))  # without this: it may be dropped

    def _arrived(self) -> list[Event | LinnetError]:
        """What came next, perhaps nothing but that the replica lives."""
        left = self._until - time.monotonic()
        silence = LIMITS.replica_silence_seconds if self._replica else left
        try:
            chunk = self._flow.next(min(left, silence))
        except Silent:
            if self._until - time.monotonic() <= 0:
                allowed = self._request.deadline
                raise DeadlineExceeded(f"the request did not end within its {allowed:g} s", seconds=allowed) from None
            return self._again("it went silent")
        except Lost as error:
            return self._again(str(error))
        if chunk is None:
            return self._again("it ended in mid-answer")
        if not self._replica:
            self._replica = chunk.decode(errors="replace")
            return []
        return read_replies(chunk)

    def _again(self, why: str) -> list[Event | LinnetError]:
        """On another replica, if this was not the last that is tried."""
        if self._over:
            raise Cancelled("the stream was closed")
        self._flow.close()
        self._losses, self._barren = self._losses + 1, self._barren + 1
        log.note("replica_lost", replica=self._replica, why=why, tokens=len(self._tokens))
        if self._barren > LIMITS.replica_losses:
            message = f"{self._barren} replicas were lost with this request, one after the other: {why}"
            raise ReplicaLost(message, replicas=self._barren)
        if self._replica:
            self._avoid = (*self._avoid, self._replica)[-LIMITS.replica_losses :]
        self._begin()
        if self._over:  # closed meanwhile, and it was the flow before that was ended
            self._flow.close()
            raise Cancelled("the stream was closed")
        return []

    def _take(self, piece: Piece) -> None:
        if piece.tokens:
            self._barren = 0
        self._tokens += piece.tokens
        self._shown += len(piece.text)

    def _told(self) -> tuple[str, ...]:
        return (f"{self._losses} replicas were lost while it answered",) if self._losses else ()

"""ForClient: a Model around a Model for one client: what is computed for it is shared with nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from linnet.requests import Capabilities, Count, Event, Model, Piece, Request


class ForClient:
    """Gives each request its owner, and tells `pulse` of every token that comes."""

    def __init__(self, model: Model, owner: str, pulse: Callable[[], None]) -> None:
        self._model, self._owner, self._pulse = model, owner, pulse

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    def stream(self, request: Request) -> Iterator[Event]:
        owned = request if isinstance(request, Count) else replace(request, owner=self._owner)
        return _Beating(self._model.stream(owned), self._pulse)


class _Beating:
    def __init__(self, events: Iterator[Event], pulse: Callable[[], None]) -> None:
        self._events, self._pulse = events, pulse

    def __iter__(self) -> _Beating:
        return self

    def __next__(self) -> Event:
        event = next(self._events)
        if not isinstance(event, Piece) or event.tokens or event.text:
            self._pulse()
        return event

    def close(self) -> None:
        """From any thread."""
        getattr(self._events, "close", lambda: None)()

"""ForClient: a Model around a Model for one client: what is computed for it is shared with nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from linnet.requests import Capabilities, Event, Model, Request


class ForClient:
    """Gives each request its owner, and has every event that comes heard by an `ear` of its own."""

    def __init__(self, model: Model, owner: str, ear: Callable[[], Callable[[Event], None]]) -> None:
        self._model, self._owner, self._ear = model, owner, ear

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    def stream(self, request: Request) -> Iterator[Event]:
        given: Any = request
        owned = replace(given, owner=self._owner) if hasattr(request, "owner") else request
        return _Heard(self._model.stream(owned), self._ear())


class _Heard:
    def __init__(self, events: Iterator[Event], heard: Callable[[Event], None]) -> None:
        self._events, self._tell = events, heard

    def __iter__(self) -> _Heard:
        return self

    def __next__(self) -> Event:
        event = next(self._events)
        self._tell(event)
        return event

    def close(self) -> None:
        """From any thread."""
        getattr(self._events, "close", lambda: None)()

"""Within: a Model around a Model that keeps all requests of one turn within one deadline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from linnet.errors import DeadlineExceeded
from linnet.requests import Capabilities, Event, Model, Request


class Within:
    """Gives each request what is left of `seconds`, and none once they are over."""

    def __init__(self, model: Model, seconds: float) -> None:
        self._model, self._seconds = model, seconds
        self._until = time.monotonic() + seconds

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    def stream(self, request: Request) -> Iterator[Event]:
        left = self._until - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(f"the turn did not end within its {self._seconds:g} s", seconds=self._seconds)
        return self._model.stream(replace(request, deadline=min(left, request.deadline)))

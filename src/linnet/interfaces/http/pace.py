"""Pace: how many tokens a second a model says, out of what it has said lately. Plain values; the clock is given."""

from __future__ import annotations

import time
from collections.abc import Callable

from linnet import requests
from linnet.requests import Done, Piece

_LEAST = 8
"""Tokens behind the first piece: with fewer the clock is measured, and not the model."""

_WEIGHT = 0.3
"""Of the newest answer in the mean."""


class Pace:
    """`tokens_per_second` is None before the first answer that tells. Answers of a cache, and those in which a
    constraint forced tokens, tell nothing of how fast a model decodes. Threads may tell at the same time: at worst
    one answer counts less than it should."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.tokens_per_second: float | None = None

    def ear(self) -> Callable[[requests.Event], None]:
        """What is to hear the events of one answer as they come."""
        first, early = 0.0, 0

        def hear(event: requests.Event) -> None:
            nonlocal first, early
            if isinstance(event, Piece) and not first:
                first, early = self._now(), len(event.tokens)
            elif isinstance(event, Done) and first:
                self._ended(event, event.usage.generated_tokens - early, self._now() - first)

        return hear

    def _ended(self, done: Done, tokens: int, seconds: float) -> None:
        if tokens < _LEAST or seconds <= 0 or done.cached or done.usage.forced_tokens:
            return
        newest, known = tokens / seconds, self.tokens_per_second
        self.tokens_per_second = newest if known is None else known + _WEIGHT * (newest - known)

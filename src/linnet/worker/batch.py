"""Which tokens are computed next: policy only, plain values in and out.

Running answers come first, one short lane each, so that a long prompt never stalls a stream; prompts share
what is left of the step, oldest first. A step is sized by time, never by cutting a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

SMALLEST, LARGEST = 16, 256
"""Tokens of one step: below 16 the batch overhead dominates; over 256 what a layer computes in leaves the processor's
caches (512 tokens took 601 ms in one step and 502 in two, docs/log.md)."""

ROWS = 64
"""Tokens of one step whose logits are wanted. Each takes a row as wide as the vocabulary, which the engine keeps room
for ever after: 512 rows are 0.5 GiB with the 262,144 tokens of Gemma 3. An answer wants one row a step."""


@dataclass
class Lane:
    """Tokens that a sequence still has to be fed, from `position` on.

    `every` asks for the logits of all of them, not only of the last. A step that comes by position `stop` ends there.
    A `paired` one is not computed by itself: attention rounds one token otherwise than several, and those alike.
    """

    sequence: int = -1
    position: int = 0
    pending: list[int] = field(default_factory=list)
    every: bool = False
    stop: int = 0
    paired: bool = False

    def advance(self, count: int) -> None:
        self.position += count
        del self.pending[:count]


def plan(lanes: Iterable[Lane], budget: int, rows: int = ROWS) -> list[tuple[Lane, int]]:
    """How many tokens of which lane make the next step: at most `budget` together, and at most `rows` with logits.

    Short lanes (a decoded token, a forced run) go before long ones; equal ones keep their order.
    """
    chosen = []
    for lane in sorted(lanes, key=lambda lane: len(lane.pending) > SMALLEST):
        # without a row left, a prompt can still be fed but for its last token
        most = rows if lane.every else len(lane.pending) - (rows == 0)
        if lane.stop > lane.position:
            most = min(most, lane.stop - lane.position)
        if (count := min(len(lane.pending), budget, most)) > 0:
            chosen.append((lane, count))
            budget -= count
            rows -= count if lane.every else count == len(lane.pending)
    return chosen


class StepSizer:
    """Learns how many tokens take how long, from the steps that were made."""

    def __init__(self) -> None:
        self._rate: float | None = None

    def budget(self, seconds: float) -> int:
        """Tokens of a step that is to take so long."""
        if self._rate is None:
            return 4 * SMALLEST
        return int(min(LARGEST, max(SMALLEST, self._rate * seconds)))

    def observe(self, tokens: int, seconds: float) -> None:
        """A step of `tokens` took `seconds`. Small steps say little about large ones and are passed over."""
        if tokens >= SMALLEST and seconds > 0:
            rate = tokens / seconds
            self._rate = rate if self._rate is None else 0.5 * (self._rate + rate)

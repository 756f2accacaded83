"""What happens in a turn, as values for those who watch it, and the telling of it in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from linnet.agent.result import Result
from linnet.messages import Step, ToolCall, ToolResult


@dataclass(frozen=True)
class Said:
    """A piece of the answer. All of them together are the answer, unless it was put right after it was said."""

    text: str


TurnEvent = Said | Step | ToolCall | ToolResult | Result
"""A ToolCall comes before its tool runs, its ToolResult after; the Result is the last."""

Watch = Callable[[TurnEvent], None]
"""Told in the thread of the turn, which goes on when this returns. What it raises ends the turn."""


class Teller:
    """Tells `watch` of one turn: each step once, and the answer in pieces as soon as they cannot change."""

    def __init__(self, watch: Watch | None) -> None:
        self.tell: Watch = watch or (lambda event: None)
        self._steps = 0
        self._parts = 0
        self._heard = self._said = ""

    def steps(self, steps: Sequence[Step]) -> None:
        """Those that were not told before."""
        new, self._steps = steps[self._steps :], len(steps)
        for step in new:
            self.tell(step)

    def piece(self, text: str) -> None:
        """More of an answer, whose spaces at both ends do not count."""
        self._heard += text
        self._say(self._heard.strip())

    def part(self, answer: str) -> None:
        """The end of one part of the request: what is not said of its answer yet."""
        self._say(answer)
        self._parts += 1
        self._heard = self._said = ""

    def _say(self, whole: str) -> None:
        if whole != self._said and whole.startswith(self._said):
            between = "\n" if self._parts and not self._said else ""
            self.tell(Said(between + whole[len(self._said) :]))
            self._said = whole

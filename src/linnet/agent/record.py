"""Record: what one turn has from its memory and tells it. A memory at fault costs no answer; it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from linnet.errors import StoreError
from linnet.messages import ToolCall, ToolResult

if TYPE_CHECKING:
    from linnet.agent.memory import Fact, Memory
    from linnet.agent.result import Result

T = TypeVar("T")


class Record:
    """The journal of one turn, and what is recalled for it. Without a memory nothing is done."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory
        self._turn: int | None = None
        self.degraded: tuple[str, ...] = ()

    def begin(self, request: str) -> None:
        self._turn = self._tried(lambda memory: memory.begin(request))

    def intend(self, call: ToolCall) -> None:
        """Before a call is made."""
        self._noted(lambda memory, turn: memory.intend(turn, call))

    def outcome(self, done: ToolResult) -> None:
        self._noted(lambda memory, turn: memory.outcome(turn, done))

    def end(self, result: Result) -> None:
        self._noted(lambda memory, turn: memory.end(turn, result.answer, result.how, result.steps))

    def recall(self, text: str) -> list[Fact] | None:
        """None where there is no memory, or none that can be read."""
        return self._tried(lambda memory: memory.recall(text))

    def _noted(self, what: Callable[[Memory, int], None]) -> None:
        turn = self._turn
        if turn is not None:
            self._tried(lambda memory: what(memory, turn))

    def _tried(self, what: Callable[[Memory], T]) -> T | None:
        if self._memory is None:
            return None
        try:
            return what(self._memory)
        except StoreError as error:
            if error.message not in self.degraded:
                self.degraded += (error.message,)
            return None

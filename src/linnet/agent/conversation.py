"""Conversation: requests to one agent that hear what was said before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from linnet.agent.result import Result
from linnet.messages import Message


class Answers(Protocol):
    """An Agent, as a conversation needs it."""

    def run(self, text: str, history: Sequence[Message] = ()) -> Result: ...


class Conversation:
    """Keeps what was asked and answered, whole: what of it fits is decided anew for each request.

    `history` is what was said, in order: it can be stored, and another conversation begun with it.
    """

    def __init__(self, agent: Answers, history: Sequence[Message] = ()) -> None:
        self._agent = agent
        self.history: tuple[Message, ...] = tuple(history)

    def run(self, text: str) -> Result:
        """Answer the next request. One that fails with an error was not said, and can be said again."""
        result = self._agent.run(text, self.history)
        self.history += exchange(text, result)
        return result


def exchange(text: str, result: Result) -> tuple[Message, Message]:
    """A request and its answer, as a conversation keeps them."""
    return Message("user", text.strip()), Message("assistant", result.answer)

"""Following: one turn, followed from the main thread, where its events, its questions and Ctrl-C come together.

Hides the threads. The turn has one of its own and asks for approval in it; keys are read in the main thread and
nowhere else, so that a question never outlives its turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from linnet.errors import LinnetError
from linnet.messages import ToolCall

if TYPE_CHECKING:
    from linnet.agent.events import TurnEvent
    from linnet.agent.underway import Streaming
    from linnet.tools import Tool

Begin = Callable[[], "Streaming"]
"""Begins a turn: not before there is somebody to follow it, for it may ask at once."""

PATIENCE = 0.3
"""Seconds without an event after which `Quiet` is told: a rule has answered by then."""


@dataclass(frozen=True)
class Question:
    """The turn waits for `answer`: may this call be made?"""

    tool: Tool
    call: ToolCall


@dataclass(frozen=True)
class Quiet:
    """Nothing has happened for a while."""


class Following:
    """The events of a turn, to be iterated over once. Raises what the turn raises, and KeyboardInterrupt, between two
    events, after `interrupt`."""

    def __init__(self) -> None:
        self._inbox: SimpleQueue[TurnEvent | Question | Quiet | BaseException] = SimpleQueue()
        self._verdicts: SimpleQueue[bool] = SimpleQueue()
        self._over = False
        self.interrupted = False

    def events(self, begin: Begin) -> Generator[TurnEvent | Question | Quiet, None, None]:
        """Begins the turn, and ends with its Result. Closing this ends the turn, and frees the engine at once."""
        stream = begin()
        threading.Thread(target=self._pump, args=(stream,), name="linnet-chat", daemon=True).start()
        try:
            yield from self._taken()
        finally:
            self._over = True
            self._verdicts.put(False)  # for who still waits for one
            stream.close()

    def _pump(self, stream: Streaming) -> None:
        try:
            for event in stream:
                self._inbox.put(event)
            self._inbox.put(StopIteration())
        except BaseException as error:
            self._inbox.put(error)

    def _taken(self) -> Iterator[TurnEvent | Question | Quiet]:
        """A question comes by a shorter way than events do, and waits here for the call that it is about."""
        called: ToolCall | None = None
        waiting: Question | None = None
        while not isinstance(event := self._next(), StopIteration):
            if isinstance(event, Question) and event.call != called:
                waiting = event
                continue
            called = event if isinstance(event, ToolCall) else called
            yield event
            if waiting is not None and (waiting.call == called or isinstance(event, Quiet)):
                yield waiting
                waiting = None

    def _next(self) -> TurnEvent | Question | Quiet | StopIteration:
        try:
            event = self._inbox.get(timeout=PATIENCE)
        except Empty:
            event = Quiet()
        if self.interrupted:
            raise KeyboardInterrupt
        if isinstance(event, BaseException) and not isinstance(event, StopIteration):
            raise unforeseen(event)
        return event

    # --- from the turn's thread, and from a signal -------------------------------------------------

    def approve(self, tool: Tool, call: ToolCall) -> bool:
        """Asks, and waits for the answer. No, where nobody follows any more."""
        if self._over:
            return False
        self._inbox.put(Question(tool, call))
        return self._verdicts.get()

    def answer(self, verdict: bool) -> None:
        self._verdicts.put(verdict)

    def interrupt(self) -> None:
        """Safe in a signal handler."""
        self.interrupted = True
        self._inbox.put(KeyboardInterrupt())


def unforeseen(error: BaseException) -> BaseException:
    """As an error of ours, so that it costs a turn and not the conversation."""
    if isinstance(error, LinnetError | KeyboardInterrupt):
        return error
    return LinnetError(f"unexpected {type(error).__name__}: {error}")


class Desk:
    """Where questions go: to whoever follows the turn that has them. Nobody follows: no."""

    def __init__(self) -> None:
        self.following: Following | None = None

    def __call__(self, tool: Tool, call: ToolCall) -> bool:
        following = self.following
        return following is not None and following.approve(tool, call)

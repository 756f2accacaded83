"""Many requests of one agent: a bounded crew of turns, results in order, and no request that spoils another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from linnet.agent.events import TurnEvent, Watch
from linnet.agent.result import Result
from linnet.agent.underway import Prepared
from linnet.errors import Cancelled, LinnetError, RequestError, SettingsInvalid
from linnet.limits import LIMITS
from linnet.messages import ToolCall
from linnet.runtime.crew import in_order

WatchMany = Callable[[int, TurnEvent], None]
"""Told of each event of each turn, with the number of its request, from 0; several at a time."""


def run_many(
    prepare: Callable[[str, Watch], Prepared],
    texts: Iterable[str],
    at_once: int,
    tools_in_order: bool,
    watch: WatchMany | None,
) -> Iterator[Result]:
    """What `Agent.run_many` says. `prepare` looks at a request and makes its turn."""
    if isinstance(texts, str):
        raise RequestError("run_many takes many requests, and was given one text", hint="Put it into a list.")
    if not 1 <= at_once <= LIMITS.queue:
        raise SettingsInvalid(f"`at_once` is {at_once}: it should be from 1 to {LIMITS.queue}")
    return _results(_Turns(prepare, tools_in_order, watch), texts, at_once)


def _results(turns: _Turns, texts: Iterable[str], at_once: int) -> Iterator[Result]:
    try:
        yield from in_order(texts, turns.run, at_once=at_once, ahead=LIMITS.batch_ahead)
    finally:
        turns.stop()


class _Turns:
    """The turns that run, what they wait for, and whether they are still wanted."""

    def __init__(
        self, prepare: Callable[[str, Watch], Prepared], tools_in_order: bool, watch: WatchMany | None
    ) -> None:
        self._prepare, self._tools_in_order, self._watch = prepare, tools_in_order, watch
        self._changed = threading.Condition()
        self._running: dict[int, Prepared] = {}
        self._ended: set[int] = set()
        self._first = 0  # of those that have not ended
        self._stopped = False
        self._fault: BaseException | None = None

    def run(self, index: int, text: str) -> Result:
        """One turn. Raises only what the watcher raised: whom it told, and what it could not do, is the caller's."""
        try:
            result = self._turn(index, text)
        except LinnetError as error:
            result = failed(error)
        except Exception as error:
            result = failed(LinnetError(f"unexpected {type(error).__name__}: {error}"))
        finally:
            self._end(index)
        if not self._stopped:
            with suppress(Cancelled):
                self._tell(index, result)
        if self._fault is not None:
            raise self._fault
        return result

    def stop(self) -> None:
        """End all turns."""
        with self._changed:
            self._stopped = True
            running = list(self._running.values())
            self._changed.notify_all()
        for turn in running:
            turn.cancel()

    def _turn(self, index: int, text: str) -> Result:
        turn = self._prepare(text, lambda event: self._seen(index, event))
        with self._changed:
            if self._stopped:
                raise Cancelled("the batch was stopped")
            self._running[index] = turn
        return turn.begin()

    def _end(self, index: int) -> None:
        with self._changed:
            self._running.pop(index, None)
            self._ended.add(index)
            while self._first in self._ended:
                self._ended.remove(self._first)
                self._first += 1
            self._changed.notify_all()

    def _seen(self, index: int, event: TurnEvent) -> None:
        if self._tools_in_order and isinstance(event, ToolCall):
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._first == index)
        if self._stopped:
            raise Cancelled("the batch was stopped")
        self._tell(index, event)

    def _tell(self, index: int, event: TurnEvent) -> None:
        """A watcher that fails stops them all: what it was to keep would be lost."""
        if self._watch is None:
            return
        try:
            self._watch(index, event)
        except BaseException as error:
            self._fault = self._fault or error
            self.stop()
            raise Cancelled("the batch was stopped") from error


def failed(error: LinnetError, how: str = "failed") -> Result:
    """A request that raised, as a Result."""
    return Result(answer="", how=how, error=error.describe())

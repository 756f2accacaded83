"""One request's work in a thread, its events in the loop, and a seat that is free again whatever happens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from linnet.errors import Cancelled, EngineError, LinnetError
from linnet.interfaces.http.line import Line
from linnet.interfaces.http.running import Run


def outcome(line: Line, work: Callable[[], Iterator[int]], act: Callable[[Run[int]], Any] = lambda run: None) -> Any:
    """The events of a run, or its error; `act` is done once it was let in."""

    async def go() -> Any:
        run = Run(line, work, lambda: None)
        act(run)
        try:
            return [event async for event in run]
        except LinnetError as error:
            return error
        finally:
            for _ in range(100):
                if not line.running:
                    break
                await asyncio.sleep(0.01)

    return asyncio.run(go())


def test_events_come_in_order_and_the_seat_is_free_again() -> None:
    line = Line(1, 2)
    assert outcome(line, lambda: iter(range(100))) == list(range(100))
    assert (line.running, line.waiting) == (0, 0)


def test_what_is_raised_comes_behind_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    def work() -> Iterator[int]:
        yield 1
        raise ValueError("/home/me/secret")

    line = Line(1, 2)
    error = outcome(line, work)
    assert type(error) is LinnetError and "secret" not in error.message and line.running == 0


def test_a_machine_without_threads_refuses_and_keeps_no_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    line = Line(1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        error = outcome(line, lambda: iter([1]))
    assert isinstance(error, EngineError) and error.retryable and (line.running, line.waiting) == (0, 0)


def test_who_is_cancelled_in_the_line_never_begins() -> None:
    begun = []

    def work() -> Iterator[int]:
        begun.append(1)
        yield 1

    class Sitting:
        def begin(self) -> None: ...

        def refuse(self) -> None: ...

    line = Line(1, 2)
    line.join(Sitting())

    async def go() -> None:
        run = Run(line, work, lambda: None)
        run.cancel()
        run.cancel()
        with pytest.raises(Cancelled):
            await anext(run)

    asyncio.run(go())
    assert not begun and (line.running, line.waiting) == (1, 0)


def test_the_first_event_can_be_waited_for_and_is_not_lost() -> None:
    async def go() -> list[int]:
        run = Run(Line(1, 1), lambda: iter([1, 2]), lambda: None)
        await run.begun(5)
        await run.begun(5)
        return [event async for event in run]

    assert asyncio.run(go()) == [1, 2]

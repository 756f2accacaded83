"""Following a turn: events in order, questions after their call, an end at once, and no verdict without an asker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from linnet import Agent
from linnet.agent.events import Said
from linnet.agent.result import Result
from linnet.agent.underway import Streaming
from linnet.errors import EmptyRequest, EngineError, LinnetError
from linnet.interfaces.cli.chat.following import Desk, Following, Question, Quiet
from linnet.messages import Step, ToolCall, ToolResult
from linnet.requests import Capabilities, Count, Done, Event, Piece, Request, Score
from linnet.tools import Permission, Rule, tool

done: list[str] = []


@tool(rules=[Rule(prefix="wipe:", to="what")], permissions=[Permission.WRITE_FILES])
def wipe(what: str) -> str:
    """Wipes."""
    done.append(what)
    return f"wiped {what}"


class Slow:
    """A Model that says a word every 20 ms, until it is told to stop, and notes that it was."""

    capabilities = Capabilities("slow", 1000)

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Count):
            yield Done(count=1)
            return
        if isinstance(request, Score):
            yield Done(scores=tuple((-1.0, 1) for _ in request.continuations))
            return
        try:
            for i in range(1000):
                time.sleep(0.02)
                yield Piece(f"{i} ", (1,))
        finally:
            self.stopped.set()


def asking(desk: Desk, model: object) -> tuple[Agent, Callable[[str], Callable[[], Streaming]]]:
    agent = Agent([wipe], model, approve=desk, only=["wipe"])  # type: ignore[arg-type]
    return agent, lambda text: lambda: agent.stream(text)


@pytest.mark.parametrize("verdict", [True, False])
def test_a_question_comes_after_its_call_and_is_obeyed(verdict: bool, says: Callable[..., object]) -> None:
    done.clear()
    desk = Desk()
    _, begin = asking(desk, says("hi"))
    following = desk.following = Following()
    seen = []
    for event in following.events(begin("wipe: notes")):
        seen.append(event)
        if isinstance(event, Question):
            assert (event.tool.name, event.call.arguments) == ("wipe", {"what": "notes"})
            following.answer(verdict)
    kinds = [type(event) for event in seen if not isinstance(event, Quiet)]
    assert kinds == [Step, ToolCall, Question, ToolResult, Step, Said, Result]
    assert done == (["notes"] if verdict else [])


def test_leaving_while_a_question_is_open_runs_nothing(says: Callable[..., object]) -> None:
    done.clear()
    desk = Desk()
    _, begin = asking(desk, says("hi"))
    following = desk.following = Following()
    with closing(following.events(begin("wipe: notes"))) as events:
        while not isinstance(next(events), Question):
            pass
    assert following.approve(wipe, ToolCall("wipe", {"what": "late"})) is False
    assert done == []


def test_nobody_follows_and_so_nothing_may() -> None:
    assert Desk()(wipe, ToolCall("wipe", {"what": "x"})) is False


def test_an_interrupt_ends_the_turn_and_frees_the_model() -> None:
    model = Slow()
    _, begin = asking(Desk(), model)
    following = Following()
    said = ""
    with pytest.raises(KeyboardInterrupt), closing(following.events(begin("speak"))) as events:
        for event in events:
            said += event.text if isinstance(event, Said) else ""
            if said:
                following.interrupt()
                following.interrupt()
    assert model.stopped.wait(60)


def test_quiet_is_told_where_nothing_happens() -> None:
    release = threading.Event()

    class Waits(Slow):
        def stream(self, request: Request) -> Iterator[Event]:
            if isinstance(request, Count | Score):
                yield from super().stream(request)
                return
            release.wait(60)
            yield Done(text="now")

    _, begin = asking(Desk(), Waits())
    kinds = []
    for event in Following().events(begin("speak")):
        kinds.append(type(event))
        if isinstance(event, Quiet):
            release.set()
    assert Quiet in kinds and kinds[-1] is Result


def test_what_a_turn_raises_is_raised_and_what_nobody_foresaw_costs_a_turn(says: Callable[..., object]) -> None:
    _, begin = asking(Desk(), says("hi", error=EngineError("broken")))
    with pytest.raises(EngineError, match="broken"):
        list(Following().events(begin("speak")))
    with pytest.raises(EmptyRequest):
        list(Following().events(begin(" ")))
    _, begin = asking(Desk(), says("hi", error=ZeroDivisionError("boom")))
    with pytest.raises(LinnetError, match="unexpected ZeroDivisionError: boom"):
        list(Following().events(begin("speak")))

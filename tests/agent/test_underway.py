"""Agent.stream: the events of a turn as values and in order, and an end to it when they are no longer wanted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from linnet.agent.agent import Agent
from linnet.agent.events import Said, Teller, TurnEvent
from linnet.agent.result import Result
from linnet.errors import Cancelled, EmptyRequest, EngineError, LinnetError
from linnet.messages import Step, ToolCall, ToolResult
from linnet.requests import Capabilities, Count, Done, Event, Piece, Request, Score
from linnet.runtime.local import LocalModel
from linnet.runtime.supervisor import Supervisor
from linnet.script import Say
from linnet.tools import Rule, tool


class Over:
    """A Model over a supervisor; what the scripted engine does not take, it answers itself."""

    capabilities = Capabilities("scripted", 1000)

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor

    def stream(self, request: Request) -> Iterator[Event]:
        return iter([Done(count=1)]) if isinstance(request, Count) else self.supervisor.stream(request)


class Pieces:
    """A Model that says these pieces, and raises at the end of them if it is told to."""

    capabilities = Capabilities("pieces", 1000)

    def __init__(self, *pieces: str, error: LinnetError | None = None) -> None:
        self._pieces, self._error = pieces, error

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Count):
            yield Done(count=1)
            return
        if isinstance(request, Score):
            yield Done(scores=tuple((-1.0, 1) for _ in request.continuations))
            return
        for text in self._pieces:
            yield Piece(text, (1,))
        if self._error:
            raise self._error
        yield Done(text="".join(self._pieces))


@tool(rules=[Rule(prefix="note", to="what")])
def note(what: str) -> str:
    """Notes."""
    return f"noted {what}"


def words(model: object, *tools: object) -> Agent:
    """An agent in which the model says what no rule answers."""
    made = Agent(tools, model)  # type: ignore[arg-type]
    made._tools = tuple(t for t in made._tools if t.name != "calculator")
    return made


def said(events: list[TurnEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Said))


def test_steps_call_outcome_answer_result() -> None:
    events = list(words(Pieces(), note).stream("note milk"))
    assert [type(event) for event in events] == [Step, ToolCall, ToolResult, Step, Said, Result]
    assert said(events) == "noted milk"
    assert isinstance(events[-1], Result) and events[-1].answer == "noted milk"


@pytest.mark.parametrize("pieces", [("Hello", " there", "."), (" \n Hi", "  ", " you", "\n\n"), ("  ",), ()])
def test_pieces_are_the_answer(pieces: tuple[str, ...]) -> None:
    events = list(words(Pieces(*pieces)).stream("speak"))
    result = events[-1]
    assert isinstance(result, Result)
    assert said(events) == result.answer == "".join(pieces).strip()
    assert tuple(event for event in events if isinstance(event, Step)) == result.steps


def test_pieces_of_several_parts_are_the_answer() -> None:
    events = list(words(Pieces(" one ", "two "), note).stream("note a, then speak, then note b"))
    assert isinstance(events[-1], Result)
    assert said(events) == events[-1].answer == "noted a\none two\nnoted b"


def test_an_answer_that_was_put_right_is_not_said_twice() -> None:
    told: list[TurnEvent] = []
    teller = Teller(told.append)
    teller.piece("It is 4")
    teller.part("It is 5")
    assert told == [Said("It is 4")]


def test_a_request_at_fault_is_refused_at_once_and_what_fails_later_is_raised() -> None:
    with pytest.raises(EmptyRequest):
        words(Pieces()).stream(" ")
    events = words(Pieces("Well", error=EngineError("broken"))).stream("speak")
    heard = []
    with pytest.raises(EngineError, match="broken"):
        heard += iter(lambda: next(events), None)
    with pytest.raises(StopIteration):
        next(events)


def test_closing_and_dropping_free_the_engine(scripted: Callable[..., Supervisor]) -> None:
    supervisor = scripted(Say((b"abc" * 1000).hex()), seconds_per_token=0.01)
    for end in ("close", "drop"):
        events = words(Over(supervisor)).stream("speak")
        while not isinstance(next(events), Said):
            pass
        assert supervisor._tickets
        if end == "close":
            events.close()
            assert list(events) == []
        del events
        assert not supervisor._tickets


def test_one_that_waits_is_woken_by_a_close_from_another_thread(scripted: Callable[..., Supervisor]) -> None:
    supervisor = scripted(Say(b"slow".hex()), seconds_per_token=20.0)
    events = words(Over(supervisor)).stream("speak")
    threading.Timer(0.2, events.close).start()
    with pytest.raises(Cancelled):
        list(events)
    assert not supervisor._tickets


def test_no_tool_begins_after_the_end() -> None:
    ran: list[str] = []
    asked, gate = threading.Event(), threading.Event()

    @tool(rules=[Rule(prefix="do", to="what")])
    def do(what: str) -> str:
        """Does."""
        ran.append(what)
        asked.set()
        assert gate.wait(60)
        return what

    events = words(Pieces("hm"), do).stream("do one, then do two")
    assert asked.wait(60)
    events.close()
    gate.set()
    time.sleep(0.2)
    assert ran == ["one"], "the one that ran is let finish, the next is not begun"


def test_the_real_engine_has_its_seat_back() -> None:
    with Agent(only=["calculator"], context=512, threads=1, answer_tokens=400) as agent:
        assert isinstance(agent.model, LocalModel)
        # Both cannot be in this context together: the second gets in when the first is gone.
        events = agent.stream("Tell me a long story about the sea.")
        while not isinstance(next(events), Said):
            pass
        events.close()
        assert not agent.model.supervisor._tickets
        assert agent.run("Say hello.").answer

"""Traces: what belongs to what, and that times and tokens of a real turn add up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet import Agent, Permission, Rule, Tool, tool
from linnet.agent.cascade import Attempt, Cascade
from linnet.agent.question import Question
from linnet.agent.trace import Node, trace, trace_of
from linnet.agent.within import Within
from linnet.errors import WorkerCrashed
from linnet.messages import Message, Step, ToolCall
from linnet.requests import Capabilities, Count, Done, Embed, Event, Generate, Piece, Request, Score, Usage, complete

ASK = (Message("user", "hello"),)


class Canned:
    """A Model whose answers are given; a score costs 10 tokens, an answer 20 and 2."""

    capabilities = Capabilities("canned", 1_000)

    def __init__(self, text: str = "own words", **captures: str) -> None:
        self._text, self._captures = text, captures

    def stream(self, request: Request) -> Iterator[Event]:
        match request:
            case Score():
                yield Done(scores=tuple((-1.0, 1) for _ in request.continuations), usage=Usage(10))
            case Count():
                yield Done(count=7)
            case Embed():
                yield Done()
            case Generate():
                yield Piece(self._text, (1, 2))
                yield Done(self._text, usage=Usage(20, 5, 2), captures=self._captures)


@tool
def get_weather(city: str, days: int) -> str:
    """Gets the weather of a city for some days."""
    return f"sun in {city} for {days} days"


def kinds(nodes: tuple[Node, ...]) -> list[Any]:
    """Kinds as nested lists."""
    return [[node.step.kind, kinds(node.parts)] if node.parts else node.step.kind for node in nodes]


def step(kind: str, start: float, end: float) -> Step:
    return Step(kind, "", end - start, start=start)


def question(kind: str, start: float, end: float) -> Question:
    return Question(kind, start, end - start)


# --- the tree ------------------------------------------------------------------------------------


def test_what_lies_within_a_later_step_is_a_part_of_it() -> None:
    steps = [
        step("route", 0.0, 0.1),
        step("summary", 0.2, 0.3),
        step("remote", 0.4, 0.5),
        step("attempt", 0.4, 0.6),
        step("answer", 0.2, 0.7),
        step("cache", 0.7, 0.7),
    ]
    found = trace(steps, (), 0.7, Usage())
    assert kinds(found.nodes) == ["route", ["answer", ["summary", ["attempt", ["remote"]]]], "cache"]


def test_a_step_that_only_begins_where_another_ends_is_no_part() -> None:
    steps = [step("choose", 0.0, 0.5), step("fill", 0.5, 0.9), step("refuse", 0.9, 0.9), step("fill", 0.90001, 1.0)]
    assert kinds(trace(steps, (), 1.0, Usage()).nodes) == ["choose", "fill", "refuse", "fill"]


def test_a_question_belongs_to_the_innermost_step_and_counting_to_none() -> None:
    steps = [step("summary", 0.2, 0.4), step("answer", 0.1, 0.9)]
    asked = [
        question("count", 0.1, 0.2),
        question("chat", 0.2, 0.4),
        question("chat", 0.5, 0.9),
        question("score", 1, 2),
    ]
    found = trace(steps, asked, 2.0, Usage())
    (answer,) = found.nodes
    assert answer.questions == (asked[2],) and answer.parts[0].questions == (asked[1],)
    assert found.questions == (asked[3],), "what failed before its step was noted is not lost"
    assert list(found.all_questions()) == asked[1:]


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=12))
def test_every_step_and_question_is_there_once(times: list[tuple[float, float]]) -> None:
    spans = sorted(sorted(pair) for pair in times)
    spans.sort(key=lambda span: span[1])
    steps = [step("answer", begin, end) for begin, end in spans]
    asked = [question("chat", begin, end) for begin, end in spans]
    found = trace(steps, asked, 10.0, Usage())
    assert len(list(found.all_questions())) == len(asked)

    def count(nodes: tuple[Node, ...]) -> int:
        return sum(1 + count(node.parts) for node in nodes)

    assert count(found.nodes) == len(steps)


# --- of a turn -----------------------------------------------------------------------------------


def test_a_turn_with_a_call_adds_up() -> None:
    with Agent([get_weather], Canned(value="7"), margin=-99.0) as agent:
        result = agent.run("weather in Oslo")
    found = trace_of(result, 0.5)
    assert kinds(found.nodes) == ["route", "choose", "fill", "tool"]
    route, choose, fill, ran = found.nodes
    assert 0 <= route.step.start <= route.end <= choose.step.start <= choose.end <= fill.step.start
    assert fill.end <= ran.step.start <= ran.end <= result.seconds
    assert choose.questions == () and fill.questions[-1].kind == "continue"
    assert sum((node.step.usage for node in found.nodes), Usage()) == result.usage != Usage()
    assert sum((q.usage for q in result.questions), Usage()) == result.usage
    told = found.describe()
    assert json.loads(json.dumps(told)) == told and told["load"] == 0.5
    assert told["steps"][2]["questions"][-1]["kind"] == "continue"


def test_a_tool_begins_when_it_may() -> None:
    def slowly(tool: Tool, call: ToolCall) -> bool:
        time.sleep(0.2)
        return True

    @tool(rules=[Rule(prefix="wipe", to="what")], permissions=[Permission.WRITE_FILES])
    def wipe(what: str) -> str:
        """Wipe something out."""
        return what

    with Agent([wipe], Canned(), approve=slowly) as agent:
        route, ran = agent.run("wipe the board").steps
    assert ran.start >= route.start + 0.2, "waiting for a permission is none of its time"


def test_where_evidence_leaves_doubt_the_questions_belong_to_the_choice() -> None:
    with Agent([get_weather], Canned(), margin=-99.0) as agent:
        sure = agent.run("weather in Oslo").steps[1].data["scores"]["get_weather"]
    with Agent([get_weather], Canned(), margin=sure) as agent:
        choose = trace_of(agent.run("weather in Oslo")).nodes[1]
    assert {q.kind for q in choose.questions} == {"score"}
    assert choose.step.usage == sum((q.usage for q in choose.questions), Usage())


def test_attempts_are_parts_of_the_answer() -> None:
    refused = Attempt("first", Canned("no"), accept=lambda request, done: "too short")
    with Agent([], Cascade(refused, Attempt("second", Canned())), only="calculator") as agent:
        result = agent.run("say something kind")
    answer = trace_of(result).nodes[-1]
    assert kinds((answer,)) == [["answer", ["attempt", "attempt"]]]
    first, second = answer.parts
    assert first.end <= second.step.start + 0.001 and answer.end <= result.seconds
    assert first.step.usage == second.step.usage == Usage(20, 5, 2)
    assert answer.step.usage == Usage(40, 10, 4), "the parts are contained in the whole"


def test_questions_are_timed_and_their_failures_told() -> None:
    within = Within(Canned(), 60.0)
    complete(within, Generate(ASK, max_tokens=9))
    (asked,) = within.questions
    assert (asked.kind, asked.finish, asked.most_tokens, asked.usage) == ("chat", "stop", 9, Usage(20, 5, 2))
    assert asked.first is not None and 0 <= asked.first <= asked.seconds <= within.now()

    class Dying(Canned):
        def stream(self, request: Request) -> Iterator[Event]:
            yield Piece("so", (1,))
            raise WorkerCrashed("gone")

    within = Within(Dying(), 60.0)
    with pytest.raises(WorkerCrashed):
        complete(within, Generate(ASK))
    (asked,) = within.questions
    assert (asked.error, asked.finish, asked.usage) == ("worker_crashed", "", Usage(generated_tokens=1))


def test_one_that_is_refused_at_once_is_told_too() -> None:
    class Refusing(Canned):
        def stream(self, request: Request) -> Iterator[Event]:
            raise WorkerCrashed("gone")

    within = Within(Refusing(), 60.0)
    with pytest.raises(WorkerCrashed):
        within.stream(Generate(ASK))
    assert [asked.error for asked in within.questions] == ["worker_crashed"]


def test_a_dropped_question_keeps_no_stream_alive() -> None:
    ended: list[str] = []

    class Endless(Canned):
        def stream(self, request: Request) -> Iterator[Event]:
            try:
                while True:
                    yield Piece("on", (1,))
            finally:
                ended.append("closed")

    within = Within(Endless(), 60.0)
    events = within.stream(Generate(ASK))
    next(events)
    del events
    assert ended == ["closed"]
    (asked,) = within.questions
    assert (asked.finish, asked.usage.generated_tokens) == ("", 1)


def test_a_step_can_be_told_as_one_of_later_work() -> None:
    assert step("fill", 0.5, 1.0).later(2.0) == replace(step("fill", 0.5, 1.0), start=2.5)

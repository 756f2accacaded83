"""Running cases: what is counted how, and that nothing a case does ends the run."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from linnet import Tool
from linnet.errors import ToolFailed
from linnet.evals.harness import Case, Made, by_category, evaluate, guided, offered, totals
from linnet.messages import ToolCall
from linnet.requests import Capabilities, Done, Event, Model, Request, Usage

ADD = Tool.from_schema("add", "Adds.", {"properties": {"a": {"type": "integer"}}, "required": ["a"]})
WANT = ({"name": "add", "arguments": {"a": [1]}},)


class Deaf:
    """Is never asked, and fails if it is."""

    capabilities = Capabilities("deaf", 10)

    def stream(self, request: Request) -> list[Event]:
        raise AssertionError(request)


def parrot(model: Model, tools: Sequence[Tool], request: str) -> Made:
    """Calls `add` with each number of the request; fails on order."""
    if request == "fail":
        raise ToolFailed("told to")
    if request == "break":
        raise ZeroDivisionError("by zero")
    calls = [ToolCall("add" if word.isdigit() else "other", {"a": int(word, 36)}) for word in request.split()]
    return Made(tuple(calls), Usage(10, 5, 3, 2))


def case(request: str, want: str = "calls", category: str = "simple") -> Case:
    return Case(request, category, request, (ADD,), want, WANT if want == "calls" else ())


def test_an_outcome_in_json() -> None:
    (done,) = evaluate(Deaf(), [case("1")], parrot)
    told = done.describe()
    assert told.pop("seconds") >= 0
    assert told == {
        "id": "1",
        "category": "simple",
        "calls": [{"name": "add", "arguments": {"a": 1}}],
        "how": "model",
        "right": True,
        "fault": "",
        "prompt_tokens": 10,
        "cached_tokens": 5,
        "generated_tokens": 3,
        "forced_tokens": 2,
        "guessed_tokens": 0,
        "notes": [],
        "error": None,
    }


@pytest.mark.parametrize(
    ("given", "how", "right", "refused"),
    [
        (case("1"), "model", True, False),
        (case("2"), "model", False, False),
        (case("1 1"), "model", False, False),
        (case(""), "abstained", False, True),
        (case("", "none"), "abstained", True, False),
        (case("7", "none"), "model", False, False),
        (case("", "some"), "abstained", False, True),
        (case("7", "some"), "model", True, False),
        (case("7", "unknown"), "model", False, False),
        (case("fail"), "error", False, True),
        (case("fail", "none"), "error", False, False),
        (case("break"), "error", False, True),
        (Case("x", "simple", fault="line 3 is broken"), "error", False, False),
    ],
)
def test_what_counts_as_what(given: Case, how: str, right: bool, refused: bool) -> None:
    (done,) = evaluate(Deaf(), [given], parrot)
    assert (done.how, done.right, done.refused) == (how, right, refused)
    assert done.judged is (given.want != "unknown" or bool(given.fault))
    assert bool(done.fault) is (done.judged and not right)


def test_errors_are_told() -> None:
    failed, broke = evaluate(Deaf(), [case("fail"), case("break")], parrot)
    assert failed.error and failed.error["code"] == "tool_failed" and failed.fault == "tool_failed: told to"
    assert broke.error and "ZeroDivisionError: by zero" in broke.fault


def test_totals() -> None:
    given = [case("1"), case("2"), case("x"), case(""), case("5", "unknown"), case("", "none", "irrelevance")]
    done = list(evaluate(Deaf(), given, parrot))
    numbers = totals(done)
    assert (numbers["right"], numbers["of"], numbers["share"]) == (2, 5, 0.4)
    assert (numbers["named"], numbers["refused"], numbers["errors"]) == (0.5, 0.25, 0)
    assert numbers["interval"][0] < 0.4 < numbers["interval"][1]
    assert numbers["usage"]["prompt_tokens"] == 60
    split = by_category(done)
    assert list(split) == ["simple", "irrelevance"]
    assert split["irrelevance"]["refused"] is None and split["irrelevance"]["named"] is None


def test_totals_of_nothing() -> None:
    numbers = totals([])
    assert numbers["share"] is None and numbers["interval"] == [0.0, 1.0] and numbers["of"] == 0


def test_a_tool_of_one_name_is_offered_once() -> None:
    spec = {"name": "a", "description": "A", "parameters": {}}
    tools, notes = offered([spec, spec, 7, {"name": "b c", "description": "B"}, {"name": "d"}])
    assert [tool.name for tool in tools] == ["a", "d"] and len(notes) == 2


class Mute:
    capabilities = Capabilities("mute", 10)

    def stream(self, request: Request) -> list[Event]:
        return [Done()]


def test_guided_without_tools_calls_nothing() -> None:
    (done,) = evaluate(Mute(), [Case("a", "b", "hello", want="none")], guided)
    assert done.calls == ()

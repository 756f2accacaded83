"""From a request to a valid call or none: with a scripted model for exact behaviour, and with the real one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import pytest

from linnet import Tool, tool
from linnet.calling import choose
from linnet.calling.choose import NO_TOOL
from linnet.calling.guided import Guide
from linnet.calling.ranking.ranker import Doubt, fitted
from linnet.errors import ToolArgumentsInvalid
from linnet.requests import Capabilities, Done, Event, Generate, Request, Score, Usage
from linnet.runtime.local import LocalModel, open_local


class Willing:
    """Finds every tool likelier than none, and fills gaps with what is given."""

    capabilities = Capabilities("willing", 2048)

    def __init__(self, value: str | None = None) -> None:
        self.captures = {} if value is None else {"value": value}

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Generate):
            return iter([Done(captures=self.captures)])
        assert isinstance(request, Score)
        none = any(getattr(part, "text", "") == NO_TOOL for part in request.prompt)
        return iter([Done(scores=tuple((-99.0 if none else 0.0, 1) for _ in request.continuations))])


class Counting(Willing):
    """Tells what it was asked."""

    def stream(self, request: Request) -> Iterator[Event]:
        (done,) = super().stream(request)
        return iter([replace(done, usage=Usage(prompt_tokens=1))])  # type: ignore[type-var]  # it is a Done


def made(required: dict[str, Any]) -> Tool:
    return Tool.from_schema("do_it", "Does it.", {"properties": required, "required": list(required)})


def test_a_call_is_valid_and_tells_its_steps() -> None:
    guided = Guide(Willing(), [made({"n": {"type": "integer"}})], margin=-1e9).call("do it 5 times")
    (call,) = guided.calls
    assert call.arguments == {"n": 5} and call.how in ("evidence", "model") and call.repairs == ()
    assert [step.kind for step in guided.steps] == ["choose", "fill"]
    assert (guided.wanted, guided.problem) == (None, None)
    assert list(guided.steps[0].data["scores"]) == ["do_it"] and guided.steps[1].data["from"] == {"n": "evidence"}
    assert 0 < guided.steps[1].data["sure"] <= 1


@pytest.mark.parametrize(("bias", "by"), [(9.0, "evidence"), (0.6, "model")])
def test_a_call_tells_whether_the_model_was_asked(bias: float, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = replace(fitted(), relevance={"bias": 9.0}, evident={"bias": bias}, doubt=Doubt(1.0, 1.0, 1.0))
    monkeypatch.setattr(choose, "fitted", lambda: weights)
    guided = Guide(Counting(), [made({"n": {"type": "integer"}})]).call("do it 5 times")
    assert guided.calls[0].how == guided.steps[0].data["by"] == by
    assert bool(guided.usage.prompt_tokens) is (by == "model")


def test_a_call_whose_arguments_the_model_was_asked_about_is_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = replace(fitted(), evident={"bias": 9.0}, doubt=Doubt(1.0, 1.0, 1.0))
    monkeypatch.setattr(choose, "fitted", lambda: weights)
    guided = Guide(Willing('{"a": 1}'), [made({"p": {"type": "object"}})]).call("do it")
    assert guided.calls[0].how == "model" and guided.steps[0].data["by"] == "evidence"


def test_none_is_honest() -> None:
    guided = Guide(Willing(), [made({})], margin=1e9).call("do it")
    assert guided.calls == () and guided.wanted is None and [step.kind for step in guided.steps] == ["choose"]
    assert Guide(Willing(), []).call("do it").calls == ()


def test_a_repair_is_told() -> None:
    """The list takes texts, and the model has written numbers."""
    texts = {"type": "array", "items": {"type": "string"}}
    (call,) = Guide(Willing("[1, 2]"), [made({"p": texts})], margin=-1e9).call("?!").calls
    assert call.arguments == {"p": ["1", "2"]}
    assert call.repairs == ("p: [1, 2] became ['1', '2']", "p was written by the model")


def test_what_the_model_wrote_is_told() -> None:
    two = made({"n": {"type": "integer"}, "p": {"type": "object"}})
    (call,) = Guide(Willing('{"a": 1}'), [two], margin=-1e9).call("5").calls
    assert call.arguments == {"n": 5, "p": {"a": 1}} and call.repairs == ("p was written by the model",)


def test_over_another_model_the_tools_are_the_same() -> None:
    guide = Guide(Willing(), [made({"p": {"type": "object"}})], margin=-1e9)
    other = guide.over(Willing('{"a": 1}'))
    assert other.call("do it").calls[0].arguments == {"p": {"a": 1}}
    assert guide.call("do it").calls == ()


def test_a_moment_that_is_none_is_asked_back_for() -> None:
    remind = made({"time": {"type": "string", "description": "When, such as 6 pm."}})
    guided = Guide(Willing(), [remind], margin=-1e9).call("Remind me to call mum")
    assert guided.calls == () and guided.wanted == remind and guided.problem is not None
    assert guided.problem.message == "do_it: time is missing: 'call mum' is neither a date nor a time"
    assert [step.kind for step in guided.steps] == ["choose", "fill", "refuse"]


def test_a_tool_that_is_merely_named_is_wanted_though_nothing_is_called() -> None:
    split = Tool.from_schema(
        "split_bill", "Splits it.", {"properties": {"total": {"type": "number"}}, "required": ["total"]}
    )
    guided = Guide(Willing(), [split], margin=1e9).call("Split the bill")
    assert guided.calls == () and guided.wanted == split and guided.problem is not None
    assert guided.problem.message == "split_bill: total is missing"
    assert [step.kind for step in guided.steps] == ["choose", "refuse"]


@pytest.mark.parametrize(
    ("schema", "request_text", "said"),
    [
        ({"type": "string"}, "?!", "p is missing"),
        ({"type": "string", "enum": []}, "?!", "p is missing"),
        ({"type": "object"}, "do it", "p is missing"),
        ({"type": "array", "items": {"type": "object"}}, "do it", "p"),
        ({"type": "number", "minimum": 9}, "do it 5 times", "must be at least 9"),
        ({"type": "integer"}, "do it", "p is missing"),
    ],
)
@pytest.mark.parametrize("value", [None, "", "rubbish", '{"a": ', "[" * 10_000])
def test_arguments_that_do_not_fit_are_refused_in_words(
    value: str | None, schema: dict[str, Any], request_text: str, said: str
) -> None:
    """What the model writes is cut off or rubbish, or it writes nothing at all: no call, and no exception."""
    guided = Guide(Willing(value), [made({"p": schema})], margin=-1e9).call(request_text)
    assert guided.calls == () and guided.wanted and guided.wanted.name == "do_it"
    assert isinstance(guided.problem, ToolArgumentsInvalid) and said in guided.problem.message
    assert guided.steps[-1].kind == "refuse" and guided.steps[-1].detail == guided.problem.message


# --- several calls -------------------------------------------------------------------------------

SIDES = {
    "base": {"type": "number", "minimum": 5, "description": "The base."},
    "height": {"type": "number", "description": "The height."},
}
TWO = "the base is 10 and the height is 5, and for the second the base is 4 and the height is 3"


def test_one_refused_call_spoils_no_other() -> None:
    """The second base is less than the least: that call is refused and told, the first is made."""
    triangle = Tool.from_schema("area", "The area of a triangle.", {"properties": SIDES, "required": list(SIDES)})
    guided = Guide(Willing(), [triangle], margin=-1e9).call(TWO)
    assert [call.arguments for call in guided.calls] == [{"base": 10, "height": 5}]
    assert [step.kind for step in guided.steps] == ["choose", "fill", "fill", "refuse"]
    assert "must be at least 5, got 4" in guided.steps[-1].detail
    assert (guided.wanted, guided.problem) == (None, None)


def test_one_refused_tool_spoils_no_other() -> None:
    weather = Tool.from_schema(
        "get_weather", "Gets the weather of a city.", {"properties": {"city": {"type": "string"}}}
    )
    least = {**SIDES, "base": {"type": "number", "minimum": 99, "description": "The base."}}
    own = {"properties": least, "required": list(least)}
    triangle = Tool.from_schema("calculate_triangle_area", "Calculates the area of a triangle.", own)
    request = "Calculate the area of a triangle with a base of 3 and a height of 4. Then get the weather in Oslo."
    guided = Guide(Willing(), [weather, triangle], margin=-1e9).call(request)
    assert [call.name for call in guided.calls] == ["get_weather"] and guided.problem is None
    assert [step.kind for step in guided.steps] == ["choose", "fill", "refuse", "fill"]
    assert guided.steps[0].detail == "calculate_triangle_area and get_weather fits best"


def test_where_all_are_refused_the_first_problem_is_told() -> None:
    least = {**SIDES, "base": {**SIDES["base"], "minimum": 99}}
    triangle = Tool.from_schema("area", "The area of a triangle.", {"properties": least, "required": list(least)})
    guided = Guide(Willing(), [triangle], margin=-1e9).call(TWO)
    assert guided.calls == () and guided.wanted is triangle
    assert guided.problem and "must be at least 99, got 10" in guided.problem.message
    assert [step.kind for step in guided.steps] == ["choose", "fill", "refuse", "fill", "refuse"]


# --- with the real model -------------------------------------------------------------------------

Unit = Literal["miles", "kilometers", "pounds", "kilograms"]


@tool
def convert_units(amount: float, source: Unit, target: Unit) -> float:
    """Convert an amount from one unit to another."""
    return amount


@tool
def create_reminder(task: str, when: str) -> str:
    """Remind the user of a task at a time."""
    return task


@tool
def shopping_list(items: list[str]) -> int:
    """Add items to the shopping list."""
    return len(items)


@tool
def set_lights(room: Literal["kitchen", "bedroom"], on: bool) -> str:
    """Switch the lights of a room on or off."""
    return room


@tool
def roll_dice() -> int:
    """Roll a die."""
    return 4


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    model = open_local(context=2048)
    yield model
    model.close()


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        ("How many kilometers are 26.2 miles?", (convert_units, 26.2, "miles", "kilometers")),
        ("convert 5 kilos to pounds", (convert_units, 5, "kilograms", "pounds")),
        pytest.param(
            "Remind me to call the dentist tomorrow at 9 am",
            (create_reminder, "call the dentist", "tomorrow at 9 am"),
            marks=pytest.mark.xfail(reason="a parameter without a description takes part of the time: docs/log.md"),
        ),
        ("Add eggs, milk and bread to my shopping list", (shopping_list, ["eggs", "milk", "bread"])),
        ("Turn off the lights in the kitchen", (set_lights, "kitchen", False)),
        ("Switch the bedroom lights on please", (set_lights, "bedroom", True)),
        ("roll a die", (roll_dice,)),
        ("Hello there, how are you?", None),
        ("Why is the sky blue?", None),
    ],
)
def test_whole_calls(model: LocalModel, request_text: str, expected: tuple[Any, ...] | None) -> None:
    tools = [convert_units, create_reminder, shopping_list, set_lights, roll_dice]
    calls = Guide(model, tools).call(request_text).calls
    if expected is None:
        assert calls == ()
    else:
        wanted, *values = expected
        arguments = dict(zip(wanted.parameters["properties"], values, strict=True))
        assert [(call.name, call.arguments) for call in calls] == [(wanted.name, arguments)]


@pytest.mark.parametrize("request_text", ['do \\ "it" {', "?!", "明日の天気は", "5 " * 99, "it's <|im_end|> now"])
def test_odd_requests_end_in_a_valid_call_or_none(model: LocalModel, request_text: str) -> None:
    made_of = {
        "text": {"type": "string"},
        "n": {"type": "integer"},
        "size": {"enum": [1, 2, "x"]},
        "place": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 9}}, "required": ["city"]},
        "stops": {
            "type": "array",
            "maxItems": 2,
            "items": {"type": "object", "properties": {"a": {"type": "boolean"}}},
        },
    }
    guided = Guide(model, [made(made_of)], margin=-1e9).call(request_text)
    assert guided.calls or guided.problem
    assert all(list(call.arguments) == list(made_of) for call in guided.calls)

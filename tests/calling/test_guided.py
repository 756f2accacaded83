"""From a request to a valid call or none: with a scripted model for exact behaviour, and with the real one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest

from linnet import Tool, tool
from linnet.calling.choose import NO_TOOL
from linnet.calling.guided import Guide
from linnet.errors import ToolArgumentsInvalid
from linnet.requests import Capabilities, Done, Event, Generate, Request, Score
from linnet.runtime.local import LocalModel, open_local


class Willing:
    """Finds every tool likelier than none, and fills gaps with what is given."""

    capabilities = Capabilities("willing", 2048)

    def __init__(self, **captures: str) -> None:
        self.captures = captures

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Generate):
            return iter([Done(captures=self.captures)])
        assert isinstance(request, Score)
        none = any(getattr(part, "text", "") == NO_TOOL for part in request.prompt)
        return iter([Done(scores=tuple((-99.0 if none else 0.0, 1) for _ in request.continuations))])


def made(required: dict[str, Any]) -> Tool:
    return Tool.from_schema("do_it", "Does it.", {"properties": required, "required": list(required)})


def test_a_call_is_valid_and_tells_its_steps() -> None:
    guided = Guide(Willing(), [made({"n": {"type": "integer"}})]).call("do it 5 times")
    assert guided.call and guided.call.arguments == {"n": 5} and guided.call.how == "model"
    assert [step.kind for step in guided.steps] == ["choose", "fill"] and guided.problem is None
    assert list(guided.steps[0].data["scores"]) == ["do_it"] and guided.steps[1].data == {"from": {"n": "evidence"}}


def test_none_is_honest() -> None:
    guided = Guide(Willing(), [made({})], margin=1e9).call("do it")
    assert guided.call is None and guided.wanted is None and [step.kind for step in guided.steps] == ["choose"]
    assert Guide(Willing(), []).call("do it").call is None


def test_a_repair_is_told() -> None:
    guided = Guide(Willing(n='"7"'), [made({"n": {"type": ["integer", "null"], "enum": ["7", "8"]}})]).call("do it")
    assert guided.call is None and isinstance(guided.problem, ToolArgumentsInvalid)
    guided = Guide(Willing(), [made({"when": {"type": "string"}})]).call("at 5 pm")
    assert guided.call and guided.call.repairs == ()


@pytest.mark.parametrize(
    ("schema", "request_text", "said"),
    [
        ({"type": "integer"}, "do it 2.5 times", "must be integer, got 2.5"),
        ({"type": "string"}, "?!", "must be string, got null"),
        ({"type": "string", "enum": []}, "do it", "must be one of"),
        ({"type": "object"}, "do it", "p is missing"),
        ({"type": "array", "items": {"type": "object"}}, "do it", "p is missing"),
        ({"type": "number", "minimum": 9}, "do it 5 times", "must be at least 9"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_words(schema: dict[str, Any], request_text: str, said: str) -> None:
    """The gaps of objects stay open here, as when an answer is cut off; the empty enum's text is filled."""
    model = Willing(p="it") if "enum" in schema else Willing()
    guided = Guide(model, [made({"p": schema})]).call(request_text)
    assert guided.call is None and guided.wanted and guided.wanted.name == "do_it"
    assert said in str(guided.problem)


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
        ("Remind me to call the dentist tomorrow at 9 am", (create_reminder, "call the dentist", "tomorrow at 9 am")),
        ("Add eggs, milk and rye bread to my shopping list", (shopping_list, ["eggs", "milk", "rye bread"])),
        ("Turn off the lights in the kitchen", (set_lights, "kitchen", False)),
        ("Switch the bedroom lights on please", (set_lights, "bedroom", True)),
        ("roll a die", (roll_dice,)),
        ("Hello there, how are you?", None),
        ("Why is the sky blue?", None),
    ],
)
def test_whole_calls(model: LocalModel, request_text: str, expected: tuple[Any, ...] | None) -> None:
    tools = [convert_units, create_reminder, shopping_list, set_lights, roll_dice]
    call = Guide(model, tools).call(request_text).call
    if expected is None:
        assert call is None
    else:
        wanted, *values = expected
        arguments = dict(zip(wanted.parameters["properties"], values, strict=True))
        assert call and (call.name, call.arguments) == (wanted.name, arguments)


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
    if guided.call:
        assert list(guided.call.arguments) == list(made_of)
    else:
        assert guided.problem

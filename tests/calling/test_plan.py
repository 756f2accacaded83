"""How the evidence of a request is dealt out among a tool's parameters."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet import Tool
from linnet.calling import kinds
from linnet.calling.plan import Plan
from linnet.limits import LIMITS

NUMBER, TEXT, LIST = {"type": "number"}, {"type": "string"}, {"type": "array", "items": {"type": "number"}}
UNITS = {"type": "string", "enum": ["miles", "feet", "meters"]}


def tool(required: dict[str, Any], **optional: Any) -> Tool:
    schema = {"properties": {**required, **optional}, "required": list(required)}
    return Tool.from_schema("do_it", "Does it.", schema)


def likeliest(plan: Plan) -> dict[str, Any]:
    """What is assigned when the model has no opinion."""
    return plan.settle(max(group, key=lambda deal: deal.prior) for group in plan.groups)


@pytest.mark.parametrize(
    ("made", "request_text", "expected"),
    [
        (tool({}), "anything 5", {}),
        (tool({"a": NUMBER, "b": NUMBER}), "between 3 and 7", {"a": 3, "b": 7}),
        (tool({"a": NUMBER, "b": NUMBER}), "5 and 5", {"a": 5, "b": 5}),
        (tool({"bill": NUMBER, "people": NUMBER}), "4 people, a bill of 90", {"bill": 90, "people": 4}),
        (tool({"bill": NUMBER, "tip_percent": NUMBER}), "15% on 80", {"bill": 80, "tip_percent": 15}),
        (tool({"rate": NUMBER}), "at 8 %", {"rate": 0.08}),
        (tool({"numbers": LIST}), "the mean of 1, 2 and 3", {"numbers": [1, 2, 3]}),
        (tool({"source": UNITS, "target": UNITS}), "miles to feet", {"source": "miles", "target": "feet"}),
        (
            tool({"source": UNITS, "target": UNITS}),
            "how many feet are 3 miles",
            {"source": "miles", "target": "feet"},
        ),
        (tool({"when": TEXT}), "do it tomorrow at 9 am", {"when": "tomorrow at 9 am"}),
        (tool({"file": TEXT}), "do it with notes.txt", {"file": "notes.txt"}),
        (tool({"on": {"type": "boolean"}}), "turn it off", {"on": False}),
        (tool({"on": {"type": "boolean"}}), "turn it on", {"on": True}),
        (tool({}, loud={"type": "boolean"}), "do it", {}),
        (tool({}, loud={"type": "boolean"}), "do it loud", {"loud": True}),
        (tool({"a": TEXT, "b": TEXT}), 'say "x" and "y"', {"a": "x", "b": "y"}),
        (tool({"task": TEXT, "when": TEXT}), "do call Anna at 5 pm", {"task": "call Anna", "when": "5 pm"}),
        (tool({}, store=TEXT), "do it at the hardware store", {"store": "hardware store"}),
        (tool({"n": {"type": "integer"}}), "1 and a half", {}),
        (tool({"n": NUMBER}), "9e999", {}),
    ],
)
def test_assignments(made: Tool, request_text: str, expected: dict[str, Any]) -> None:
    assert likeliest(Plan(made, request_text)) == expected


def test_an_optional_parameter_without_evidence_has_no_slot() -> None:
    plan = Plan(tool({"a": NUMBER}, b=NUMBER, colour={"enum": ["red"]}, note=TEXT), "do 5")
    assert [slot.name for slot in plan.slots(plan.settle(group[0] for group in plan.groups))] == ["a"]


def test_a_required_parameter_always_has_one() -> None:
    made = tool({"a": NUMBER, "b": TEXT, "c": UNITS, "d": {"type": "object"}, "e": {"const": 1}})
    assert [slot.name for slot in Plan(made, "hm hm").slots({})] == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("count", [1, 3, 6, 9])
def test_deals_are_at_most_what_one_request_may_score(count: int) -> None:
    made = tool({f"p{i}": NUMBER for i in range(count)})
    (group,) = Plan(made, " then ".join(str(i) for i in range(count + 1))).groups
    assert len(group) == min(LIMITS.continuations, math.factorial(count + 1))
    assert list(group[0].assignment.values()) == list(range(count)) and group[0].prior > 0


def test_texts_from_names_and_from_words_together_are_no_more() -> None:
    """Five names, and five runs of words: 120 deals of each."""
    made = tool({name: TEXT for name in ("aa", "bb", "cc", "dd", "ee")})
    text = "Bring Anna Bell, with Carl Dorn, with Emma Fox, with Gina Hall, with Ivan Jung"
    groups = Plan(made, text).groups
    assert groups and all(len(group) <= LIMITS.continuations for group in groups)


SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "string", "enum": []},
    {"enum": [1, 2]},
    {"enum": ["a", None, 1, True]},
    {"const": "x", "type": "string"},
    {"type": "array", "items": True},
    {"type": "array", "items": {"type": "object", "properties": {"a": NUMBER}}},
    {"type": "array", "prefixItems": [NUMBER], "items": False},
    {"type": "object"},
    {"type": ["integer", "string"]},
    {"type": "null"},
    {"anyOf": [NUMBER, {"type": "boolean"}]},
    {"type": "boolean"},
    {"type": "integer"},
    NUMBER,
    TEXT,
    LIST,
    UNITS,
]
NAMES = ["a", "when", "path", "task", "tip_percent", "", 'quo"te', "日"]
TEXTS = st.text() | st.lists(
    st.sampled_from('5 2.5 8% and , miles feet tomorrow "x" Anna at a/b \\ a 日 of .'.split(" "))
).map(" ".join)


@given(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(SCHEMAS)), st.booleans(), TEXTS)
def test_no_schema_and_no_request_fails(properties: dict[str, Any], required: bool, text: str) -> None:
    made = tool(properties) if required else Tool.from_schema("f", "", {"properties": properties})
    plan = Plan(made, text)
    assert all(0 < len(group) <= LIMITS.continuations for group in plan.groups)
    slots = plan.slots(likeliest(plan))
    assert {slot.name for slot in slots} <= set(properties)
    spoken = {name for name, schema in properties.items() if kinds.is_clause(name) and kinds.is_text(schema)}
    spoken |= {name for name, schema in properties.items() if kinds.is_number_list(schema)}
    assert not required or {slot.name for slot in slots} >= set(properties) - spoken


def test_a_list_of_numbers_is_left_out_when_there_are_none() -> None:
    averaged = tool({"numbers": LIST})
    assert not Plan(averaged, "What is the average of my grades?").slots({})
    assert Plan(averaged, "What is the average of 5?").slots({})


def test_what_nothing_says_is_left_out() -> None:
    """So that the call is refused and the user asked, rather than a text made up of the tool's own words."""
    assert Plan(tool({"task": TEXT}), "do it").slots({}) == []
    assert [slot.name for slot in Plan(tool({"task": {"enum": ["a", "b"]}}), "do it").slots({})] == ["task"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["1 miles ", "5 ", "Anna at 5% ", "a/b.c tomorrow ", ", and "])
def test_long_requests_take_no_long_time(unit: str) -> None:
    plan = Plan(tool({"n": NUMBER, "a": UNITS, "b": UNITS, "when": TEXT, "task": TEXT}), unit * 5_000)
    assert plan.slots(likeliest(plan))

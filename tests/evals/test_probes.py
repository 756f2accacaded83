"""Requests made up from tools: what they name, that schemas accept it, and that they repeat."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet import Tool
from linnet.evals.probes import _examples, _imperative, action_of, probes, value_of
from linnet.schema import problems

LIGHTS = Tool.from_schema(
    "lights.setRoom",
    "Sets the lights of a room. More is in the manual.",
    {
        "properties": {
            "room": {"type": "string", "enum": ["kitchen", "hall"]},
            "on": {"type": "boolean"},
            "brightness": {"type": "integer", "minimum": 5, "maximum": 9},
            "extra": {"type": "object"},
        },
        "required": ["room", "on"],
    },
)


def test_the_same_seed_makes_the_same_requests() -> None:
    assert probes([LIGHTS], 8, 1) == probes([LIGHTS], 8, 1) != probes([LIGHTS], 8, 2)


def test_every_form_with_and_without_what_is_optional() -> None:
    made = [probe for probe in probes([LIGHTS], 8) if probe.tool]
    assert [probe.form for probe in made] == 2 * ["order", "question", "polite", "fragment"]
    for form in ("order", "question", "polite", "fragment"):
        named = [set(probe.arguments or ()) for probe in made if probe.form == form]
        assert sorted(named, key=len) == [{"room", "on"}, {"room", "on", "brightness"}]


def test_a_request_says_what_it_names() -> None:
    for probe in probes([LIGHTS], 8):
        for name, value in (probe.arguments or {}).items():
            assert name in probe.request
            assert (str(value).lower() if isinstance(value, bool) else str(value)) in probe.request
    order, question, polite, fragment, *_ = probes([LIGHTS], 4)
    assert order.request.startswith("Set the lights of a room with room ") or " as room" in order.request
    assert question.request.startswith("Can you set the lights of a room with ") and question.request.endswith("?")
    assert polite.request.startswith("Please set the lights of a room for me with ")
    assert fragment.request.startswith("lights set room with ")


def test_the_authors_examples_come_first_and_some_want_no_tool() -> None:
    tool = Tool.from_schema("wave", "Wave at somebody.", {}, examples=("say hi", "greet them", "bow"))
    made = probes([tool], 4)
    assert [(p.request, p.arguments) for p in made[:2]] == [("say hi", None), ("greet them", None)]
    assert [p.form for p in made if p.tool is tool] == ["example", "example", "order", "question"]
    assert made[2].request == "Wave at somebody."
    assert sum(p.tool is None for p in made) >= 3


@pytest.mark.parametrize(
    ("description", "action"),
    [
        ("Calculates the area, given its sides.", "calculate the area"),
        ("Fetch: news", "get news"),
        ("", "get news"),
        ("Applies a filter; slowly", "apply a filter"),
    ],
)
def test_what_a_tool_does_in_words(description: str, action: str) -> None:
    assert action_of(Tool.from_schema("getNews", description, {})) == action


def test_verbs() -> None:
    verbs = "searches uses passes closes applies gets process focus boxes status is"
    bare = "search use pass close apply get process focus box status is"
    assert [_imperative(verb) for verb in verbs.split()] == bare.split()


@pytest.mark.parametrize(
    ("description", "examples"),
    [
        ("What to do, such as call Anna.", ["call Anna"]),
        ("When, such as 6 pm or next Friday.", ["6 pm", "next Friday"]),
        ("A city (e.g. 'New York' or 'Rome')", ["New York", "Rome"]),
        ("The text.", []),
    ],
)
def test_examples_out_of_descriptions(description: str, examples: list[str]) -> None:
    assert _examples(description) == examples


SCHEMAS: list[dict[str, Any]] = [
    {"type": "integer"},
    {"type": "integer", "minimum": 90},
    {"type": "integer", "minimum": -5, "maximum": -2},
    {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 3},
    {"type": "number", "maximum": 4},
    {"type": "number"},
    {"type": "boolean"},
    {"type": "string"},
    {"type": "string", "enum": ["a", "b"]},
    {"type": "string", "description": "As YYYY-MM-DD."},
    {"type": "array", "items": {"type": "string"}},
    {"type": "array", "items": {"type": "number"}, "minItems": 4},
    {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "maxItems": 1},
    {"type": "array", "items": {"enum": [1, 2]}},
    {"type": "array"},
    {},
]


@given(st.sampled_from(SCHEMAS), st.sampled_from(["city", "name", "x", "date"]), st.integers())
def test_values_are_what_their_schema_accepts(schema: dict[str, Any], name: str, seed: int) -> None:
    value = value_of(name, schema, random.Random(seed))
    assert value is not None and list(problems(value, schema)) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "string", "pattern": "^a$"},
        {"anyOf": [{"type": "object"}, {"type": "array"}]},
        {"type": "array", "items": {"type": "object"}},
        {"type": ["string", "integer"]},
    ],
)
def test_what_nobody_could_say_is_left_out(schema: dict[str, Any]) -> None:
    assert value_of("x", schema, random.Random(1)) is None

"""What a parameter's schema, name and description say about it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence.parameters import Parameter, items, nested, parameters
from linnet.tools import Tool


def parameter(name: str = "x", **schema: Any) -> Parameter:
    return Parameter((name,), schema, True, 0)


def described(description: str, type_: str = "string") -> Parameter:
    return parameter(type=type_, description=description)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, "string"),
        ({"type": "string"}, "string"),
        ({"type": "integer"}, "number"),
        ({"type": ["null", "integer"]}, "number"),
        ({"type": ["null"]}, "string"),
        ({"type": "string", "enum": ["a"]}, "options"),
        ({"type": "string", "enum": []}, "string"),
        ({"const": None}, "const"),
        ({"type": "array"}, "array"),
    ],
)
def test_types(schema: dict[str, Any], expected: str) -> None:
    assert parameter(**schema).type == expected


def test_integers_are_told_from_other_numbers() -> None:
    assert parameter(type="integer").integer and parameter(type=["integer", "null"]).integer
    assert not parameter(type="number").integer and not parameter(type=["integer", "number"]).integer


@pytest.mark.parametrize(
    ("name", "description", "expected"),
    [
        ("checkInDate", "", ("date",)),
        ("origin_city", "", ("place", "origin")),
        ("x", "The city to go to. A country will not do", ("place",)),
        ("x", "", ("thing",)),
        ("", "", ("thing",)),
    ],
)
def test_senses(name: str, description: str, expected: tuple[str, ...]) -> None:
    assert parameter(name, description=description).senses == expected


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("City, e.g. 'Paris' or 'Rome'", ("Paris", "Rome")),
        ("such as red, dark green or blue.", ("red", "dark green", "blue")),
        ("A colour (e.g. red)", ("red",)),
        ("the user's name and the city's mayor", ()),
        ("'a' and 'a'", ("a",)),
        ("", ()),
    ],
)
def test_examples(description: str, expected: tuple[str, ...]) -> None:
    assert described(description).examples == expected


@pytest.mark.parametrize(
    ("description", "type_", "expected"),
    [
        ("Defaults to 5.", "integer", 5),
        ("Defaults to 5.", "string", "5"),
        ("(default: 7.5%)", "number", 7.5),
        ("Default is 'metric'", "string", "metric"),
        ("default value is true", "boolean", True),
        ("The default location is New York.", "string", "New York"),
        ("default to None", "integer", None),
        ("default infinity", "integer", None),
        ("default is nan", "integer", None),
        ("default is 1e999", "number", None),
        ("no word of it", "string", None),
    ],
)
def test_defaults_that_the_description_tells(description: str, type_: str, expected: Any) -> None:
    found = described(description, type_).default
    assert found == expected and type(found) is type(expected)


def test_a_default_of_the_schema_goes_first() -> None:
    assert parameter(type="integer", default=3, description="Defaults to 5.").default == 3
    assert parameter(enum=["Low", "High"], description="Default is 'high'").default == "High"


def test_a_legend_keeps_what_sets_its_values_apart() -> None:
    legend = described("1 for Bangkok city, 2 for Chiang Mai city", "integer").legend
    assert legend == {"1": {"bangkok"}, "2": {"chiang", "mai"}}
    assert described("'L' means large, 'S' means small").legend == {"L": {"larg"}, "S": {"small"}}
    assert described("'L' means large").legend == {}


def test_what_a_list_holds() -> None:
    numbers = parameter("sizes", type="array", items={"type": "integer"}).element
    assert numbers.type == "number" and numbers.integer and numbers.path == ("sizes", "item")
    assert items({"items": True}) == items({}) == {} and parameter(type="array").element.type == "string"


def test_nested_objects_are_taken_apart_and_put_together() -> None:
    address = {"type": "object", "properties": {"street": {"type": "string"}}, "required": ["street"]}
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "home": address, "free": {"type": "object"}},
        "required": ["name"],
    }
    found = parameters(Tool.from_schema("register", "Registers.", schema))
    assert [(p.name, p.required, p.index) for p in found] == [
        ("name", True, 0),
        ("home.street", False, 1),
        ("free", False, 2),
    ]
    values = {("name",): "Anna", ("home", "street"): "High Street"}
    assert nested(values) == {"name": "Anna", "home": {"street": "High Street"}}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit",
    ["a", " ", "default ", "default" + " " * 1_000, "e.g. ", "'", "like a, ", "1 for a, ", "1=", "'a' is ", "MM "],
)
def test_long_descriptions_take_no_long_time(unit: str) -> None:
    read_all(described((unit * 100_000)[:100_000]))
    read_all(described("Defaults to" + " " * 100_000 + unit))


def read_all(found: Parameter) -> tuple[Any, ...]:
    return found.senses, found.examples, found.example_stems, found.legend, found.default, found.description_stems


@given(st.text(), st.text(), st.sampled_from(["string", "number", "integer", "boolean", "array", "null"]))
def test_no_name_and_no_description_fails(name: str, description: str, type_: str) -> None:
    read_all(parameter(name, type=type_, description=description))


PIECES = st.lists(
    st.sampled_from("default is to 1 inf nan -5 1e999 'a' “b” for means = , . (e.g. like such as and ) %".split())
)


@given(PIECES.map(" ".join), st.sampled_from(["string", "number", "integer", "boolean"]))
def test_descriptions_made_of_telling_words(description: str, type_: str) -> None:
    read_all(described(description, type_))

"""A parameter's schema and a request become parts and a way to read them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linnet.calling import evidence, lower
from linnet.requests import Choice, Copy, Fixed, Hole, Number, Schema


def slot(schema: dict[str, Any], text: str = "some text") -> lower.Slot:
    return lower.slot("p", schema, text, evidence.numbers(text))


def value_of(schema: dict[str, Any], text: str = "some text") -> Any:
    """Of a slot that leaves the model no choice: as it is read, and as it is written."""
    made = slot(schema, text)
    assert not made.free
    written = json.loads("".join(part.text for part in made.parts if isinstance(part, Fixed)))
    assert made.read({}) == written
    return written


TEXTS, NUMBERS = {"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {"type": "number"}}


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        ({"const": "fixed"}, "x", "fixed"),
        ({"const": None}, "x", None),
        ({"enum": ["only"]}, "x", "only"),
        ({"enum": ["red", "blue"]}, "make it Blue", "blue"),
        ({"type": "integer", "enum": [1, 2, 3]}, "size 2", 2),
        ({"enum": [True, "auto"]}, "an auto 1", "auto"),
        ({"type": "string"}, "?!", None),
        ({"type": "integer"}, "wait 2.5 s", 2.5),
        (NUMBERS, "the mean of 1, 2.5 and 3", [1, 2.5, 3]),
        (NUMBERS, "the mean of 4", [4]),
        (NUMBERS, "nothing", []),
        (TEXTS, 'add "a b" and "c"', ["a b", "c"]),
        (TEXTS, "eggs and milk", ["eggs", "milk"]),
        (TEXTS, "the eggs, some milk", ["eggs", "milk"]),
        ({"type": "array", "items": {"enum": ["red", "blue"]}}, "blue and red", ["blue", "red"]),
        ({"type": "array", "items": True}, "eggs and milk", ["eggs", "milk"]),
    ],
)
def test_what_is_certain(schema: dict[str, Any], text: str, expected: Any) -> None:
    assert value_of(schema, text) == expected


@pytest.mark.parametrize(
    ("schema", "text", "constraint"),
    [
        ({"type": "string"}, "some text", Copy("some text")),
        ({"type": "string", "enum": []}, "some text", Copy("some text")),
        ({}, "some text", Copy("some text")),
        ({"type": ["integer", "string"]}, "some text", Copy("some text")),
        ({"type": "boolean"}, "x", Choice(("true", "false"))),
        ({"type": "number"}, "1 or 2.5", Number((1, 2.5))),
        ({"type": "integer"}, "1 or 2.5", Number((1, 2.5), integer=True)),
        ({"type": "integer"}, "none", Number((), integer=True)),
        ({"enum": ["a", 1, None, 'q"']}, "x", Choice(('"a"', "1", "null", r'"q\""'))),
        ({"type": "integer", "enum": [1, 2]}, "1 and 2", Choice(("1", "2"))),
    ],
)
def test_what_is_open(schema: dict[str, Any], text: str, constraint: Any) -> None:
    assert [part.constraint for part in slot(schema, text).parts if isinstance(part, Hole)] == [constraint]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "array", "items": {"type": "object"}},
        {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        {"type": "array", "items": {"type": "boolean"}},
        {"type": "array", "prefixItems": [{"type": "number"}, {"type": "string"}], "items": False},
        {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
        {"type": "null"},
    ],
)
def test_what_has_no_better_form_is_left_to_its_schema(schema: dict[str, Any]) -> None:
    assert slot(schema).parts == (Hole("p", Schema(schema)),)
    assert slot(schema).read({"p": '{"a": 1}'}) == {"a": 1}


def test_the_first_of_a_list_may_begin_later() -> None:
    made = slot(TEXTS, "we add eggs, milk")
    hole = made.parts[1]
    assert isinstance(hole, Hole) and hole.constraint == Choice(('"add eggs"', '"eggs"'))
    assert made.gaps == {"p.0"} and made.read({"p.0": '"eggs"'}) == ["eggs", "milk"]


def test_an_option_is_read_as_it_was_given() -> None:
    assert slot({"enum": [1.5, "ü"]}).read({"p": '"ü"'}) == "ü"
    assert slot({"enum": [1.5, "ü"]}).read({"p": "1.5"}) == 1.5


def test_a_copy_is_read_raw() -> None:
    assert slot({"type": "string"}).read({"p": r'a "\ b'}) == r'a "\ b'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1, 2 and 3", [[1, 2, 3]]),
        ("1 and 2, of 5 6; 7", [[1, 2], [5, 6, 7]]),
        ("10%, 20%", [[10, 20]]),
        ("1 dog, 2", []),
        ("", []),
    ],
)
def test_runs_of_numbers(text: str, expected: list[list[float]]) -> None:
    assert [[q.value for q in run] for run in lower.number_runs(text)] == expected


@pytest.mark.timeout(20)
def test_a_long_gap_takes_no_long_time() -> None:
    assert lower.number_runs(f"1{' ' * 100_000}x 2") == []


def test_whole_numbers_have_no_point() -> None:
    assert repr(lower.whole(5.0)) == "5" and repr(lower.whole(5.5)) == "5.5" and repr(lower.whole(-0.0)) == "0"


@pytest.mark.parametrize(
    ("text", "bare"), [("the eggs", "eggs"), ("An egg", "egg"), ("the", "the"), ("theory", "theory"), ("a ", "a ")]
)
def test_without_article(text: str, bare: str) -> None:
    assert lower.without_article(text) == bare

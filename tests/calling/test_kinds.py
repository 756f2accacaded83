"""What a parameter is about."""

from __future__ import annotations

from typing import Any

import pytest

from linnet.calling import kinds


@pytest.mark.parametrize(
    ("schema", "number", "text"),
    [
        ({"type": "number"}, True, False),
        ({"type": "integer", "enum": []}, True, False),
        ({"type": "integer", "enum": [1, 2]}, False, False),
        ({"type": "string"}, False, True),
        ({"type": "string", "enum": ["a"]}, False, False),
        ({"type": "string", "const": "a"}, False, False),
        ({"type": "number", "const": 1}, False, False),
        ({"type": ["integer", "string"]}, False, False),
        ({"type": "boolean"}, False, False),
        ({}, False, False),
    ],
)
def test_numbers_and_texts(schema: dict[str, Any], number: bool, text: bool) -> None:
    assert (kinds.is_number(schema), kinds.is_text(schema)) == (number, text)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "array", "items": {"type": "number"}}, True),
        ({"type": "array", "items": {"type": "integer"}}, True),
        ({"type": "array", "items": {"type": "string"}}, False),
        ({"type": "array", "items": True}, False),
        ({"type": "array", "items": False}, False),
        ({"type": "array"}, False),
        ({"type": "number"}, False),
    ],
)
def test_lists_of_numbers(schema: dict[str, Any], expected: bool) -> None:
    assert kinds.is_number_list(schema) is expected


def test_options_are_words() -> None:
    assert kinds.options({"enum": ["a", 1, True, None, "b"]}) == ["a", "b"]
    assert kinds.options({}) == kinds.options({"enum": []}) == kinds.options({"enum": [1, 2]}) == []


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, True),
        ({"type": "string"}, True),
        ({"type": ["integer", "string"]}, True),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, True),
        ({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, False),
        ({"type": "object"}, False),
        ({"type": "null"}, False),
    ],
)
def test_where_a_text_will_do(schema: dict[str, Any], expected: bool) -> None:
    assert kinds.takes_text(schema) is expected


@pytest.mark.parametrize(
    ("name", "time", "file", "clause"),
    [
        ("when", True, False, False),
        ("startTime", True, False, False),
        ("due_date", True, False, False),
        ("file_path", False, True, False),
        ("folders", False, True, False),
        ("message", False, False, True),
        ("task", False, False, True),
        ("city", False, False, False),
        ("", False, False, False),
    ],
)
def test_names(name: str, time: bool, file: bool, clause: bool) -> None:
    text = {"type": "string"}
    assert (kinds.is_time(name, text), kinds.is_file(name, text), kinds.is_clause(name)) == (time, file, clause)
    assert not kinds.is_time(name, {"type": "number"}) and not kinds.is_file(name, {"type": "array"})

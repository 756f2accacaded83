"""Arguments are brought into the types that the schema names, and each change is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet import Tool
from linnet.calling.repair import repair


def tool(schema: dict[str, Any]) -> Tool:
    return Tool.from_schema("f", "does", {"properties": {"p": schema}})


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "integer"}, "5", 5),
        ({"type": "integer"}, 5.0, 5),
        ({"type": "integer"}, 5.5, 5.5),
        ({"type": "integer"}, "five", "five"),
        ({"type": "integer"}, True, True),
        ({"type": "number"}, " 2.5 ", 2.5),
        ({"type": "boolean"}, "True", True),
        ({"type": "string"}, 5, "5"),
        ({"type": "string"}, True, True),
        ({"type": "string"}, None, None),
        ({"enum": ["miles", "feet"]}, "Mile", "miles"),
        ({"enum": ["miles", "mile"]}, "MILES", "MILES"),
        ({"enum": [1, 2]}, 1, 1),
        ({"enum": ["a"]}, "b", "b"),
        ({"enum": ["a"]}, ["b"], ["b"]),
        ({"type": "string", "enum": []}, "b", "b"),
        ({"type": "array", "items": {"type": "integer"}}, ["1", 2.0], [1, 2]),
        ({"type": "array", "items": {"type": "string"}}, "one", ["one"]),
        ({"type": "array", "items": True}, ["x", 1], ["x", 1]),
        ({"type": "array"}, 1, [1]),
        ({}, "x", "x"),
    ],
)
def test_repairs(schema: dict[str, Any], value: Any, expected: Any) -> None:
    arguments, told = repair(tool(schema), {"p": value})
    assert arguments == {"p": expected} and type(arguments["p"]) is type(expected)
    assert bool(told) == (value != expected or type(value) is not type(expected))


def test_a_change_is_told_in_words() -> None:
    assert repair(tool({"type": "integer"}), {"p": "5", "q": 1}) == ({"p": 5, "q": 1}, ("p: '5' became 5",))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
SCHEMAS = [
    *({"type": kind} for kind in ("integer", "number", "string", "boolean", "array", "object")),
    {"enum": ["a", 1]},
]


@given(JSON, st.sampled_from(SCHEMAS))
def test_a_second_repair_changes_nothing(value: Any, schema: dict[str, Any]) -> None:
    once, _ = repair(tool(schema), {"p": value})
    assert repair(tool(schema), once) == (once, ())

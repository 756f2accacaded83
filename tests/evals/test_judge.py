"""The rules by which a call is right, and the interval around a share."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.evals.judge import fits, judge, judge_one, plain


def call(name: str, /, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


BOOK = call("book", table=[4], name=["Ann", "ann smith"], note=["", "window"])


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (call("book", table=4, name="Ann"), ""),
        (call("book", table=4, name="Ann Smith", note="window"), ""),
        (call("cancel", table=4, name="Ann"), "cancel called, book expected"),
        (call("book", table=5, name="Ann"), "table = 5, expected one of [4]"),
        (call("book", table="4", name="Ann"), "table = '4', expected one of [4]"),
        (call("book", name="Ann"), "argument table is missing"),
        (call("book", table=4, name="Ann", hour=8), "argument hour was not expected"),
    ],
)
def test_one_call(made: dict[str, Any], fault: str) -> None:
    assert judge_one(made, BOOK) == fault


def test_calls_in_any_order() -> None:
    two = [call("add", a=[1]), call("add", a=[2])]
    assert judge([call("add", a=2), call("add", a=1)], two) == ""
    assert judge([call("add", a=2), call("add", a=2)], two) == "a = 2, expected one of [1]"


def test_as_many_calls_as_expected() -> None:
    assert judge([], []) == ""
    assert judge([call("add", a=1)], []) == "1 calls, 0 expected"
    assert judge([], [call("add", a=[1])]) == "0 calls, 1 expected"


INTEGER, FLOAT, TEXT, BOOLEAN, ANY, OBJECT = ({"type": t} for t in "integer float string boolean any dict".split())
INTEGERS, FLOATS, TEXTS, OBJECTS = ({"type": "array", "items": of} for of in (INTEGER, FLOAT, TEXT, OBJECT))


@pytest.mark.parametrize(
    ("value", "schema", "allowed", "right"),
    [
        # integers
        (5, INTEGER, [5], True),
        ("5", INTEGER, [5], False),
        (5.0, INTEGER, [5], False),
        (True, INTEGER, [1], False),
        (5.0, INTEGER, [5.0], True),  # the allowed values' own type stands in
        # floats
        (5, FLOAT, [5.0], True),
        (5.0, FLOAT, [5], True),
        (5, FLOAT, [5], True),
        (5, {"type": "number"}, [5.0], True),
        (5.1, FLOAT, [5], False),
        (0.1 + 0.2, FLOAT, [0.3], False),
        ("5.0", FLOAT, [5.0], False),
        (True, FLOAT, [1.0], False),
        # booleans
        (True, BOOLEAN, [True], True),
        (False, BOOLEAN, [True], False),
        (1, BOOLEAN, [True], False),
        ("true", BOOLEAN, [True], False),
        # texts
        ("New York, NY", TEXT, ["new york ny"], True),
        ("it's", TEXT, ['it"s'], True),
        ("2024-01/05", TEXT, ["2024.01.05"], True),
        ("a_b^c*d", TEXT, ["ABCD"], True),
        ("10:30", TEXT, ["1030"], False),
        ("a (b)", TEXT, ["a b"], False),
        ("cats", TEXT, ["cat"], False),
        ("york", TEXT, ["new york"], False),
        ("1", TEXT, [1], False),
        (1, TEXT, ["1"], False),
        ("", TEXT, ["x", ""], True),
        ("x", TEXT, [""], False),
        # any is a text, unless the allowed values are something else
        ("A B", ANY, ["ab"], True),
        (3, ANY, [3], True),
        (3, ANY, ["3"], False),
        # null
        (None, TEXT, ["", None], True),  # a handful of cases of the leaderboard allow it, one wants it
        (None, TEXT, ["a", None], False),
        (None, TEXT, [""], False),
        # lists
        ([1, 2], INTEGERS, [[1, 2]], True),
        ([2, 1], INTEGERS, [[1, 2]], False),
        ([1], INTEGERS, [[1, 2]], False),
        ([1, 2], INTEGERS, [[9], [1, 2]], True),
        ([1.0, 2.0], INTEGERS, [[1, 2]], False),
        (["1"], INTEGERS, [[1]], False),
        ([1.5, 2], FLOATS, [[1.5, 2.0]], False),  # no whole number for a float inside a list
        ([1.5, 2.0], FLOATS, [[1.5, 2.0]], True),
        ([1, 2], FLOATS, [[1, 2]], True),  # but the allowed values may be whole
        (["New York"], TEXTS, [["new-york"]], True),
        ("New York", TEXTS, [["New York"]], False),
        ([], TEXTS, [["a"], ""], True),
        ([], TEXTS, [["a"]], False),
        ([[1, 2], [3]], {"type": "array", "items": {"type": "array"}}, [[[1, 2], [3]]], True),
        ([["A"]], {"type": "array", "items": {"type": "array"}}, [[["a"]]], False),  # nothing standardised so deep
        ([1, 2], {"type": "tuple", "items": INTEGER}, [[1, 2]], True),
        # objects, one level
        ({"x": 1}, OBJECT, [{"x": [1, 2]}], True),
        ({"x": "New York"}, OBJECT, [{"x": ["new york"]}], True),
        ({"x": 3}, OBJECT, [{"x": [1, 2]}], False),
        ({"y": 1}, OBJECT, [{"x": [1]}], False),
        ({}, OBJECT, [{"x": [1, ""]}], True),
        ({}, OBJECT, [{"x": [1]}], False),
        ({"x": 1}, OBJECT, ["", {"x": [1]}], True),
        ({"x": [1, 2]}, OBJECT, [{"x": [[1, 2]]}], True),
        ("x", OBJECT, [{"x": [1]}], False),
        # lists of objects
        ([{"x": 1}, {"x": 2}], OBJECTS, [[{"x": [1]}, {"x": [2]}]], True),
        ([{"x": 2}, {"x": 1}], OBJECTS, [[{"x": [1]}, {"x": [2]}]], False),
        ([{"x": 1}], OBJECTS, [[{"x": [1]}, {"x": [2]}]], False),
        # a type that the checker's table does not have
        ("a", {"type": ["string", "integer"]}, ["a"], True),
        (5, {"anyOf": [TEXT, INTEGER]}, [5], True),
    ],
)
def test_a_value_by_its_schema(value: Any, schema: dict[str, Any], allowed: list[Any], right: bool) -> None:
    assert fits(value, allowed, schema) is right


@pytest.mark.parametrize(
    ("value", "allowed", "right"),
    [
        (1, [1], True),
        (1, [1.0], True),
        (1.0, [1], False),
        (True, [1], False),
        (1, [True], False),
        ("a b", ["ab"], True),
        (["A"], [["a"]], True),
        ({"x": 1}, [{"x": 1}], True),
        ("", [""], True),
        (3, [""], False),
    ],
)
def test_without_a_schema_the_allowed_values_say_the_type(value: Any, allowed: list[Any], right: bool) -> None:
    assert fits(value, allowed) is right


def test_the_schema_of_the_tool_decides() -> None:
    made, want = call("pour", litres=5.0), [call("pour", litres=[5])]
    assert judge([made], want, {"pour": {"litres": FLOAT}}) == ""
    assert judge([made], want, {"pour": {"litres": INTEGER}}) == "litres = 5.0, expected one of [5]"
    assert judge([made], want, {"pour": {}}) == "argument litres was not expected"


def test_names_to_the_letter() -> None:
    for name in ("Math.add", "math_add", "math.Add"):
        assert judge([call(name)], [call("math.add")]) == f"{name} called, math.add expected"


def test_expected_calls_take_what_fits_in_their_order() -> None:
    """As the checker does it: no search for the best matching, the first expected call has the first choice."""
    loose, tight = call("add", a=[1, 2]), call("add", a=[1])
    assert judge([call("add", a=2), call("add", a=1)], [loose, tight]) == ""
    assert judge([call("add", a=1), call("add", a=2)], [tight, loose]) == ""
    assert judge([call("add", a=1), call("add", a=2)], [loose, tight]) == "a = 2, expected one of [1]"


def test_the_fault_is_that_of_the_right_tool() -> None:
    calls, want = [call("add", a=3), call("sub", a=4)], [call("sub", a=[1]), call("add", a=[3])]
    assert judge(calls, want) == "a = 4, expected one of [1]"


@given(st.text())
def test_plain_is_settled_after_once(text: str) -> None:
    assert plain(plain(text)) == plain(text)

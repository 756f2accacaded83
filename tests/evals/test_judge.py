"""The rules by which a call is right, and the interval around a share."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.evals.judge import judge, judge_one, plain, same, wilson


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


@pytest.mark.parametrize(
    ("value", "choice", "equal"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (1.0, 1, False),
        (0.1 + 0.2, 0.3, True),
        (True, True, True),
        (True, 1, False),
        (1, True, False),
        ("New York, NY", "new york ny", True),
        ("it's", 'it"s', True),
        ("york", "new york", False),
        ("1", 1, False),
        (None, "", False),
        (["a", "b"], ["A", "B"], True),
        (["b", "a"], ["a", "b"], False),
        (["a"], ["a", "b"], False),
        ({"x": 1}, {"x": [1, 2]}, True),
        ({"x": 1}, {"x": 1}, True),
        ({"x": 3}, {"x": [1, 2]}, False),
        ({"y": 1}, {"x": [1]}, False),
        ({}, {"x": [1, ""]}, True),
        ({}, {"x": [1]}, False),
    ],
)
def test_same(value: Any, choice: Any, equal: bool) -> None:
    assert same(value, choice) is equal


@given(st.text())
def test_plain_is_settled_after_once(text: str) -> None:
    assert plain(plain(text)) == plain(text)


def test_wilson_by_the_book() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81 of 263, and 0 of 20."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share(right: int, more: int) -> None:
    low, high = wilson(right, right + more)
    assert 0 <= low <= right / (right + more) <= high <= 1
    assert wilson(more, right + more) == pytest.approx((1 - high, 1 - low))

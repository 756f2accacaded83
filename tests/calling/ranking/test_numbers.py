"""Candidates for a number."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidates import Candidate, candidates
from linnet.calling.ranking.numbers import quantities, whole


def made(text: str, type_: str = "number") -> list[Candidate]:
    return candidates(Parameter(("n",), {"type": type_}, True, 0), Reading(text))


@pytest.mark.parametrize(
    ("text", "type_", "expected"),
    [
        ("tip 8 % of 90.5", "number", [(8, "number"), (0.08, "fraction"), (90.5, "number")]),
        ("tip 8 % of 90.5", "integer", [(8, "number")]),
        ("the seventh of two", "integer", [(7, "ordinal"), (2, "number")]),
        ("on March 4", "integer", [(3, "month"), (4, "dated")]),
        ("in 40 minutes", "integer", [(40, "number")]),
        ("29 %", "number", [(29, "number"), (0.29, "fraction")]),
        ("none of it", "number", []),
        ("", "number", []),
    ],
)
def test_values(text: str, type_: str, expected: list[tuple[Any, str]]) -> None:
    assert [(c.value, c.source) for c in made(text, type_)] == expected


def test_a_number_covers_its_words_and_keeps_its_quantity() -> None:
    (found,) = made("take two and a half of it", "number")
    assert (found.value, found.first, found.last) == (2.5, 1, 4)
    assert found.quantity is not None and found.quantity.spelled


def test_numbers_that_no_float_holds_are_none() -> None:
    text = f"the {'9' * 400}th, in {'9' * 400} days, at {'9' * 400}"
    assert all(math.isfinite(q.value) for q, _ in quantities(Reading(text))) and made(text) == []


def test_numbers_behind_the_words_that_are_read_are_none() -> None:
    assert [c.value for c in made("take 3 " + "word " * 500 + "or 7")] == [3]


@given(st.lists(st.sampled_from("3rd first 5 on 4 March at 10:30 in 2 days 50 % 1.5 1.5th".split())).map(" ".join))
def test_numbers_come_in_order(text: str) -> None:
    reading = Reading(text)
    starts = [q.start for q, _ in quantities(reading)]
    assert starts == sorted(starts)
    assert all(reading.covered(q.start, q.end) != (-1, -1) for q, _ in quantities(reading))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_whole_changes_the_type_only(value: float) -> None:
    assert whole(value) == value and isinstance(whole(value), int) <= value.is_integer()

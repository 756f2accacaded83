"""Candidates for a list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidates import Candidate, candidates
from linnet.calling.ranking.enumerations import enumerations


def made(text: str, **items: Any) -> list[Candidate]:
    return candidates(Parameter(("l",), {"type": "array", "items": items}, True, 0), Reading(text))


def values(text: str, source: str, **items: Any) -> list[Any]:
    return [c.value for c in made(text, **items) if c.source == source]


def test_runs_of_numbers() -> None:
    text = "mean of 1, 2 and 3, then 50 or 4"
    assert values(text, "run", type="number") == [[1, 2, 3], [50, 4]]
    assert values(text, "numbers", type="number") == [[1, 2, 3, 50, 4]]
    assert values("only 5 here", "one", type="integer") == [[5]]
    assert values("1.5, 2 and 3", "run", type="integer") == [[2, 3]]


def test_the_elements_have_the_type_that_the_schema_names() -> None:
    (integers,), (floats,) = (values("1 and 2", "run", type=kind) for kind in ("integer", "number"))
    assert [type(v) for v in integers] == [int, int] and [type(v) for v in floats] == [float, float]


def test_per_cents_are_fractions_too() -> None:
    assert values("10% and 20%", "fractions", type="number") == [[0.1, 0.2]]
    assert values("10% and 20", "fractions", type="number") == []
    assert values("10% and 20%", "fractions", type="integer") == []


def test_a_run_may_be_longer_than_what_is_read() -> None:
    numbers = list(range(500))
    (run,) = (c for c in made("sum " + ", ".join(map(str, numbers)), type="integer") if c.source == "run")
    assert run.value == numbers and (run.first, run.last) == (1, 399)


def test_options_in_the_order_of_the_request() -> None:
    assert values("green, then red and green", "named", enum=["red", "green", "blue"]) == [["green", "red"]]
    assert made("purple", enum=["red", "green"]) == []


def test_quotations_side_by_side() -> None:
    text = 'compare "A b", "C" and "D"; not "E"'
    assert values(text, "quotations", type="string") == [["A b", "C", "D"], ["A b", "C", "D", "E"]]
    assert values(text, "quotation", type="string") == [["E"]]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("buy eggs, brown bread and milk today", ["eggs", "brown bread", "milk"]),
        ("Paris or Rome", ["Paris", "Rome"]),
        ("add Anna, Bob, plus Carl to it", ["Anna", "Bob", "Carl"]),
        ("with the cheese, the ham, and the olives.", ["cheese", "ham", "olives"]),
        ("東京, 京都 and 大阪", ["東京", "京都", "大阪"]),
        ("Get ham and eggs, please.", ["ham", "eggs"]),
        ("Onions and garlic, grocery list!", ["Onions", "garlic"]),
        ("I'm in town now, so write down rice, peas and salt", ["rice", "peas", "salt"]),
    ],
)
def test_enumerations(text: str, wanted: list[str]) -> None:
    assert wanted in values(text, "chain", type="string")


def test_an_enumeration_keeps_to_its_sentence() -> None:
    found = values("Get eggs, milk. Bread and jam later", "chain", type="string")
    assert ["eggs", "milk"] in found and ["Bread", "jam"] in found
    assert all(len(value) == 2 for value in found)


def test_single_runs_of_words_are_lists_of_one() -> None:
    assert ["New York"] in values("only New York", "single", type="string")


def test_literals() -> None:
    assert values('use ["a", [1]] or [oops or []', "literal", type="string") == [["a", [1]], []]
    assert values("use [1, NaN] or [Infinity]", "literal", type="number") == []
    assert values("use [[1, 2], [3]]", "literal", type="array") == [[[1, 2], [3]]]
    assert values("use [[[1, 2]", "literal", type="array") == [[1, 2]]


def test_literals_are_nested_in_bounds() -> None:
    assert len(values("[" * 32 + "1" + "]" * 32, "literal", type="array")) == 0
    assert len(values("[" * 31 + "1" + "]" * 31, "literal", type="array")) == 1
    assert values("[" * 10_000 + "1" + "]" * 10_000, "literal", type="array") == []


def test_a_list_of_anything_takes_text() -> None:
    assert made("Paris or Rome") == made("Paris or Rome", type="string")
    assert candidates(Parameter(("l",), {"type": "array"}, True, 0), Reading("Paris or Rome")) == made(
        "Paris or Rome"
    )


PIECES = st.lists(st.sampled_from("a, and or the Anna , ; . B-c's \n plus it, \" eggs".split(" "))).map(" ".join)


@given(PIECES)
def test_items_of_enumerations_stand_in_the_text(text: str) -> None:
    for candidate in enumerations(Reading(text)):
        assert len(candidate.value) > 1 and candidate.covers and candidate.first <= candidate.last
        assert all(item and item in text for item in candidate.value)

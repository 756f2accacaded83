"""Candidates for a text."""

from __future__ import annotations

from typing import Any

import pytest

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidates import candidates
from linnet.calling.ranking.spans import spans


def made(text: str, source: str, name: str = "x", **schema: Any) -> list[Any]:
    parameter = Parameter((name,), {"type": "string", **schema}, True, 0)
    return [c.value for c in candidates(parameter, Reading(text)) if c.source == source]


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("the weather in New York today", ["New York", "weather in New York"], ["in New York", "the weather in"]),
        ("Is The Hobbit out?", ["The Hobbit", "The Hobbit out"], ["Is"]),
        ("from St. Louis, Missouri.", ["St. Louis", "St. Louis, Missouri", "Louis"], []),
        ("Leave. Then rest", ["Leave", "rest"], ["Leave. Then rest"]),
        ("Ann's mother", ["Ann's mother", "Ann", "mother"], ["s mother", "Ann's"]),
        ("salt & pepper", ["salt & pepper", "salt", "pepper"], []),
        ("put the bins out", ["bins out"], []),
        ("明日の朝 and Москва", ["明日の朝", "Москва"], []),
    ],
)
def test_spans(text: str, wanted: list[str], unwanted: list[str]) -> None:
    found = made(text, "span")
    assert set(wanted) <= set(found) and not set(unwanted) & set(found)


def test_towns_are_completed_where_their_parameter_wants_it() -> None:
    text = "from Austin to new york and Terlingua"
    assert made(text, "completed", description="The city and state") == ["Austin, TX", "New York, NY", "York, UK"], (
        "the longer first"
    )
    assert made(text, "completed", description="The city") == []


def test_a_phrase_of_time_is_whole_where_time_is_wanted() -> None:
    text = "In an hour wake Prof. Adams, and again this evening"
    found = made(text, "span", "time", description="When to do it.")
    assert {"In an hour", "this evening", "Prof. Adams"} <= set(found)
    assert not {"In an hour", "this evening"} & set(made(text, "span", "person", description="Who it is."))


def test_a_clause_may_end_before_a_phrase_of_time() -> None:
    found = made(
        "Remind me to look at the plan again on Thursday evening", "clause", "text", description="What to do."
    )
    assert "look at the plan again" in found and "look at the plan again on" not in found


def test_spans_have_a_longest() -> None:
    places = spans(Reading(" ".join(f"w{i}" for i in range(40))))
    assert max(last - first for first, last in places) == 11


def test_a_quotation_comes_first_and_without_its_marks() -> None:
    parameter = Parameter(("title",), {"type": "string"}, True, 0)
    best = candidates(parameter, Reading('play " Hey Jude " now'))[0]
    assert (best.value, best.source, best.first, best.last) == ("Hey Jude", "quoted", 1, 2)
    assert made('play "?!" now', "quoted") == []


def test_clauses_reach_to_the_end_of_the_sentence_or_of_the_text() -> None:
    text = "Tell Anna that I will be late. She waits for me!"
    found = made(text, "clause", "message")
    assert {"Tell Anna that I will be late", "She waits for me", "Anna that I will be late. She waits for me"} <= set(
        found
    )
    assert made(text, "clause", "city") == []


def test_dates_in_the_form_that_is_asked_for() -> None:
    assert made("book it for 3 April 2026", "dated", "date") == ["2026-04-03"]
    assert made("book it for 3 April 2026", "dated", "day", description="MM/DD/YYYY") == ["04/03/2026"]
    assert made("book it for 3 April 2026", "dated", "city") == []


def test_codes_of_what_is_called_by_name() -> None:
    assert made("is it in euros or Swiss francs", "coded", "currency_code") == ["EUR", "CHF"]
    assert made("to France", "coded", "country", description="ISO code such as 'DEU'") == ["FRA"]
    assert made("to France", "coded", "city") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("solve 3x^2 + 5 = 0 now", ["3x^2 + 5 = 0"]),
        ("what is (2+3) * 4?", ["(2+3) * 4"]),
        ("either and/or both, well-known", []),
        ("a + b", []),
        ("the 2-hour talk", []),
    ],
)
def test_formulas(text: str, expected: list[str]) -> None:
    assert made(text, "formula") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("open https://a.b/c?d=1.", ["https://a.b/c?d=1"]),
        ("mail anna@b.org, please", ["anna@b.org"]),
        ("list ~/music/ and C:\\x and ./y", ["~/music/", "C:\\x", "./y"]),
        ("and/or, 3/4, n/a", []),
        ("what is /? or (/) or //", []),
    ],
)
def test_addresses(text: str, expected: list[str]) -> None:
    assert made(text, "address") == expected


def test_the_first_half_of_a_word_with_a_hyphen() -> None:
    assert made("a vegan-friendly place, 2-hour talk", "part") == ["vegan"]


def test_examples_that_the_request_alludes_to() -> None:
    told = "e.g. 'San Francisco, CA' or 'Rome'"
    assert made("a hotel in San Francisco", "example", description=told) == ["San Francisco, CA"]
    assert made("anything", "example", description=told) == []


def test_clauses_of_a_long_request_are_bounded() -> None:
    short, long = (f"tell Anna: {'so it is and ' * times}" for times in (100, 1_000))
    assert max(map(len, made(short, "clause", "message"))) > 1_000
    assert max(map(len, made(long, "clause", "message")), default=0) <= 4_000

"""Words by their stems, and options that a text names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence.naming import overlap, places_named, words
from linnet.calling.evidence.stems import stem

UNITS = ("meters", "kilometers", "feet", "celsius", "weekly", "miles", "nautical miles")


def named(text: str, options: tuple[str, ...] = UNITS) -> list[str]:
    return [option for _, _, option in places_named(text, options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the prices of getWeather in new_york", ["pric", "weath", "new", "york"]),
        ("", []),
        ("what is the", []),
        ("Übergröße für München", ["übergröß", "für", "münchen"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize("same", [("price", "prices", "pricing"), ("city", "cities"), ("convert", "converted")])
def test_forms_of_a_word_meet(same: tuple[str, ...]) -> None:
    assert len(set(map(stem, same))) == 1


def test_a_short_word_stays() -> None:
    assert [stem(word) for word in ("is", "ed", "", "s", "bed", "Anna's")] == ["is", "ed", "", "s", "bed", "Anna"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 miles in kilometers", ["miles", "kilometers"]),
        ("kilometres, then a MILE", ["kilometers", "miles"]),
        ("three nautical miles", ["nautical miles"]),
        ("nautical miles and miles", ["nautical miles", "miles"]),
        ("12m to ft", ["meters", "feet"]),
        ("I'm here", []),
        ("every monday", ["weekly"]),
        ("feet and feet", ["feet", "feet"]),
        ("", []),
    ],
)
def test_named_options(text: str, expected: list[str]) -> None:
    assert named(text) == expected


def test_options_without_words_are_never_named() -> None:
    assert named("2 + 2 - 1 _", ("", "+", "-", "_")) == []


def test_snake_case_is_words() -> None:
    assert named("by credit card, please", ("credit_card", "cash")) == ["credit_card"]


def test_places_are_those_of_the_words() -> None:
    text = "from 3 miles to feet"
    found = [(text[start:end], option) for start, end, option in places_named(text, UNITS)]
    assert found == [("miles", "miles"), ("feet", "feet")]


def test_the_share_of_words() -> None:
    assert overlap(["a", "b"], ["b", "c"]) == 0.5
    assert overlap([], ["b"]) == 0


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["a ", "miles ", "nautical ", "'", "aB", "every day "])
def test_many_options_in_a_long_text_take_no_long_time(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    words(text)
    places_named(text, [*UNITS, *(f"option {i}" for i in range(500))])


@given(st.text(), st.lists(st.text(max_size=8)))
def test_nothing_fails_and_places_are_in_order(text: str, options: list[str]) -> None:
    found = places_named(text, [*options, *UNITS])
    assert found == sorted(found, key=lambda place: place[:2]) and all(0 <= a < b <= len(text) for a, b, _ in found)
    assert all(word == word.strip() for word in words(text))

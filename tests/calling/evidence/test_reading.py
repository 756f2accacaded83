"""A request read once: its words, their places, and where sentences begin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence.quotations import Quotation
from linnet.calling.evidence.reading import Reading
from linnet.calling.evidence.stems import stem


def texts(reading: Reading) -> list[str]:
    return [word.text for word in reading.words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("?! ... ,;", []),
        ("St. John's in vegan-friendly C++ and C#", ["St", "John", "s", "in", "vegan-friendly", "C++", "and", "C#"]),
        ("don't mail anna@b.org at 3.5", ["don't", "mail", "anna@b.org", "at", "3.5"]),
        ("東京へ行く", ["東京へ行く"]),
        ("a_b c:d e & f", ["a_b", "c:d", "e", "f"]),
        ("\ud800 x", ["x"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert texts(Reading(text)) == expected


def test_a_word_knows_its_form() -> None:
    cities, the = Reading("Cities the").words
    assert (cities.lower, cities.stem, cities.common, cities.capital) == ("cities", "cit", False, True)
    assert the.common and not the.capital and the.gap == " "


def test_parts_that_hyphens_join_are_stems_too() -> None:
    reading = Reading("a non-refundable fare-")
    assert {stem("non"), stem("refundable")} < reading.words[1].stems
    assert reading.words[1].stem in reading.words[1].stems <= reading.stems
    assert reading.words[0].stems == {"a"}


def test_a_possessive_s_says_nothing() -> None:
    ann, s, mother = Reading("Ann's mother").words
    assert s.common and not ann.common and not mother.common


def test_sentences_begin_behind_marks_but_not_behind_commas() -> None:
    reading = Reading("Go home. Then rest! And, e.g., eat\nnow")
    starts = [reading.words[i].text for i in sorted(reading.sentence_starts)]
    assert starts == ["Go", "Then", "And", "now"]


def test_a_request_of_any_length_is_read_up_to_a_bound() -> None:
    reading = Reading("word " * 10_000 + "7 eggs")
    assert len(reading.words) == 400
    assert [quantity.value for quantity in reading.quantities] == [7]
    assert reading.covered(len(reading.text) - 6, len(reading.text)) == (-1, -1)


def test_places_become_words_and_words_text() -> None:
    reading = Reading('say "hello there", now')
    (quotation,) = reading.quotations
    assert quotation == Quotation(5, 16)
    assert reading.covered(quotation.start, quotation.end) == (1, 2)
    assert reading.phrase(1, 2) == "hello there"
    assert reading.covered(3, 5) == (-1, -1) and Reading("").covered(0, 0) == (-1, -1)


def test_what_stands_behind_a_word() -> None:
    reading = Reading("one, two!")
    assert reading.after(0) == ", " and reading.after(1) == "!" and Reading("").after(0) == ""


@given(st.text(alphabet="ab C.'-\n\"1,é東"), st.integers(0, 20), st.integers(1, 8))
def test_covered_words_are_those_that_share_a_character(text: str, start: int, length: int) -> None:
    reading, end = Reading(text), start + length
    met = [i for i, word in enumerate(reading.words) if word.start < end and start < word.end]
    assert reading.covered(start, end) == ((met[0], met[-1]) if met else (-1, -1))


@given(st.text())
def test_words_and_gaps_are_the_text(text: str) -> None:
    reading = Reading(text)
    rebuilt = "".join(word.gap + word.text for word in reading.words)
    assert text.startswith(rebuilt) and all(text[w.start : w.end] == w.text for w in reading.words)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ["a", "_", "a.", "-", " ", "'", "a'", "\n", "😀", "a\n"])
def test_long_texts_take_no_long_time(unit: str) -> None:
    reading = Reading((unit * 100_000)[:100_000])
    assert len(reading.words) <= 400 and len(reading.stems) <= 400
    assert len(reading.sentence_starts) <= 400 and reading.quantities == () and reading.moments == []


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("Add 3 and 4, and I want it fast.", ["Add", "I"]),
        ("One. Two, you see", ["One", "Two", "you"]),
        ("what I want, or what we need", ["what"]),
    ],
)
def test_clauses_begin_where_somebody_says_what_they_want(text: str, starts: list[str]) -> None:
    reading = Reading(text)
    assert [reading.words[i].text for i in sorted(reading.clause_starts)] == starts

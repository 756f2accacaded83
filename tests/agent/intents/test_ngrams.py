"""N-grams: what of a text is looked at, that it is of length 1, and that it can be read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.agent.intents.ngrams import readable, weighed, words


def test_words() -> None:
    assert words("Don't STOP, it's 5 o'clock!") == ["don't", "stop", "it's", "5", "o'clock"]
    assert words("...") == [] and words("naïve café") == ["naïve", "café"]


def test_all_views_are_there() -> None:
    grams = weighed("book a flight")
    assert {"wbook", "wbook a", "w^ book", "wflight $", "c fl", "cflig", "rk a ", "pa&book", "pbook&flight"} <= set(
        grams
    )
    assert "cok a" not in grams, "a piece is of one word"


def test_case_and_punctuation_do_not_count() -> None:
    assert weighed("Book a flight!") == weighed("book  a flight")


def test_a_word_said_again_counts_more_and_not_twice() -> None:
    once, again = weighed("no way"), weighed("no no way")
    assert once["wno"] < again["wno"] < 2 * once["wno"]


@pytest.mark.parametrize("text", ["", " ", "?!", "___", "\n\t"])
def test_a_text_without_words_has_none(text: str) -> None:
    assert weighed(text) == {}


@given(st.text(max_size=80))
def test_the_length_is_one(text: str) -> None:
    grams = weighed(text)
    assert not grams or math.isclose(sum(weight * weight for weight in grams.values()), 1)
    assert bool(grams) == bool(words(text))
    assert all(readable(gram) and "\n" not in gram for gram in grams)


@pytest.mark.parametrize(
    ("gram", "shown"),
    [
        ("wbook a", "book a"),
        ("c fl", "fl-"),
        ("cligh", "-ligh-"),
        ("c a ", "a"),
        ("rk a ", "-k a"),
        ("pa&book", "a ... book"),
    ],
)
def test_they_can_be_read(gram: str, shown: str) -> None:
    assert readable(gram) == shown

"""Wrapping: no line over the width, nothing lost, and the same whatever the pieces are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from linnet.interfaces.cli.chat.wrapping import Wrapping

TEXT = st.text(st.sampled_from("ab cé漢字 \n-😀"), max_size=120)


def wrapped(text: str, columns: int = 11, cuts: tuple[int, ...] = ()) -> str:
    wrapping = Wrapping(lambda: columns)
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(places)]
    return "".join(map(wrapping.feed, pieces)) + wrapping.end()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one two three four", "one two\nthree four"),
        ("one two \nthree", "one two\nthree"),
        ("a\n\nb", "a\n\nb"),
        ("  - item is long", "  - item\nis long"),
        ("abcdefghijklmnop q", "abcdefghij\nklmnop q"),
        ("漢字漢字漢字漢字", "漢字漢字漢\n字漢字"),
        ("a 漢字漢字漢字", "a 漢字漢字\n漢字"),
        ("a\tb", "a    b"),
        ("if x:\n    go()", "if x:\n    go()"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert wrapped(text) == shown


@settings(max_examples=60)
@given(TEXT, st.integers(3, 30))
def test_no_line_is_too_long_and_nothing_is_lost(text: str, columns: int) -> None:
    shown = wrapped(text, columns)
    assert all(cell_len(line) < columns for line in shown.split("\n"))
    assert "".join(shown.split()) == "".join(text.split())


@settings(max_examples=60)
@given(TEXT, st.lists(st.integers(0, 120), max_size=6))
def test_pieces_make_no_difference(text: str, cuts: list[int]) -> None:
    assert wrapped(text, cuts=tuple(min(cut, len(text)) for cut in cuts)) == wrapped(text)


def test_a_word_is_shown_as_soon_as_it_ends() -> None:
    wrapping = Wrapping(lambda: 80)
    assert [wrapping.feed("Hel"), wrapping.feed("lo wor"), wrapping.end()] == ["", "Hello", " wor"]


def test_a_resize_is_seen() -> None:
    width = 20
    wrapping = Wrapping(lambda: width)
    first = wrapping.feed("one two three ")
    width = 8
    assert first + wrapping.feed("four five ") + wrapping.end() == "one two three\nfour\nfive"

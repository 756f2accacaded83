"""What stands in quotation marks: apostrophes and open marks are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence.quotations import Quotation, quotations, quoted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('say "hello there" and “bye”', ["hello there", "bye"]),
        ("it's Anna's 'big day'", ["big day"]),
        ("read 'the king's speech' to me", ["the king's speech"]),
        ("‘a’ and ‘b c’", ["a", "b c"]),
        ("run `ls -l`", ["ls -l"]),
        ('an open " quote', []),
        ("“never closed", []),
        ('""', []),
        ('"  " and ``', []),
        ('"a \\ b"', ["a \\ b"]),
        ("““a”", ["a"]),
        ("rock 'n' roll", ["n"]),
        ("the students' books and the teachers' rooms", []),
        ("", []),
    ],
)
def test_quoted(text: str, expected: list[str]) -> None:
    assert quoted(text) == expected


def test_places_are_without_the_marks() -> None:
    assert quotations('say "hi" now') == [Quotation(5, 7)]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ['"', '"a ', "'a ", "'s ", " 's", "“", "“a", "‘a ", "`a", "`", "' '"])
def test_unbalanced_marks_take_no_long_time(unit: str) -> None:
    quotations((unit * 100_000)[:100_000])
    quotations(unit + "x" * 100_000)


@given(st.text(alphabet="\"'“”‘’`s ab\ud800"))
def test_places_are_inside_and_apart(text: str) -> None:
    edges = [edge for quotation in quotations(text) for edge in (quotation.start, quotation.end)]
    assert edges == sorted(set(edges)) and all(0 < edge < len(text) for edge in edges)

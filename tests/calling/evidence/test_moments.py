"""Phrases of time: what belongs together is one, and what is none is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence.moments import hinted, moments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("call me tomorrow at 9 am", ["tomorrow at 9 am"]),
        ("Friday 5 pm, please", ["Friday 5 pm"]),
        ("in 40 minutes", ["in 40 minutes"]),
        ("in half an hour or after two hours", ["in half an hour", "after two hours"]),
        ("on 1 March", ["1 March"]),
        ("March 3rd, 2026 at noon", ["March 3rd, 2026 at noon"]),
        ("2026-11-22 10:30", ["2026-11-22 10:30"]),
        ("at 7", ["7"]),
        ("12/05/2026.", ["12/05/2026"]),
        ("quarter past nine tonight", ["quarter past nine tonight"]),
        ("next week, and this evening", ["next week", "this evening"]),
        ("7 o'clock", ["7 o'clock"]),
        ("on Wednesday, today is Monday 5 May", ["Wednesday", "Monday 5 May"]),
        ("two days before", ["two days before"]),
        ("TOMORROW MORNING", ["TOMORROW MORNING"]),
        ("buy 5 eggs", []),
        ("at 8 %, at 8 per cent", []),
        ("at 1,800 EUR, at 41.07 or at 20 dollars", []),
        ("at 60 miles per hour, at 10 degrees", []),
        ("at 5, please", ["5"]),
        ("the mayor marched", []),
        ("", []),
        ("明日の朝", []),
    ],
)
def test_moments(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in moments(text)] == expected


PIECES = "at in 5 10:30 pm may the of 3rd tomorrow noon friday , . next week half past an hour 2026-01-02 \n".split(
    " "
)


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map(" ".join)))
def test_places_are_inside_and_in_order(text: str) -> None:
    flat = [edge for place in moments(text) for edge in place]
    assert flat == sorted(flat) and all(0 <= edge <= len(text) for edge in flat)
    assert all(text[start:end].strip() for start, end in moments(text))


@given(st.text(max_size=100))
def test_every_phrase_of_time_hints_at_one(text: str) -> None:
    for start, end in moments(f"{text} tomorrow at 9 or Friday, in a few weeks, next summer {text}"):
        assert hinted(f"{text} tomorrow at 9 or Friday, in a few weeks, next summer {text}"[start:end])


LOOSE = [
    "EOD",
    "COB",
    "close of business",
    "sundown",
    "tmrw",
    "a fortnight",
    "midnite",
    "twenty",
    "right away",
    "Valentine's",
    "Pentecost",
    "Martinmas",
    "St Patrick's",
    "the full moon",
    "Christmas Eve",
]


@pytest.mark.parametrize("value", LOOSE)
def test_what_may_say_when_hints_at_a_time(value: str) -> None:
    assert hinted(value)


@pytest.mark.parametrize(
    "value",
    [
        "mum",
        "the car",
        "countryside",
        "Anna",
        "",
        "I",
        "available",
        "nowhere",
        "timer",
        "the moon",
        "Steve",
        "Eve",
        "business",
        "Thomas",
    ],
)
def test_what_says_no_time_hints_at_none(value: str) -> None:
    assert not hinted(value)


UNITS = [
    "a",
    "1",
    " ",
    ",",
    "and ",
    "1,",
    "a.b/",
    "1:",
    "10:10",
    "may ",
    "the ",
    "at ",
    "in 5 ",
    "noon ",
    "today noon",
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", UNITS)
def test_long_texts_take_no_long_time(unit: str) -> None:
    moments((unit * 100_000)[:100_000])
    moments(f"at 5{' ' * 100_000}x")

"""Phrases of time in the forms that a parameter asks for."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence.dates import asked, forms, written
from linnet.calling.evidence.moments import moments
from linnet.calling.evidence.parameters import Parameter

MONDAY = datetime.datetime(2026, 3, 2)
ISO_DAY = "%Y-%m-%d"


def date(description: str = "", name: str = "date", **schema: Any) -> Parameter:
    return Parameter((name,), {"type": "string", "description": description, **schema}, True, 0)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("The date, YYYY-MM-DD", ISO_DAY),
        ("in MM/DD/YYYY", "%m/%d/%Y"),
        ("as DD-MM-YYYY HH:MM", "%d-%m-%Y %H:%M"),
        ("as HH:MM:SS", "%H:%M:%S"),
        ("like 2026-01-02", ISO_DAY),
        ("e.g. 14:30", "%H:%M"),
        ("such as 2026-01-02T10:00:00Z", "%Y-%m-%dT%H:%M:%SZ"),
        ("Month DD, YYYY", "%B %d, %Y"),
        ("YYYY", "%Y"),
        ("The date (month-day-year) of birth", "%m-%d-%Y"),
        ("in the format day/month/year", "%d/%m/%Y"),
    ],
)
def test_the_form_that_a_description_asks_for(description: str, expected: str) -> None:
    assert forms(date(description)) == (expected,) and asked(date(description))


def test_the_form_that_a_schema_asks_for() -> None:
    assert forms(date(format="date-time")) == ("%Y-%m-%dT%H:%M:%SZ",) and asked(date(format="date"))


def test_a_date_without_a_form_is_iso_and_a_time_is_left_as_said() -> None:
    assert forms(date()) == (ISO_DAY,) and not asked(date())
    assert forms(date(name="time")) == () and forms(date(name="city")) == ()


@pytest.mark.parametrize(
    ("phrase", "form", "expected"),
    [
        ("tomorrow", ISO_DAY, "2026-03-03"),
        ("Friday", ISO_DAY, "2026-03-06"),
        ("April 3rd", ISO_DAY, "2026-04-03"),
        ("3/4/2026", "%m/%d/%Y", "03/04/2026"),
        ("3/4/2026", "%d/%m/%Y", "03/04/2026"),
        ("3 April 2026", "%B %d, %Y", "April 03, 2026"),
        ("5 pm", "%H:%M", "17:00"),
        ("noon", "%H:%M", "12:00"),
        ("Monday", "%H:%M", None),
        ("5 pm", ISO_DAY, None),
        ("gibberish", ISO_DAY, None),
        ("", ISO_DAY, None),
        ("monday " * 40, ISO_DAY, None),
    ],
)
def test_written(phrase: str, form: str, expected: str | None) -> None:
    assert written(phrase, form, phrase, MONDAY) == expected


def test_the_rest_of_the_request_tells_the_year_and_today() -> None:
    assert written("April 3", ISO_DAY, "April 3 and May 4 in 2031", MONDAY) == "2031-04-03"
    assert written("April 3", ISO_DAY, "from 2030 to 2031, April 3", MONDAY) == "2026-04-03"
    assert written("tomorrow", ISO_DAY, "Today is 2020-01-01. Book it for tomorrow") == "2020-01-02"


@pytest.mark.timeout(20)
def test_a_long_request_takes_no_long_time() -> None:
    assert written("tomorrow", ISO_DAY, "today is " * 10_000) is not None
    assert written("tomorrow and " * 10_000, ISO_DAY, "") is None


PIECES = "at in 5 0 99 10:30 25:99 pm may of 31st 0th tomorrow noon friday , half past an hour 0000-00-00 31/31/9999 \
february 30 ٣ ² 99999999999 years from now ago 12/31/9999 9999 tonight o'clock".split()


@given(st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join))
def test_no_phrase_fails(text: str) -> None:
    for start, end in moments(text):
        for form in (ISO_DAY, "%H:%M", "%B %d, %Y"):
            assert written(text[start:end], form, text, MONDAY) != ""

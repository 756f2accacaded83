"""Units that a parameter asks for, and what a number with another unit is worth in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.evidence.units import wanted, worth
from linnet.calling.ranking.numbers import numbers


def number(description: str, name: str = "x", kind: str = "number") -> Parameter:
    return Parameter((name,), {"type": kind, "description": description}, True, 0)


@pytest.mark.parametrize(
    ("description", "name", "expected"),
    [
        ("The inductance (L) in henries (H).", "x", "henry"),
        ("The distance", "distance_km", "kilometer"),
        ("Speed of the car in miles per hour", "x", "mile/hour"),
        ("Length of the wire (cm)", "x", "centimeter"),
        ("Size in MB", "x", "megabyte"),
        ("Temperature in °C.", "x", "degC"),
        ("The time limit in seconds for the query", "x", "second"),
        ("Distance in miles or kilometers", "x", ""),
        ("The least value", "x_min", ""),
        ("Price in us dollars", "x", ""),
        ("How many there are", "in", ""),
        ("Day of the month on which to pay", "x", ""),
        ("The second number to add", "x", ""),
        ("Payments in a year", "x", ""),
        ("Orders of the last 30 days", "x", ""),
        ("Number of calories in the meal", "x", ""),
    ],
)
def test_what_is_asked_for(description: str, name: str, expected: str) -> None:
    assert wanted(number(description, name)) == expected


@pytest.mark.parametrize("text", ["(", "( ", "in ", "second ", "("])
def test_long_descriptions_take_no_long_time(text: str) -> None:
    assert wanted(number((text * 500_000)[:500_000])) == ""


def test_a_text_is_asked_for_in_no_unit() -> None:
    assert wanted(number("The distance in km, with its unit", kind="string")) == ""


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        ("50mH", "henry", 0.05),
        ("50 µF", "farad", 5e-05),
        ("50 uF", "farad", 5e-05),
        ("50 C", "kelvin", 323.15),
        ("50°F", "degC", 10.0),
        ("50 miles per hour", "kilometer/hour", 80.4672),
        ("50-mile", "kilometer", 80.4672),
        ("50 hours", "minute", 3000.0),
        ("50 kilos", "kilogram", None),
        ("50 km", "kilometer", None),
        ("50 in the end", "meter", None),
        ("50 apples", "kilogram", None),
        ("50 kg", "meter", None),
        ("50", "meter", None),
        ("50 hours", "", None),
    ],
)
def test_what_it_is_worth(text: str, asked: str, expected: float | None) -> None:
    assert worth(50.0, text, 2, asked) == expected


def test_candidates_are_in_the_unit_that_is_asked_for() -> None:
    def values(request: str, description: str, kind: str = "number") -> list[object]:
        return [c.value for c in numbers(number(description, kind=kind), Reading(request))]

    assert values("heat it to 298K", "Temperature in Kelvin") == [298]
    assert values("heat it to 25 degrees, 77°F", "Temperature in Celsius") == [25, 25]
    assert values("it costs 298K", "Price") == [298_000]
    assert values("stay 36 hours", "Days to stay", "integer") == [36], "what is no whole number stays what it was"
    assert values("stay 48 hours", "Days to stay", "integer") == [2]


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_at_all(description: str, text: str) -> None:
    found = worth(1.0, text, 0, wanted(number(description)))
    assert found is None or isinstance(found, float)

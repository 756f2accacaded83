"""Whether a town is wanted with its state or country, and which there are."""

from __future__ import annotations

import pytest

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.regions import choices, wanted


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("city, e.g. 'Austin, TX'", (True, False)),
        ("e.g. 'Paris, France'", (False, True)),
        ("The city and state", (True, False)),
        ("the city, country", (False, True)),
        ("the city", (False, False)),
        ("", (False, False)),
    ],
)
def test_wanted(description: str, expected: tuple[bool, bool]) -> None:
    assert wanted(Parameter(("place",), {"type": "string", "description": description}, True, 0)) == expected


def test_only_texts_want_regions() -> None:
    options = {"enum": ["a"], "description": "The city and state"}
    assert wanted(Parameter(("place",), options, True, 0)) == (False, False)


def test_choices() -> None:
    states, countries = choices(True, False).options, choices(False, True).options
    assert len(states) == 51 and {"TX", "DC"} <= set(states) and "PR" not in states
    assert {"France", "UK", "Vietnam"} <= set(countries) and not any("," in name for name in countries)
    assert choices(True, True).options == (*states, *countries) and choices(False, False).options == ()

"""Towns by name, and what a parameter that wants a state or a country makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence import towns
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.regions import completed
from linnet.calling.evidence.towns import Town, town


def place(description: str) -> Parameter:
    return Parameter(("place",), {"type": "string", "description": description}, True, 0)


STATE, COUNTRY, PLAIN = place("The city and state"), place("the city, country"), place("the city")


@pytest.mark.parametrize(
    ("said", "state", "country"),
    [
        ("Austin", "TX", "USA"),
        ("austin", "TX", "USA"),
        ("AUSTIN", "TX", "USA"),
        ("San  Francisco", "CA", "USA"),
        ("New York", "NY", "USA"),
        ("New York City", "NY", "USA"),
        ("Paris", "", "France"),
        ("London", "", "UK"),
        ("Hanoi", "", "Vietnam"),
        ("Seoul", "", "South Korea"),
        ("Kinshasa", "", "DR Congo"),
        ("LA", "CA", "USA"),
        ("NYC", "NY", "USA"),
    ],
)
def test_where_a_town_is(said: str, state: str, country: str) -> None:
    found = town(said)
    assert found and (found.state, found.country) == (state, country) and found.people > 0


@pytest.mark.parametrize(
    "said",
    ["", " ", "la", "nyc", "XX", "new", "park", "kansas", "Terlingua", "the weather", "5", "\ud800", "東京", "?"],
)
def test_what_is_no_town(said: str) -> None:
    """Initials are such in capitals only."""
    assert town(said) is None


def test_of_one_name_the_largest_is_meant() -> None:
    """There are a Birmingham, a Cambridge and a London on either side of the ocean."""
    assert [(found := town(name)) and found.country for name in ("Birmingham", "Cambridge", "London")] == ["UK"] * 3


def test_every_country_and_state_is_written_as_one_name() -> None:
    """A comma would make two parts of it behind the town's own."""
    named, short = towns._known()
    assert len(named) > 10_000 and all("," not in t.country and len(t.state) in (0, 2) for t in named.values())
    assert all(name == name.lower() for name in named) and all(name.isupper() for name in short)
    assert all(isinstance(t, Town) and t.country and (t.state == "" or t.country == "USA") for t in named.values())


@pytest.mark.parametrize(
    ("said", "parameter", "expected"),
    [
        ("Austin", STATE, "Austin, TX"),
        ("austin", STATE, "Austin, TX"),
        ("AUSTIN", STATE, "Austin, TX"),
        ("NYC", STATE, "New York, NY"),
        ("new york", STATE, "New York, NY"),
        ("KANSAS CITY", STATE, "Kansas City, MO"),
        ("oklahoma city", STATE, "Oklahoma City, OK"),
        ("coeur d'alene", STATE, "Coeur d'Alene, ID"),
        ("San  Francisco", STATE, "San Francisco, CA"),
        ("Paris", STATE, "Paris, France"),
        ("Austin", COUNTRY, "Austin, USA"),
        ("London", COUNTRY, "London, UK"),
        ("Terlingua", STATE, None),
        ("Austin", PLAIN, None),
        ("", STATE, None),
    ],
)
def test_a_town_with_what_its_parameter_wants(said: str, parameter: Parameter, expected: str | None) -> None:
    assert completed(said, parameter) == expected


@given(st.text())
def test_any_text_is_a_town_or_none(said: str) -> None:
    found = completed(said, STATE)
    assert (found is None) == (town(said) is None) and (found is None or found.count(",") >= 1)

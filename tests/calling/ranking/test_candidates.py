"""What could be an argument, whatever its type: said, meant, offered by the schema, or left out."""

from __future__ import annotations

from typing import Any

import pytest

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidates import MOST, OMITTED, Candidate, candidates


def made(text: str, name: str = "x", required: bool = True, **schema: Any) -> list[Candidate]:
    return candidates(Parameter((name,), schema, required, 0), Reading(text))


def test_a_candidate_knows_what_it_covers() -> None:
    two, three, none = Candidate("a", "span", 1, 2), Candidate("b", "span", 2, 4), Candidate("c", "option")
    assert two.covers and not none.covers
    assert two.meets(three) and three.meets(two) and not two.meets(none) and not none.meets(none)
    assert two.inside(1, 3) and not two.inside(2, 3) and not two.inside(1, 2) and not none.inside(0, 9)


def test_an_optional_argument_may_be_left_out() -> None:
    assert made("nothing", required=False, type="number") == [Candidate(OMITTED, "omitted")]
    assert made("nothing", type="number") == [] and repr(OMITTED) == "OMITTED"


def test_a_default_is_offered_once() -> None:
    assert made("none", type="number", default=5) == [Candidate(5, "default")]
    assert [c.source for c in made("none", enum=["a", "b"], default="a")] == ["option", "option"]
    assert [c.source for c in made("take 5", type="number", default=5)] == ["number", "default"]


def test_a_constant_is_all_there_is() -> None:
    assert made("anything", const=4) == [Candidate(4, "const")]


def test_yes_and_no() -> None:
    assert [(c.value, c.source) for c in made("switch it off", type="boolean")] == [(True, "yes"), (False, "no")]


def test_values_by_their_meaning() -> None:
    told = "1 for Bangkok, 2 for Chiang Mai"
    assert made("a hotel in Chiang Mai", type="integer", description=told) == [Candidate(2, "legend", 3, 4)]
    assert made("a hotel in Mai", type="integer", description=told) == []
    cleaning = "1 for cleaning service, 2 for ironing service, 3 for big cleaning service"
    assert made("someone for cleaning", type="integer", description=cleaning) == [Candidate(1, "legend", 2, 2)]
    provinces = "'1' corresponds to Bangkok, '2' to Phuket"
    assert made("in Phuket", type="integer", description=provinces) == [Candidate(2, "legend", 1, 1)]
    for ranged in ("Volume from 0 to maximum", "from 1 to unlimited"):
        assert made("set it to maximum, unlimited", type="integer", description=ranged) == []
    large = [c for c in made("a large one", type="string", description="'L' means large, 'S' means small")]
    assert Candidate("L", "legend", 1, 1) in large


def test_a_legend_of_words_gives_no_number() -> None:
    assert made("a cheap fare", type="integer", description="'low' means cheap, 'high' means dear") == []


@pytest.mark.parametrize(
    ("text", "name", "options", "expected"),
    [
        ("12 feet, or 3m, in feet", "unit", ["meters", "feet"], {"meters": (3, 3), "feet": (1, 1)}),
        ("in French", "language", ["en", "fr"], {"fr": (1, 1)}),
        ("in French", "tongue", ["en", "fr"], {}),
        ("in France", "country", ["FRA", "DEU"], {"FRA": (1, 1)}),
        ("3 or 4?", "x", [3, 4, None], {3: (0, 0), 4: (2, 2)}),
        ("", "x", ["a", "b"], {}),
    ],
)
def test_options(text: str, name: str, options: list[Any], expected: dict[Any, tuple[int, int]]) -> None:
    found = made(text, name, enum=options)
    assert [c.value for c in found] == options
    assert {c.value: (c.first, c.last) for c in found if c.source == "named"} == expected
    assert all(not c.covers for c in found if c.source == "option")


def test_options_of_any_kind() -> None:
    found = made("a", enum=[[1], {"b": 2}, None, True, 1.5])
    assert [c.value for c in found] == [[1], {"b": 2}, None, True, 1.5]


def test_an_option_by_its_meaning() -> None:
    found = made("the large one", enum=["L", "S"], description="'L' means large, 'S' means small")
    assert [(c.value, c.source) for c in found] == [("L", "named"), ("S", "option")]


def test_objects_are_literals() -> None:
    found = made("send {'a': 1} or {\"b\": [2]} and {x}, not [3]", type="object")
    assert found == [Candidate({"a": 1}, "literal", 1, 2), Candidate({"b": [2]}, "literal", 4, 5)]


def test_there_are_never_too_many() -> None:
    assert len(made("Anna Bob " * 200, type="string")) == MOST
    assert len(made("1 x " * 1_000, type="number", required=False)) <= MOST + 1


def test_other_types_take_text() -> None:
    assert made("go home", type="null") == made("go home", type="string") != []

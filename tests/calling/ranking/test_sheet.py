"""What one tool could take from one text, with logits that the test makes up and with those that ship."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from linnet import Tool
from linnet.calling.evidence.parameters import parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import AWAY
from linnet.calling.ranking.candidates import OMITTED, Candidate
from linnet.calling.ranking.ranker import Weights, fitted
from linnet.calling.ranking.sheet import BEYOND, NEAR, WORST, Sheet

NOTHING = Weights({}, {}, {}, {}, {})
NUMBER, TEXT = {"type": "number"}, {"type": "string"}


def sheet(text: str, weights: Weights = NOTHING, required: tuple[str, ...] | None = None, **own: Any) -> Sheet:
    schema = {"properties": own, "required": list(own if required is None else required)}
    tool = Tool.from_schema("do_it", "Does it.", schema)
    return Sheet(tool, parameters(tool), Reading(text), weights)


def liked(text: str, logits: Mapping[Any, float], **own: Any) -> Sheet:
    """A sheet whose candidates have the logits of their values; the others have -99."""
    made = sheet(text, **own)
    made.logits = {p: [logits.get(c.value, -99.0) for c in found] for p, found in made.found.items()}
    return made


def values(way: Any) -> list[Any]:
    return [candidate.value for candidate, _ in way]


def test_every_parameter_has_its_candidates_in_the_schema_s_order() -> None:
    made = sheet("7 miles", n=NUMBER, unit={"enum": ["miles", "feet"]})
    assert [p.name for p in made.ways] == ["n", "unit"]
    assert [values(way) for way in made.ways.values()] == [[7], ["miles", "feet"]]


def test_without_weights_all_are_as_likely() -> None:
    (way,) = sheet("4 or 9", n=NUMBER).ways.values()
    assert values(way) == [4, 9] and all(math.exp(nats) == pytest.approx(0.5) for _, nats in way)


def test_the_best_comes_first_and_costs_nothing() -> None:
    made = liked("4 or 9", {4: 1.0, 9: 3.0}, n=NUMBER)
    (parameter,) = made.parameters
    assert values(made.ways[parameter]) == [9, 4]
    assert {c.value: cost for c, cost in made.costs[parameter]} == {4: 2.0, 9: 0.0}


def test_a_cost_is_bounded() -> None:
    made = liked("4 or 9", {9: 3.0}, n=NUMBER)
    assert {c.value: cost for c, cost in made.costs[made.parameters[0]]} == {4: WORST, 9: 0.0}


def test_what_is_not_said_costs_by_its_logit() -> None:
    own = {"type": "number", "default": 3}
    made = sheet("nothing", required=(), n=own)
    (parameter,) = made.parameters
    assert values(made.ways[parameter]) == [3, OMITTED]


def test_costs_come_best_first() -> None:
    made = liked("4, 9 and 6", {4: 1.0, 9: 3.0, 6: 2.0}, n=NUMBER)
    assert made.costs[made.parameters[0]] == sorted(made.costs[made.parameters[0]], key=lambda pair: pair[1])


def test_an_example_is_no_measure_for_what_the_request_says() -> None:
    """The description knows the one; the request asks for both."""
    own = {**TEXT, "description": "The genre, e.g. 'Drama'"}
    made = sheet("Drama and Comedy", genre=own)
    (parameter,) = made.parameters
    found = made.found[parameter]
    assert any(c.source == "example" for c in found)
    made.logits = {parameter: [9.0 if c.source == "example" else 2.0 if c.value == "Drama" else 1.0 for c in found]}
    costs = {(c.value, c.source): cost for c, cost in made.costs[parameter]}
    assert costs["Drama", "span"] == costs["Drama", "example"] == 0.0 and costs["Comedy", "span"] == 1.0


def test_mentions_are_the_likely_values_in_the_order_of_the_text() -> None:
    made = liked("4, 9, 6 and 1", {4: 1.0, 9: 3.0, 1: 3.0 - NEAR + 0.1}, n={**NUMBER, "default": 5})
    (parameter,) = made.parameters
    assert [(c.value, cost) for c, cost in made.mentions[parameter]][:2] == [(4, 2.0), (9, 0.0)]
    assert values(made.mentions[parameter]) == [4, 9, 1], "6 is unlikely, and the default stands nowhere"


# --- a part of a request -------------------------------------------------------------------------


def within(part: str, whole: str, required: tuple[str, ...] = ("city", "n"), **own: Any) -> Sheet:
    tool = Tool.from_schema("do_it", "Does it.", {"properties": own, "required": list(required)})
    return Sheet(tool, parameters(tool), Reading(part), NOTHING, Reading(whole))


def test_what_stands_around_a_part_is_a_worse_candidate() -> None:
    made = within("and 5 there", "go to Oslo and 5 there", ("n",), n=NUMBER)
    assert values(made.ways[made.parameters[0]]) == [5]
    made = within("and 5 there", "7 in Oslo and 5 there", ("n",), n=NUMBER)
    (parameter,) = made.parameters
    assert [(c.value, c.covers, cost) for c, cost in made.costs[parameter]] == [(5, True, 0.0), (7, False, BEYOND)]
    assert values(made.mentions[parameter]) == [5]


def test_only_required_arguments_are_looked_for_around() -> None:
    made = within("and there", "7 in Oslo and there", (), n=NUMBER)
    assert values(made.ways[made.parameters[0]]) == [OMITTED]


def test_the_whole_itself_has_nothing_around() -> None:
    made = within(" 7 in Oslo", "7 in Oslo ", ("n",), n=NUMBER)
    assert values(made.ways[made.parameters[0]]) == [7]


def test_what_is_away_meets_nothing_of_the_part() -> None:
    here, there = Candidate(1, "number", 0, 3), Candidate(2, "number", 0, 3).away()
    assert not here.meets(there) and not there.meets(here) and there.meets(there)
    assert not there.covers and there.first == AWAY and not there.inside(0, 10 * AWAY)


def test_a_parameter_without_any_candidate_has_no_way() -> None:
    made = sheet("?!", n=NUMBER, who=TEXT)
    assert [list(way) for way in made.ways.values()] == [[], []]
    assert [list(costs) for costs in made.costs.values()] == [[], []]


def test_a_tool_without_parameters_is_an_empty_sheet() -> None:
    made = sheet("5 miles")
    assert made.parameters == () and made.ways == {} and made.costs == {}


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("set the volume to 40", {"volume": NUMBER}, 40),
        ("Turn the heating off", {"mode": {"enum": ["off", "auto"]}}, "off"),
        ("What's the weather in Paris?", {"city": {**TEXT, "description": "The name of the city."}}, "Paris"),
        ('Say "good night" to Tom', {"message": {**TEXT, "description": "The message to say."}}, "good night"),
    ],
)
def test_the_weights_that_ship_find_what_is_plain(text: str, schema: dict[str, Any], value: Any) -> None:
    (way,) = sheet(text, fitted(), **schema).ways.values()
    best, nats = way[0]
    assert isinstance(best, Candidate) and best.value == value and nats <= 0

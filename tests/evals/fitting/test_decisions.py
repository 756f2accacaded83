"""What the fits learn from a case: hand-made cases of every kind."""

from __future__ import annotations

from typing import Any

import pytest

from linnet import Tool
from linnet.calling.evidence.parameters import parameters
from linnet.calling.ranking.candidates import OMITTED, Candidate
from linnet.calling.ranking.ranker import Weights, fitted
from linnet.evals.fitting import decisions
from linnet.evals.fitting.logit import Decision
from linnet.evals.harness import Case

WEATHER = Tool.from_schema(
    "weather.get",
    "Get the weather of a city.",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
)
AREA = Tool.from_schema(
    "triangle_area",
    "Calculate the area of a triangle.",
    {"type": "object", "properties": {"base": {"type": "integer"}}, "required": ["base"]},
)
ORDER = Tool.from_schema(
    "order",
    "Order food.",
    {
        "type": "object",
        "properties": {
            "to": {
                "type": "object",
                "properties": {"street": {"type": "string"}, "floor": {"type": "integer"}},
                "required": ["street"],
            }
        },
        "required": ["to"],
    },
)


def case(request: str, *calls: tuple[str, dict[str, list[Any]]], tools: tuple[Tool, ...] = (WEATHER,)) -> Case:
    expected = tuple({"name": name, "arguments": arguments} for name, arguments in calls)
    return Case("a_0", "a", request, tools, "calls", expected)


def paris(city: str = "Paris", days: Any = "") -> tuple[str, dict[str, list[Any]]]:
    return "weather.get", {"city": [city], "days": [days]}


def learned(*cases: Case) -> list[Decision]:
    return list(decisions.arguments(enumerate(cases, 5)))


def right_values(cases: Case, path: tuple[str, ...]) -> list[Any]:
    """The values of the right candidates, found by the same functions as the decisions are."""
    (tool, expected, others), *_ = decisions.calls(cases)
    (parameter,) = [p for p in parameters(tool) if p.path == path]
    found = decisions.candidates(parameter, decisions.Reading(cases.request))
    kept, right = decisions.considered(parameter, found, expected, others)
    return [c.value for c, yes in zip(kept, right, strict=True) if yes]


def test_every_parameter_is_a_decision() -> None:
    city, days = learned(case("What is the weather in Paris?", paris()))
    assert (city.case, days.case, city.times) == (5, 5, 1.0)
    assert len(city.options) == len(city.right) > 1 and any(city.right) and not all(city.right)
    assert sum(days.right) == 1
    assert all(option and all(isinstance(v, float) for v in option.values()) for option in city.options)


def test_which_candidates_are_right() -> None:
    asked = case("Weather in New York for 3 days", paris("New York", 3))
    assert set(right_values(asked, ("city",))) == {"New York"}
    assert set(right_values(asked, ("days",))) == {3}
    assert right_values(case("Weather in Paris for 3 days", paris()), ("days",)) == [OMITTED]


def test_a_parameter_inside_an_object_is_matched_inside_the_expected_object() -> None:
    asked = case("Order to Elm Road", ("order", {"to": [{"street": ["Elm Road", "Elm Rd"]}]}), tools=(ORDER,))
    assert set(right_values(asked, ("to", "street"))) == {"Elm Road"}
    assert right_values(asked, ("to", "floor")) == [OMITTED]


@pytest.mark.parametrize(
    ("expected", "path", "values"),
    [
        ({"a": [1, 2]}, ("a",), [1, 2]),
        ({}, ("a",), [""]),
        ({"a": ["", {"b": [3]}]}, ("a", "b"), [3]),
        ({"a": [{"b": 3}]}, ("a", "b"), [3]),
        ({"a": [{"c": 3}]}, ("a", "b"), [""]),
        ({"a": [""]}, ("a", "b"), [""]),
        ({"a": [{"b": [{"c": ["x"]}]}]}, ("a", "b", "c"), ["x"]),
    ],
)
def test_right_values_at_a_place(expected: dict[str, list[Any]], path: tuple[str, ...], values: list[Any]) -> None:
    assert decisions.allowed(expected, path) == values


def test_another_calls_values_are_left_out() -> None:
    asked = case("Weather in Paris and in Rome", paris("Paris"), paris("Rome"))
    (city,) = [p for p in parameters(WEATHER) if p.path == ("city",)]
    found = [Candidate(value, "span") for value in ("Paris", "Rome", "Weather")]
    for (_, expected, others), own in zip(decisions.calls(asked), ("Paris", "Rome"), strict=True):
        kept, right = decisions.considered(city, found, expected, others)
        assert [c.value for c in kept] == [own, "Weather"] and right == [True, False]


def test_what_both_calls_share_stays() -> None:
    asked = case("Weather in Paris, today and for 3 days", paris("Paris"), paris("Paris", 3))
    (_, expected, others), _ = decisions.calls(asked)
    (city,) = [p for p in parameters(WEATHER) if p.path == ("city",)]
    assert decisions.considered(city, [Candidate("Paris", "span")], expected, others)[1] == [True]


def test_calls_of_tools_that_are_not_on_offer_are_passed_over() -> None:
    assert learned(case("Fly", ("fly", {}))) == [] and learned(Case("x", "x", fault="broken")) == []


def test_the_right_number_of_calls() -> None:
    one, two = decisions.counts(
        enumerate([case("Weather in Paris", paris()), case("Weather in Paris and Rome", paris(), paris("Rome"))]),
        fitted(),
    )
    assert any(one.right) and any(two.right)
    assert all(option["n=1"] == 1.0 for option, right in zip(one.options, one.right, strict=True) if right)
    assert all(option["n=2"] == 1.0 for option, right in zip(two.options, two.right, strict=True) if right)
    assert any("n=1" in option for option in two.options)
    assert (one.times, two.times) == (1.0, decisions.SEVERAL)


@pytest.mark.parametrize(
    ("made", "wanted", "right"),
    [
        (("Paris",), ("Paris",), True),
        (("Rome", "Paris"), ("Paris", "Rome"), True),
        (("Paris", "Paris"), ("Paris", "Paris"), True),
        (("Paris",), ("Rome",), False),
        (("Paris", "Paris"), ("Paris", "Rome"), False),
        (("Paris",), ("Paris", "Rome"), False),
        (("Paris", "Rome"), ("Paris",), False),
        ((), (), True),
    ],
)
def test_a_hypothesis_is_right_that_makes_each_expected_call_once(
    made: tuple[str, ...], wanted: tuple[str, ...], right: bool
) -> None:
    own = parameters(WEATHER)
    calls = [{own[0]: Candidate(name, "span")} for name in made]
    assert decisions.makes(calls, own, [paris(name)[1] for name in wanted]) is right


def test_every_argument_of_a_hypothesis_must_be_right() -> None:
    city, days = parameters(WEATHER)
    call = {city: Candidate("Paris", "span"), days: Candidate(3, "number")}
    assert decisions.makes([call], (city, days), [paris(days=3)[1]])
    assert not decisions.makes([call], (city, days), [paris(days=4)[1]])
    assert not decisions.makes([{**call, days: Candidate(OMITTED, "omitted")}], (city, days), [paris(days=3)[1]])
    assert decisions.makes([{city: call[city]}], (city, days), [paris(days=3)[1]]), "the model may write the days"


def test_two_hypotheses_of_one_count_are_told_apart_by_their_calls() -> None:
    """`Paris and Rome for 3 and 4 days`: two calls whose days are changed about are as many, and not right."""
    text = "Weather in Paris for 3 days and in Rome for 4 days"
    (found,) = decisions.counts([(0, case(text, paris("Paris", 3), paris("Rome", 4)))], fitted())
    two = [right for option, right in zip(found.options, found.right, strict=True) if "n=2" in option]
    assert any(two) and not all(two)


def test_where_no_hypothesis_makes_the_calls_their_number_decides() -> None:
    (found,) = decisions.counts([(0, case("Weather in Paris and Rome", paris("Oslo"), paris("Bonn")))], fitted())
    assert found.right == ["n=2" in option for option in found.options] and any(found.right)


def test_each_tool_has_its_own_portion() -> None:
    asked = case(
        "What is the weather in Paris? Also calculate the area of a triangle with base 4.",
        paris(),
        ("triangle_area", {"base": [4]}),
        tools=(WEATHER, AREA),
    )
    portions = [(tool.name, text) for tool, text in decisions._portions(asked)]
    assert [name for name, _ in portions] == ["weather.get", "triangle_area"]
    assert "Paris" in portions[0][1] and "Paris" not in portions[1][1] and "base 4" in portions[1][1]


def test_which_tools_are_meant() -> None:
    both = case("Weather in Paris", paris(), tools=(AREA, WEATHER))
    found = list(decisions.tools(enumerate([case("Weather in Paris", paris()), both])))
    assert sorted((row.case, row.right) for row in found) == [(1, False), (1, True)]
    (right,) = [row.features for row in found if row.right]
    assert right["best"] == 1.0


def test_what_suits_by_evidence() -> None:
    asked = case("Weather in Paris", tools=(WEATHER, AREA))
    suits = decisions.suits(asked, Weights({}, {}, {}, {}, {}))
    assert set(suits) == {"weather.get", "triangle_area"}
    assert suits["weather.get"]["tools"] == 2.0 and suits["weather.get"]["portion best"] == 1.0

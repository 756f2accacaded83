"""What is seen of candidates: the names are those of `weights.json`, the numbers say what a reader would."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.evidence.parameters import Parameter, parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidates import OMITTED, candidates
from linnet.calling.ranking.features import Features, Scene
from linnet.calling.ranking.ranker import fitted
from linnet.tools import Tool


def seen(text: str, schemas: dict[str, Any], required: tuple[str, ...] = ()) -> dict[tuple[str, Any, str], Features]:
    """Features of all candidates, without zeros, by parameter, value and source; lists as their text."""
    schema = {"type": "object", "properties": schemas, "required": list(required)}
    tool = Tool.from_schema("search_flights", "Searches for flights.", schema)
    own, reading = parameters(tool), Reading(text)
    scene = Scene(tool, own, reading)
    return {
        (p.name, c.value if isinstance(c.value, str | int | float) else str(c.value), c.source): {
            name: value for name, value in scene.features(p, c).items() if value
        }
        for p in own
        for c in candidates(p, reading)
    }


CITY = {"type": "string", "description": "City of departure, e.g. 'Berlin'"}
TEXT = {"type": "string"}


def span(text: str, value: str) -> Features:
    return seen(text, {"x": TEXT})["x", value, "span"]


@pytest.mark.parametrize(
    ("text", "value", "wanted", "unwanted"),
    [
        ("fly to New York now", "New York", {"prev=to", "caps=all", "len=2", "next=word"}, {"cut name left"}),
        ("fly to New York now", "York", {"cut name left", "prev=Cap"}, {"prev=to"}),
        ("fly to New York now", "New", {"cut name right", "next=Cap"}, {"cut name left"}),
        ("Rome, please", "Rome", {"prev=^", "next=,", "starts sentence", "first word alone", "close=,"}, {"prev=to"}),
        ("in Rome. Then", "Rome", {"next=$", "close=."}, {"next=word"}),
        ("a, Anna", "Anna", {"prev=,", "open=,"}, {"prev=word"}),
        ("12 eggs", "eggs", {"prev=#", "caps=none"}, {"caps=all"}),
        ("take A380 there", "A380", {"code", "digits=all", "acronym"}, {"digits=none"}),
        (
            "the Bank of America",
            "America",
            {"behind name and of"},
            {"cut name left"},
        ),
        ("the Bank of America", "Bank", {"before name and of"}, {"cut name right"}),
        ("to Italy", "Italy", {"known place", "prev=to"}, {"acronym"}),
        ("a cheap flight", "cheap flight", {"len=2", "caps=none"}, {"cut phrase left", "all tool words"}),
        ("a cheap flight", "flight", {"cut phrase left", "all tool words", "tool words"}, {"cut phrase right"}),
        ("a cheap flight", "cheap", {"cut phrase right"}, {"all tool words"}),
        ('say "big day" now', "big day", {"quote is"}, {"quotes elsewhere"}),
        ('say "big day" now', "day", {"quote inside"}, {"quote is"}),
        ('say "big day" now', "say", {"quotes elsewhere"}, {"quote is"}),
        ("book 3 rooms tomorrow", "3", {"number is", "digits=all"}, {"moment is"}),
        ("book 3 rooms tomorrow", "tomorrow", {"moment is", "next=$"}, {"number is"}),
        ("eggs and milk", "eggs and milk", {"and inside", "common inside", "len=3"}, {"commas inside"}),
        ("speak Japanese", "Japanese", {"ends -ese", "alone -ese|caps=True"}, {"ends -?"}),
    ],
)
def test_runs_of_words(text: str, value: str, wanted: set[str], unwanted: set[str]) -> None:
    found = set(span(text, value))
    assert wanted <= found and not unwanted & found


def test_features_are_conjoined_with_the_sense() -> None:
    found = seen("fly from Rome", {"origin_city": TEXT})["origin_city", "Rome", "span"]
    assert found["prev=from"] == found["prev=from|place"] == found["prev=from|origin"] == 1
    assert found["source:span"] == found["source:span|origin"] == found["span|opt"] == 1


def test_words_of_the_parameters_around_a_candidate() -> None:
    found = seen("the hotel named Astoria with budget Anna", {"hotel": TEXT, "budget": TEXT}, ("hotel",))
    astoria, anna = found["hotel", "Astoria", "span"], found["hotel", "Anna", "span"]
    assert astoria["own word -2"] == astoria["own word before|req"] == 1
    assert anna["other's word -1"] == 1 and "own word -2" not in anna
    assert found["hotel", "hotel", "span"]["is own name"] == 1
    assert found["budget", "Anna", "span"]["own word -1"] == 1
    assert found["budget", "Astoria", "span"]["other's word -2"] == 1
    assert found["hotel", "hotel named Astoria", "span"]["own inside"] == pytest.approx(1 / 3)
    assert found["hotel", "hotel named Astoria", "span"]["own begins"] == 1


def test_likeness_to_examples_and_the_default() -> None:
    told = {"city": {"type": "string", "description": "City such as 'Berlin' or 'New York'. Defaults to 'Rome'."}}
    found = seen("from Berlin to rome via York Street", told)
    assert found["city", "Berlin", "span"]["is example"] == found["city", "Berlin", "span"]["like case"] == 1
    assert found["city", "rome", "span"]["is default"] == found["city", "rome", "span"]["unlike case"] == 1
    assert found["city", "York Street", "span"]["shares example words"] == 1
    assert found["city", "York Street", "span"]["like length"] == 1


def test_the_turn_of_texts() -> None:
    found = seen("Rome and Oslo", {"a": TEXT, "b": TEXT})
    assert found["b", "Rome", "span"] | {"text apart": 1.0} == found["b", "Rome", "span"]
    assert "text apart" not in found["a", "Rome", "span"]
    assert found["b", "Oslo", "span"]["text last at"] == 1


def test_numbers_by_form_unit_and_turn() -> None:
    schemas = {
        "mass": {"type": "number", "description": "in kilograms"},
        "height": {"type": "number", "description": "in meters"},
    }
    found = seen("it has 5 kg and is two metres high", schemas, ("mass", "height"))
    mass, height = found["mass", 5, "number"], found["height", 2, "number"]
    assert mass["unit spoken"] == height["unit spoken"] == mass["num turn 0"] == height["num even required 0"] == 1
    assert found["height", 5, "number"]["unit spoken by other"] == found["height", 5, "number"]["num turn -1"] == 1
    assert height["num:number|spelled"] == height["spelled:two"] == 1 and "num:number|spelled" not in mass


def test_an_enumeration_of_numbers_is_read_as_one() -> None:
    """What is said before its first and behind its last is said of each."""
    schemas = {"years": {"type": "integer"}, "rate": {"type": "number"}}
    found = seen("over years of 10, 20 and 30 years at rate 5", schemas, ("years", "rate"))
    told = [found["years", n, "number"] for n in (10, 20, 30)]
    assert all(t["unit spoken"] == t["num own word -2"] == t["num prev=of"] == 1 for t in told)
    assert all(t["num turn 0"] == 1 for t in told), "all three are the first number's turn"
    assert found["rate", 5, "number"]["num turn 0"] == 1 and "unit spoken" not in found["rate", 5, "number"]


def test_a_series_of_ordinals_counts_things() -> None:
    alone, series = (seen(text, {"n": {"type": "integer"}}) for text in ("the 3rd", "the first and the second"))
    assert "ordinal in a series" not in alone["n", 3, "ordinal"]
    assert series["n", 1, "ordinal"]["ordinal in a series"] == series["n", 2, "ordinal"]["ordinal in a series"] == 1


@pytest.mark.parametrize(
    ("text", "against"),
    [
        ("with refundable fares", False),
        ("with no refundable fares", True),
        ("with non-refundable fares", True),
        ("with refund off", True),
        ("not one of these many words before refundable", False),
    ],
)
def test_a_switch_and_what_is_said_against_it(text: str, against: bool) -> None:
    found = seen(text, {"refundable": {"type": "boolean"}})
    for value in (True, False):
        assert (
            found["refundable", value, "yes" if value else "no"][f"bool:{value}|against={against}|spoken=True"] == 1
        )
    truth = seen(text, {"refundable": {"enum": ["true", "false"]}})
    assert truth["refundable", "true", "option"][f"option true|against={against}|spoken=True"] == 1


def test_a_switch_that_nobody_speaks_of() -> None:
    found = seen("a table", {"include_wifi": {"type": "boolean"}})["include_wifi", True, "yes"]
    assert found["bool:True|against=False|spoken=False"] == 1 and "bool:True|own" not in found
    assert seen("with internet", {"include_wifi": {"type": "boolean"}})["include_wifi", True, "yes"][
        "bool:True|alike"
    ]


def test_towns_are_known_where_a_place_is_asked_for() -> None:
    assert seen("fly to Austin now", {"city": TEXT})["city", "Austin", "span"]["known town|caps=True"] == 1
    assert seen("Austin now", {"city": TEXT})["city", "Austin", "span"]["known town|starts sentence"] == 1
    assert not any("known town" in name for name in seen("fly to Austin now", {"x": TEXT})["x", "Austin", "span"])


def test_per_cents_and_years() -> None:
    schemas = {"price": {"type": "number"}, "rate": {"type": "number", "description": "as a decimal"}}
    found = seen("at 8 % in 1999", schemas)
    assert found["rate", 8, "number"]["percent=True|fraction=True|number"] == 1
    assert found["rate", 0.08, "fraction"]["decimal|int=False"] == 1
    assert found["price", 1999, "number"]["year|named=False"] == 1


def test_options() -> None:
    schemas = {"cabin": {"type": "string", "enum": ["economy", "first_class", "any"]}}
    found = seen("in first class with economical food", schemas)
    first = found["cabin", "first_class", "named"]
    assert first["option share"] == first["option:named"] == first["option prev=in"] == 1
    assert found["cabin", "economy", "option"]["option prefix"] == found["cabin", "economy", "option"]["option first"]
    assert found["cabin", "any", "option"]["option any|req=False"] == 1
    assert "option prefix" not in found["cabin", "any", "option"] and "option prefix" not in first


def test_synonyms_of_options() -> None:
    action = {"action": {"type": "string", "enum": ["delete", "add"]}}
    found = seen("please remove it", action)
    assert found["action", "delete", "option"]["option alike"] == 1
    assert "option alike" not in found["action", "add", "option"]


def test_yes_and_no() -> None:
    schemas = {"include_luggage": {"type": "boolean", "default": True}}
    said, negated = seen("with my luggage", schemas), seen("without luggage", schemas)
    assert said["include_luggage", True, "yes"]["bool:True|all own"] == 1
    assert said["include_luggage", True, "yes"]["bool:True|negated=False"] == 1
    assert negated["include_luggage", False, "no"]["bool:False|negated=True"] == 1
    assert negated["include_luggage", False, "no"]["bool:False|default=True"] == 1


def test_lists() -> None:
    schemas = {"cities": {"type": "array", "items": {"type": "string"}}}
    found = seen("visit big Rome, Oslo and Bonn.", schemas)
    long, clean = (
        found["cities", "['visit big Rome', 'Oslo', 'Bonn']", "chain"],
        found["cities", "['Rome', 'Oslo', 'Bonn']", "chain"],
    )
    assert long["list first longer"] == 2 and long["list uneven"] == pytest.approx(2 / 3)
    assert long["list first odd case"] == 1 and long["list caps=some"] == 1
    assert clean["list caps=all"] == clean["list size 3|string"] == clean["list:chain|string"] == 1
    assert not {"list uneven", "list first longer", "list first odd case"} & set(clean)
    assert found["cities", "['Oslo']", "single"]["single caps=all"] == 1


def test_lists_of_numbers_are_not_read_as_texts() -> None:
    found = seen("mean of 1 and 2", {"values": {"type": "array", "items": {"type": "integer"}}})
    run = found["values", "[1, 2]", "run"]
    assert run["list:run|number"] == 1 and not any(name.startswith("list caps") for name in run)


@pytest.mark.parametrize("literal", ['["\\n"]', '["", " "]', "[[]]", "[null]", "[]", '["a", {"b": 1}]'])
def test_lists_of_anything_have_features(literal: str) -> None:
    found = seen(f"use {literal} now", {"values": {"type": "array"}})
    assert any(source == "literal" for _, _, source in found)


def test_what_is_not_said() -> None:
    schemas = {"adults": {"type": "integer", "default": 1}, "city": CITY, "tags": {"type": "array"}}
    found = seen("flights from Berlin", schemas)
    omitted, default = found["adults", str(OMITTED), "omitted"], found["adults", 1, "default"]
    assert omitted["omitted|number|spare=0"] == omitted["omitted|number|default"] == 1
    assert default["default|number|fits=no"] == default["default|number"] == 1
    assert found["city", "Berlin", "example"]["example|string|said all"] == 1
    assert found["tags", str(OMITTED), "omitted"]["omitted|array|len"] == 1


def test_constants_objects_and_legends() -> None:
    schemas = {
        "version": {"const": 2},
        "filter": {"type": "object"},
        "class": {"type": "integer", "description": "1 for economy, 2 for business"},
    }
    found = seen('in business {"a": 1}', schemas)
    assert found["version", 2, "const"] == {"const:const": 1.0}
    assert found["filter", "{'a': 1}", "literal"] == {"object:literal": 1.0}
    assert found["class", 2, "legend"] == {"legend": 1.0, "legend|False": 1.0}


def test_the_weights_know_these_names() -> None:
    """A renamed feature would weigh nothing, and nobody would hear of it."""
    schemas = {"city": CITY, "adults": {"type": "integer"}, "direct": {"type": "boolean"}, "x": {"type": "array"}}
    found = seen("2 adults from Berlin, direct, named Anna and Bob", schemas)
    known = {name for features in found.values() for name in features}
    assert len(known & set(fitted().features)) > 0.7 * len(known)


PIECES = st.lists(
    st.sampled_from(
        'a Anna , . "x" and 5 % $3 3rd [1, {"a": 1} tomorrow /? don\'t ‘ \ud800 東京 ["\\n"] \n 2x^2 + 1 kg'.split(
            " "
        )
    )
).map(" ".join)
ALL = {
    "n": {"type": "number"},
    "i": {"type": "integer", "description": "'low' means cheap, 'high' means dear. Defaults to 3."},
    "date": {"type": "string"},
    "message": {"type": "string", "description": "such as 'Hello, you' or 'x'"},
    "currency": {"type": "string"},
    "anything": {},
    "unit": {"enum": ["kg", "lb", 5, None, []]},
    "on": {"type": "boolean"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "numbers": {"type": "array", "items": {"type": "number"}},
    "kinds": {"type": "array", "items": {"enum": ["a", "Anna"]}},
    "all": {"type": "array"},
    "o": {"type": "object"},
    "": {"type": "string"},
}


@given(st.one_of(st.text(), PIECES))
def test_every_candidate_has_finite_features(text: str) -> None:
    for features in seen(text, ALL, ("n", "message")).values():
        assert features and all(map(math.isfinite, features.values()))


@given(PIECES)
def test_features_depend_on_nothing_but_what_is_given(text: str) -> None:
    assert seen(text, {"message": TEXT, "n": {"type": "number"}}) == seen(
        text, {"message": TEXT, "n": {"type": "number"}}
    )


UNITS = [
    ".", "-", "\n", '"a" ', "`a", "a.", "a, ", "1+", "1 ", "[1,", "{", "at 5:30 1 ", "today is ",
    "東京、", "\ud800", "a b; ",
]  # fmt: skip


@pytest.mark.timeout(30)
@pytest.mark.parametrize("unit", UNITS)
def test_long_requests_take_no_long_time(unit: str) -> None:
    """A second or two each; what is quadratic takes minutes, and the time limit ends it."""
    seen((unit * 100_000)[:100_000], ALL)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("gap", [" ", ".", "'", "$"])
def test_long_gaps_take_no_long_time(gap: str) -> None:
    seen(f"5{gap * 100_000}6 and Anna{gap * 100_000}Bob", ALL)


def test_a_parameter_is_read_in_the_light_of_the_others() -> None:
    alone = Parameter(("city",), {"type": "string"}, True, 0)
    tool = Tool.from_schema("t", "A tool.", {"type": "object", "properties": {}})
    (span, *_) = candidates(alone, reading := Reading("the budget Rome"))
    assert Scene(tool, [alone], reading).features(alone, span)["source:span"] == 1


def test_a_place_is_known_for_what_it_is_where_one_of_a_kind_is_wanted() -> None:
    found = seen("in Chicago, Illinois of Canada or Nowhere", {"city": TEXT, "state": TEXT, "place": TEXT})
    assert found["state", "Illinois", "span"]["state for state"] == 1.0
    assert found["city", "Illinois", "span"]["state for city"] == 1.0
    assert found["city", "Chicago", "span"]["city for city"] == 1.0
    assert found["state", "Canada", "span"]["country for state"] == 1.0
    assert found["city", "Nowhere", "span"]["unknown place for city"] == 1.0
    assert not any(" for " in name for name in found["place", "Chicago", "span"])

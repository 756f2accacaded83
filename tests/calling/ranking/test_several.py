"""How many calls a text asks for: with weights that the test makes up, and with those that ship."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from linnet import Tool
from linnet.calling.evidence.parameters import Parameter, parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking import assign as assigning
from linnet.calling.ranking import split as hypotheses
from linnet.calling.ranking.candidates import Candidate
from linnet.calling.ranking.ranker import Weights, fitted
from linnet.calling.ranking.several import Draft, drafts, splits
from linnet.calling.ranking.sheet import Sheet
from linnet.limits import LIMITS

NUMBER, TEXT = {"type": "number"}, {"type": "string"}
EAGER = Weights({}, {}, {"numbers unused": -1.0, "capitals unused": -1.0, "score": 0.01}, {}, {})
"""As many calls as leave the fewest numbers and names unused."""
LEFT_OUT = {"omitted|string": 0.5, "caps=all": 2.0, "caps=none": -9.0, "caps=first": -9.0, "starts sentence": -9.0}
"""A name is taken where there is one, and nothing else."""
LAZY = Weights({}, {}, {"n=1": 99.0}, {}, {})

Likes = Callable[[Parameter, Candidate], float]


def one_word(parameter: Parameter, candidate: Candidate) -> float:
    """Numbers, and names of one word, are what arguments are made of."""
    if parameter.type != "string":
        return 0.0
    return 0.0 if candidate.source == "span" and candidate.value.isalpha() and candidate.value.istitle() else -9.0


def sheet(text: str, weights: Weights = EAGER, likes: Likes | None = one_word, **own: Mapping[str, Any]) -> Sheet:
    tool = Tool.from_schema("do_it", "Does it.", {"properties": own, "required": list(own)})
    made = Sheet(tool, parameters(tool), Reading(text), weights)
    if likes is not None:
        made.logits = {p: [likes(p, c) for c in found] for p, found in made.found.items()}
    return made


def optional(text: str, **own: Mapping[str, Any]) -> Sheet:
    """Two calls, one after the other; only the number is needed."""
    in_stretches = Weights({}, {}, {"stretches": 9.0, "n=2": 9.0}, {}, {})
    tool = Tool.from_schema("do_it", "Does it.", {"properties": own, "required": ["n"]})
    return Sheet(tool, parameters(tool), Reading(text), replace(in_stretches, features=LEFT_OUT))


def calls(made: Sheet) -> list[dict[str, Any]]:
    return [{p.name: c.value for p, c in draft.taken().items()} for draft in drafts(made)]


def enumerated(made: Sheet) -> list[list[dict[str, Any]]]:
    return [[{p.name: c.value for p, c in call.items()} for call in split.calls] for split in splits(made)]


# --- with the weights that ship ------------------------------------------------------------------

TRIANGLE = {
    "base": {**NUMBER, "description": "The base of the triangle."},
    "height": {**NUMBER, "description": "The height of the triangle."},
}


@pytest.mark.parametrize(
    "text",
    [
        "Find the area of a triangle: the base is 10 and the height is 5, and for the second the base is 4 and the "
        "height is 3.",
        "Find the areas of a triangle with base 10 and height 5, and also of another with base 4 and height 3.",
    ],
)
def test_one_after_the_other(text: str) -> None:
    assert calls(sheet(text, fitted(), None, **TRIANGLE)) == [{"base": 10, "height": 5}, {"base": 4, "height": 3}]


def test_one_call_is_one() -> None:
    text = "Find the area of a triangle whose base is 10 and height is 5."
    assert calls(sheet(text, fitted(), None, **TRIANGLE)) == [{"base": 10, "height": 5}]
    assert calls(sheet("What's the weather in Paris?", fitted(), None, city=TEXT)) == [{"city": "Paris"}]


# --- one after the other -------------------------------------------------------------------------


def test_nobody_asks_for_nothing_but_the_same_again() -> None:
    text = "Take 3, then take 3."
    assert [{"n": 3}, {"n": 3}] not in enumerated(sheet(text, n=NUMBER))
    assert [{"n": 3}, {"n": 3}, {"n": 5}] in enumerated(sheet(text[:-1] + ", and take 5.", n=NUMBER))


def test_each_stretch_is_read_by_itself() -> None:
    made = sheet("Ann has 3, then Bob has 4, and Eve has 5.", who=TEXT, n=NUMBER)
    assert calls(made) == [{"who": "Ann", "n": 3}, {"who": "Bob", "n": 4}, {"who": "Eve", "n": 5}]
    assert [draft.text for draft in drafts(made)] == ["Ann has 3,", "then Bob has 4,", "and Eve has 5."]


def test_what_one_call_alone_says_goes_for_all() -> None:
    made = sheet("For Ann take 3. Then take 4. Then take 5.", who=TEXT, n=NUMBER)
    assert calls(made) == [{"who": "Ann", "n": 3}, {"who": "Ann", "n": 4}, {"who": "Ann", "n": 5}]


@pytest.mark.parametrize(
    "text",
    [
        "With Ann: take 3. Then take 4.",
        "Take 3. Then take 4. Do it with Ann.",
        "Take 3. Then take 4, and you do it with Ann.",
    ],
)
def test_what_may_be_left_out_goes_for_all_if_said_before_or_behind_all(text: str) -> None:
    made = optional(text, who=TEXT, n=NUMBER)
    assert calls(made) == [{"n": 3, "who": "Ann"}, {"n": 4, "who": "Ann"}]


@pytest.mark.parametrize("text", ["Take 3 with Ann. Then take 4.", "Take 3. Then take 4 with Ann."])
def test_what_may_be_left_out_is_that_call_s_own_if_said_in_its_midst(text: str) -> None:
    assert sorted(len([v for v in c.values() if v == "Ann"]) for c in calls(optional(text, who=TEXT, n=NUMBER))) == [
        0,
        1,
    ]


def test_the_number_of_calls_is_what_the_weights_say() -> None:
    text = "Ann has 3, then Bob has 4, and Eve has 5."
    assert len(calls(sheet(text, LAZY, who=TEXT, n=NUMBER))) == 1
    thrice = Weights({}, {}, {"n=3": 99.0}, {}, {})
    assert len(calls(sheet(text, thrice, who=TEXT, n=NUMBER))) == 3


def test_a_single_call_is_read_from_the_whole_text() -> None:
    made = sheet("Ann has 3, then Bob has 4.", LAZY, who=TEXT, n=NUMBER)
    (draft,) = drafts(made)
    assert draft.text == made.reading.text and draft.ways == made.ways


# --- by enumeration ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["in Paris, Rome and Oslo", "in Paris and Rome and Oslo", "in Paris, Rome, Oslo"])
def test_the_values_of_one_argument_are_enumerated(text: str) -> None:
    assert calls(sheet(text, city=TEXT)) == [{"city": "Paris"}, {"city": "Rome"}, {"city": "Oslo"}]


def test_what_is_not_enumerated_is_shared() -> None:
    made = sheet("weather of Paris and Rome for 3 days", city=TEXT, days=NUMBER)
    assert [{"city": "Paris", "days": 3}, {"city": "Rome", "days": 3}] in enumerated(made)


def test_respectively_pairs_the_values_in_their_order() -> None:
    made = sheet("the people of Spain and Italy in 2010 and 2015 respectively", place=TEXT, year=NUMBER)
    assert calls(made) == [{"place": "Spain", "year": 2010}, {"place": "Italy", "year": 2015}]


def test_respectively_pairs_where_one_value_for_all_would_cost_less() -> None:
    """Spain is the likelier of both, and still 2015 is Italy's."""

    def likes(parameter: Parameter, candidate: Candidate) -> float:
        return one_word(parameter, candidate) + (0.5 if candidate.value == "Spain" else 0.0)

    made = sheet("the people of Spain and Italy in 2010 and 2015 respectively", likes=likes, place=TEXT, year=NUMBER)
    assert [{"place": "Spain", "year": 2010}, {"place": "Italy", "year": 2015}] in enumerated(made)


def test_each_may_meet_each() -> None:
    made = sheet("send Ann and Bob to Paris and Rome", likes=_sorted_out, who=TEXT, city=TEXT)
    pairs = [{"who": w, "city": c} for w in ("Ann", "Bob") for c in ("Paris", "Rome")]
    assert pairs in enumerated(made)


def _sorted_out(parameter: Parameter, candidate: Candidate) -> float:
    known = {"who": ("Ann", "Bob"), "city": ("Paris", "Rome")}
    return 0.0 if candidate.value in known[parameter.name] else -9.0


def test_values_with_other_words_between_them_are_no_enumeration() -> None:
    made = sheet("Paris is nicer in spring than lovely old Rome", city=TEXT)
    listed = [split for split in splits(made) if split.listed]
    assert all(split.apart >= 1 for split in listed), "unlike what is enumerated, and told as such"


# --- bounds --------------------------------------------------------------------------------------

CITIES = "Paris London Rome Oslo Berlin Madrid Vienna Prague Warsaw Athens Lisbon Dublin".split()


@pytest.mark.parametrize("joint", [", ", ". ", " and ", ". Then in "])
def test_no_more_calls_than_the_limit(joint: str) -> None:
    """As many as the limit can be found, and one past it, or more, cannot."""

    def most(count: int) -> int:
        made = sheet(f"in {joint.join(CITIES[:count])}", city=TEXT)
        assert 1 <= len(drafts(made)) <= LIMITS.calls_per_request
        return max(len(split.calls) for split in splits(made))

    limit = LIMITS.calls_per_request
    assert (most(limit), most(limit + 1), most(len(CITIES))) == (limit, limit, limit)


def test_each_meeting_each_stays_within_the_limit() -> None:
    made = sheet("send Ann and Bob and Eve to Paris and Rome and Oslo", likes=_sorted_by_name, who=TEXT, city=TEXT)
    assert all(len(split.calls) <= LIMITS.calls_per_request for split in splits(made))


def _sorted_by_name(parameter: Parameter, candidate: Candidate) -> float:
    known = {"who": ("Ann", "Bob", "Eve"), "city": ("Paris", "Rome", "Oslo")}
    return 0.0 if candidate.value in known[parameter.name] else -9.0


@pytest.mark.parametrize("text", ["", "   ", "?!", ",;,;", "and and and", "天気"])
def test_a_text_that_says_nothing_asks_for_one_call(text: str) -> None:
    assert len(drafts(sheet(text, fitted(), None, n=NUMBER, who=TEXT))) == 1


def test_a_tool_without_parameters_is_called_once() -> None:
    assert calls(sheet("do it, then do it, and also do it", fitted(), None)) == [{}]


@pytest.mark.parametrize("piece", ["3, ", "and ", "Ann. ", "4 and 5, ", "x"])
def test_a_long_text_is_no_more_work_than_its_words_that_are_read(
    piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Assignments are the work: twice the text does not need twice as many, beyond the words that are read."""
    counted = 0
    honest = assigning.assign

    def counting(ways: Any) -> Any:
        nonlocal counted
        counted += 1
        return honest(ways)

    monkeypatch.setattr(hypotheses, "assign", counting)

    def needed(length: int) -> int:
        nonlocal counted
        counted = 0
        assert drafts(sheet((piece * length)[:length], fitted(), None, n=NUMBER, who=TEXT))
        return counted

    assert needed(100_000) <= needed(50_000) < 500


# --- drafts -------------------------------------------------------------------------------------


def test_a_draft_takes_the_best_of_its_ways() -> None:
    (one,) = sheet("3 or 4", n=NUMBER).parameters
    three, four = Candidate(3, "number", 0, 0), Candidate(4, "number", 2, 2)
    assert Draft("3 or 4", {one: [(four, -0.1), (three, -2.0)]}).taken() == {one: four}
    assert Draft("", {one: []}).taken() == {}

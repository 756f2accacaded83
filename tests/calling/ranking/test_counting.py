"""What is told of a hypothesis on several calls: its kind, its lists, what it leaves over."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet import Tool
from linnet.calling.evidence.parameters import parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidates import Candidate
from linnet.calling.ranking.counting import features
from linnet.calling.ranking.ranker import Weights, fitted
from linnet.calling.ranking.several import splits
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.ranking.split import Split

NUMBER, TEXT = {"type": "number"}, {"type": "string"}


def sheet(text: str, weights: Weights | None = None, **own: Any) -> Sheet:
    tool = Tool.from_schema("do_it", "Does it.", {"properties": own, "required": list(own)})
    return Sheet(tool, parameters(tool), Reading(text), weights or fitted())


def took(made: Sheet, *calls: tuple[Any, ...], **more: Any) -> Split:
    """A hypothesis whose calls take these values, in the order of the parameters."""
    by_value = [{c.value: c for c in made.found[p] if isinstance(c.value, str | int)} for p in made.parameters]
    taken = [
        {p: own[value] for p, own, value in zip(made.parameters, by_value, call, strict=True) if value is not None}
        for call in calls
    ]
    return Split(tuple(taken), more.pop("score", 0.0), **more)


@pytest.mark.parametrize(
    ("calls", "more", "kind"),
    [
        (1, {"stretches": ((0, 5),)}, "one call"),
        (2, {"stretches": ((0, 2), (2, 5))}, "stretches"),
        (2, {}, "table"),
        (4, {"product": True}, "product"),
    ],
)
def test_every_kind_is_weighed_by_itself(calls: int, more: dict[str, Any], kind: str) -> None:
    made = sheet("Ann and Bob, 3 and 4", who=TEXT, n=NUMBER)
    told = features(made, took(made, *[("Ann", 3)] * calls, score=-6.0, **more))
    assert told[kind] == 1 and told[f"score|{kind}"] == told["score"] == -6
    assert told[f"and|{kind}"] == 1 and told[f"n={calls}"] == 1
    assert told.get("per call") == (None if calls == 1 else -6 / (calls - 1))
    assert sum(told.get(other, 0) for other in ("one call", "stretches", "table", "product")) == 1


def test_number_words_are_held_against_the_count() -> None:
    made = sheet("both Ann and Bob", who=TEXT)
    assert features(made, took(made, ("Ann",), ("Bob",)))["both|is True"] == 1
    assert features(made, took(made, ("Ann",)))["both|is False"] == 1


def test_what_no_call_takes_is_counted() -> None:
    made = sheet("Ann and Bob and 3 and 4 and 'x y'", who=TEXT, n=NUMBER)
    found = features(made, took(made, ("Ann", 3), ("Bob", 3)))
    assert (found["numbers unused"], found["numbers unused share"]) == (1, 0.5)
    assert (found["quotations unused"], found["shared per call"]) == (1, 0.5)


def test_lists_are_told_by_their_type_and_form() -> None:
    made = sheet("Ann and Bob for 3", who=TEXT, n=NUMBER)
    who, _ = made.parameters
    told = features(made, took(made, ("Ann", 3), ("Bob", 3), listed=(who,), worst=1.5, apart=0.5))
    assert told["lists string|required|alone=True"] == told["lists names=True|alone=True"] == 1
    assert (told["lists worst"], told["lists unlike"], told["lists needed share"]) == (1.5, 0.5, 0.5)
    assert told["lists side by side=True"] == 1
    assert not any(name.startswith("lists") for name in features(made, took(made, ("Ann", 3))))


def test_lists_with_words_between_are_not_side_by_side() -> None:
    made = sheet("Ann takes three of them and Bob takes 4", who=TEXT)
    told = features(made, took(made, ("Ann",), ("Bob",), listed=made.parameters))
    assert told["lists side by side=False"] == 1


def test_a_value_beside_one_that_is_taken_dangles() -> None:
    """Of `Paris and Rome` one call takes one; where both are taken nothing dangles, nor what stands elsewhere."""
    made = sheet("in Paris and Rome", Weights({}, {}, {}, {}, {}), city=TEXT)
    assert features(made, took(made, ("Paris",)))["dangles|one call"] == 1
    assert features(made, took(made, ("Paris",), ("Rome",)))["dangles|table"] == 0
    made = sheet("in Paris with lovely food from Rome", Weights({}, {}, {}, {}, {}), city=TEXT)
    assert features(made, took(made, ("Paris",)))["dangles|one call"] == 0


def test_what_stands_nowhere_is_neither_taken_nor_left() -> None:
    made = sheet("do 3", n=NUMBER)
    (parameter,) = made.parameters
    told = features(made, Split(({parameter: Candidate(7, "default")},), 0.0))
    assert told["numbers unused"] == 1 and told["dangling|one call"] == 0 and told["shared per call"] == 0


PIECES = st.lists(
    st.sampled_from("Ann Bob 3 4 'x' , ; and both respectively each miles 5k three. two".split()), max_size=25
).map(" ".join)


@settings(max_examples=50)
@given(st.one_of(st.text(max_size=60), PIECES))
def test_features_are_finite_numbers(text: str) -> None:
    made = sheet(text, who=TEXT, n=NUMBER, unit={"enum": ["miles", "feet"]}, all={"type": "array"})
    for split in splits(made):
        assert all(isinstance(v, float) and math.isfinite(v) for v in features(made, split).values())


def test_the_weights_know_these_names() -> None:
    """A renamed feature would weigh nothing, and nobody would hear of it."""
    made = sheet("both Ann and Bob, 3 and 4 miles respectively", who=TEXT, n=NUMBER)
    known = {name for split in splits(made) for name in features(made, split)}
    assert len(known & set(fitted().counts)) > 0.7 * len(known)


def test_groups_of_numbers_say_how_many_calls_there_are() -> None:
    made = sheet("of (3, 4) and (5, 12)", a=NUMBER, b=NUMBER)
    assert features(made, took(made, (3, 4), (5, 12)))["tuples equal=True"] == 1.0
    assert features(made, took(made, (3, 4)))["tuples equal=False"] == 1.0
    one = sheet("3 and 4", a=NUMBER, b=NUMBER)
    assert not any(name.startswith("tuples") for name in features(one, took(one, (3, 4))))


def test_listed_values_that_the_description_knows_are_counted() -> None:
    known = {**TEXT, "description": "Material, e.g. 'copper', 'iron'."}
    made = sheet("of copper and gold", what=known)
    names = {
        name: value
        for name, value in features(made, took(made, ("copper",), ("gold",), listed=tuple(made.parameters))).items()
    }
    assert names["lists known|required"] == 0.5

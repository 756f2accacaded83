"""Calls one after the other: where a text may be cut, and what each call takes from its stretch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet import Tool
from linnet.calling.evidence.parameters import parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.ranker import Weights
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.ranking.split import ELSEWHERE, Split
from linnet.calling.ranking.stretches import stretches
from linnet.limits import LIMITS

NUMBER, TEXT = {"type": "number"}, {"type": "string"}
NAMES = ("Ann", "Bob", "Eve")


def sheet(text: str, required: tuple[str, ...] | None = None, **own: Any) -> Sheet:
    """Numbers are as good as each other, and of texts names are the good ones."""
    schema = {"properties": own, "required": list(own if required is None else required)}
    tool = Tool.from_schema("do_it", "Does it.", schema)
    made = Sheet(tool, parameters(tool), Reading(text), Weights({}, {}, {}, {}, {}))
    made.logits = {
        p: [0.0 if p.type != "string" or c.value in NAMES else -9.0 for c in found] for p, found in made.found.items()
    }
    return made


def values(split: Split) -> list[dict[str, Any]]:
    return [{p.name: c.value for p, c in call.items()} for call in split.calls]


def test_each_call_is_read_from_its_stretch() -> None:
    made = sheet("Ann has 3, then Bob has 4, and Eve has 5", who=TEXT, n=NUMBER)
    split = stretches(made)[3]
    assert values(split) == [{"who": "Ann", "n": 3}, {"who": "Bob", "n": 4}, {"who": "Eve", "n": 5}]
    assert split.stretches == ((0, 3), (3, 7), (7, 11)) and not split.listed and not split.product


def test_a_value_of_another_stretch_has_its_price() -> None:
    made = sheet("Ann has 3. Then 4", who=TEXT, n=NUMBER)
    one, two = stretches(made)[1], stretches(made)[2]
    assert values(two) == [{"who": "Ann", "n": 3}, {"who": "Ann", "n": 4}]
    assert one.score - two.score == pytest.approx(ELSEWHERE)


def test_a_stretch_must_say_something_itself() -> None:
    made = sheet("Ann has 3. Then do as usual", who=TEXT, n=NUMBER)
    assert list(stretches(made)) == [1]
    made = sheet("Ann has it. Then 4", required=("who",), who=TEXT, n=NUMBER)
    assert list(stretches(made)) == [1], "what is said there is no required argument"


@pytest.mark.parametrize("text", ["", "?!", "and", "天気", "and and and"])
def test_there_is_always_one_call(text: str) -> None:
    found = stretches(sheet(text, n=NUMBER))
    assert list(found) == [1] and len(found[1].calls) == 1


def test_a_tool_without_parameters_is_called_once() -> None:
    assert list(stretches(sheet("do it, then do it"))) == [1]


PIECES = st.lists(st.sampled_from("Ann Bob 3 4 , . ; and then or has".split()), max_size=40).map(" ".join)


@settings(max_examples=60)
@given(PIECES)
def test_stretches_cover_the_text_one_behind_the_other(text: str) -> None:
    made = sheet(text, who=TEXT, n=NUMBER)
    for count, split in stretches(made).items():
        assert count == len(split.calls) == len(split.stretches) <= LIMITS.calls_per_request
        ends = [0, *(end for _, end in split.stretches)]
        assert [begin for begin, _ in split.stretches] == ends[:-1] and ends[-1] == len(made.reading.words)


def test_no_more_calls_than_the_limit() -> None:
    """One past it cannot be found, and so many can."""
    many = sheet(". ".join(f"Ann has {n}" for n in range(LIMITS.calls_per_request + 1)), who=TEXT, n=NUMBER)
    assert max(stretches(many)) == LIMITS.calls_per_request

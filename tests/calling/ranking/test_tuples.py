"""Numbers in groups of the size of a call: which are found, and what is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet import Tool
from linnet.calling.evidence.parameters import Parameter, parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.ranker import fitted
from linnet.calling.ranking.several import drafts
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.ranking.tuples import tuples

NUMBER, TEXT = {"type": "number"}, {"type": "string"}


def takers(required: int, optional: int = 0) -> tuple[Parameter, ...]:
    names = [f"n{i}" for i in range(required + optional)]
    schema = {"properties": {**dict.fromkeys(names, NUMBER), "who": TEXT}, "required": names[:required]}
    return tuple(parameters(Tool.from_schema("do_it", "Does it.", schema)))


def found(text: str, required: int = 2, optional: int = 0) -> list[tuple[str, int]]:
    positions = tuples(Reading(text), takers(required, optional))
    return [(text[start:end], at) for (start, end), at in positions.items()]


PAIRS = [("3", 0), ("4", 1), ("5", 0), ("12", 1)]


@pytest.mark.parametrize(
    "text",
    [
        "of (3, 4) and (5, 12)",
        "[3 and 4], [5 and 12]",
        "sides: 3 and 4, 5 and 12.",
        "3 and 4, then 5 & 12",
        "3 and 4; 5 and 12",
    ],
)
def test_pairs(text: str) -> None:
    assert found(text) == PAIRS


def test_threes_want_brackets() -> None:
    assert [at for _, at in found("(1, 2, 3) and (4, 5, 6)", 3)] == [0, 1, 2, 0, 1, 2]
    assert found("1, 2 and 3, 4, 5 and 6", 3) == []


def test_what_no_call_needs_is_counted_only_if_none_is_needed() -> None:
    assert found("(3, 4) and (5, 12)", 0, 2) == PAIRS
    assert found("(3, 4) and (5, 12)", 1, 1) == []


@pytest.mark.parametrize(
    "text",
    [
        "(3, 4)",
        "3 and 4",
        "3, 4, 5 and 12",
        "3 and 4 for Ann, 5 and 12 for Bob",
        "(3 apples, 4 pears) (5 and some)",
        "",
    ],
)
def test_no_groups(text: str) -> None:
    assert found(text) == []


def test_groups_of_another_size_are_none() -> None:
    assert found("(1, 2, 3) and (4, 5, 6)") == []


@pytest.mark.parametrize("text", ["the gcd of (45, 60) and (81, 27)", "the gcd of 45 and 60, 81 and 27"])
def test_the_fitted_weights_take_each_group_for_a_call(text: str) -> None:
    own: dict[str, Any] = {
        "num1": {**NUMBER, "description": "First number."},
        "num2": {**NUMBER, "description": "Second number."},
    }
    tool = Tool.from_schema(
        "math.gcd", "The greatest common divisor of two numbers.", {"properties": own, "required": list(own)}
    )
    made = drafts(Sheet(tool, parameters(tool), Reading(text), fitted()))
    calls = [{p.name: c.value for p, c in draft.taken().items()} for draft in made]
    assert calls == [{"num1": 45, "num2": 60}, {"num1": 81, "num2": 27}]


@pytest.mark.parametrize("text", ["(1, 2) ", "[1]", "1 and 2, "])
def test_long_texts_are_read_in_linear_time(text: str) -> None:
    """Counted in quantities that are looked at, not in seconds."""

    class Counted(tuple):  # type: ignore[type-arg]
        looks = 0

        def __iter__(self) -> Any:
            Counted.looks += len(self)
            return super().__iter__()

    reading = Reading(text * 2_000)
    reading.__dict__["quantities"] = Counted(reading.quantities)
    tuples(reading, takers(2))
    assert Counted.looks <= 4 * len(reading.quantities)


@given(st.text(alphabet="0123456789(),[]; andx$&", max_size=80), st.integers(1, 3))
def test_positions_are_those_of_whole_groups(text: str, size: int) -> None:
    positions = list(tuples(Reading(text), takers(size)).values())
    assert positions == list(range(size)) * (len(positions) // size)
    assert not positions or (size > 1 and len(positions) >= 2 * size)

"""How far from the margin evidence settles: hand-made judgements of both kinds."""

from __future__ import annotations

import math

import pytest

from linnet.calling.choose import MARGIN
from linnet.evals.fitting.doubt import Both, Odds, doubt, odds


def judged(*pairs: tuple[float, str]) -> Odds:
    return tuple((MARGIN + far, name) for far, name in pairs)


def same(far: float, count: int = 1) -> list[Both]:
    """Evidence and model are of one mind, so far from the margin."""
    return [Both(judged((far, "a")), judged((far, "a")))] * count


CALLED, NONE = judged((1.0, "a")), judged((-1.0, "a"))


def test_where_both_always_agree_nothing_is_in_doubt() -> None:
    found = doubt([*same(3.0, 300), *same(-3.0, 300)])
    assert (found.below, found.above) == (0.0, 0.0)


@pytest.mark.parametrize("far", [0.5, 2.0])
def test_no_tool_is_settled_beyond_the_last_that_the_model_calls(far: float) -> None:
    found = doubt([*same(-3.0, 10), *same(-0.1, 10), Both(judged((-far, "a")), CALLED), *same(3.0, 10)])
    assert (found.below, found.above) == (far, 0.0)


@pytest.mark.parametrize("other", [NONE, judged((1.0, "b"))])
def test_a_call_is_settled_beyond_the_last_that_the_model_decides_differently(other: Odds) -> None:
    found = doubt([*same(-3.0, 10), Both(judged((1.5, "a")), other), *same(1.0, 10), *same(3.0, 10)])
    assert (found.below, found.above) == (0.0, 1.5)


def test_a_few_of_many_may_differ() -> None:
    many = [*same(-3.0, 300), *same(3.0, 300)]
    differs = Both(judged((5.0, "a")), NONE)
    assert doubt([*many, differs, differs, differs]).above == 0.0
    assert doubt([*many, *[differs] * 4]).above == 5.0


def test_being_ahead_of_the_second_spares_being_far_above() -> None:
    """The model picks the other tool where two are close, however likely both are."""
    close = Both(judged((9.0, "a"), (8.9, "b")), judged((9.0, "b"), (8.9, "a")))
    clear = Both(judged((1.0, "a"), (-2.0, "b")), judged((1.0, "a"), (-2.0, "b")))
    found = doubt([*[close] * 10, *[clear] * 90, *same(-1.0)])
    assert found.above == 0.0 and 0.1 < found.ahead <= 3.0


def test_numbers_are_rounded_away_from_the_margin() -> None:
    assert doubt([*same(-9.0), Both(judged((-1.234, "a")), CALLED)]).below == 1.24


def test_odds_are_best_first() -> None:
    found = odds({"a": {"x": 1.0}, "b": {"x": 2.0}}, {"x": 2.0, "bias": 1.0})
    assert found == ((5.0, "b"), (3.0, "a"))
    assert Both(found, found).ahead == 2.0 and math.isinf(Both(found[:1], found).ahead)

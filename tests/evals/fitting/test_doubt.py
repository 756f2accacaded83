"""How far from the margin evidence settles: hand-made judgements of both kinds."""

from __future__ import annotations

import math

import pytest

from linnet.calling.choose import MARGIN
from linnet.calling.ranking.relevance import Suit
from linnet.evals.fitting.doubt import Both, doubt


def same(above: float, count: int = 1) -> list[Both]:
    """Evidence and model are of one mind, so far from the margin."""
    return [Both(above, 9.0, above > 0, True)] * count


def test_where_both_always_agree_nothing_is_in_doubt() -> None:
    found = doubt([*same(3.0, 300), *same(-3.0, 300)])
    assert (found.below, found.above, found.ahead) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("far", [0.5, 2.0])
def test_no_tool_is_settled_beyond_the_last_that_the_model_calls(far: float) -> None:
    found = doubt([*same(-3.0, 10), *same(-0.1, 10), Both(-far, 9.0, True, True), *same(3.0, 10)])
    assert (found.below, found.above) == (far, 0.0)


@pytest.mark.parametrize(("called", "alike"), [(False, True), (True, False)])
def test_a_call_is_settled_beyond_the_last_that_the_model_decides_differently(called: bool, alike: bool) -> None:
    found = doubt([*same(-3.0, 10), Both(1.5, 9.0, called, alike), *same(1.0, 10), *same(3.0, 10)])
    assert (found.below, found.above) == (0.0, 1.5)


def test_a_few_of_many_may_differ() -> None:
    many, differs = [*same(-3.0, 300), *same(3.0, 300)], Both(5.0, 9.0, False, True)
    assert doubt([*many, differs, differs, differs]).above == 0.0
    assert doubt([*many, *[differs] * 4]).above == 5.0


def test_being_ahead_of_the_second_spares_being_far_above() -> None:
    """The model picks the other tool where two are close, however likely both are."""
    found = doubt([*[Both(9.0, 0.1, True, False)] * 10, *[Both(1.0, 3.0, True, True)] * 90, *same(-1.0)])
    assert (found.above, found.ahead) == (0.0, 0.25)


def test_numbers_are_rounded_away_from_the_margin() -> None:
    assert doubt([*same(-9.0), Both(-1.234, 9.0, True, True)]).below == 1.24


def test_both_from_what_is_said_of_the_tools() -> None:
    evidence = {"a": Suit(2.0, MARGIN + 1.0), "b": Suit(3.5, MARGIN - 0.5)}
    told = {"a": Suit(4.0, MARGIN + 0.1), "b": Suit(3.5, MARGIN - 9.0)}
    assert Both.of(evidence, told) == Both(-0.5, 1.5, True, False)
    alone = Both.of({"a": evidence["a"]}, {"a": Suit(1.0, MARGIN)})
    assert (math.isinf(alone.ahead), alone.called, alone.same) == (True, False, True)

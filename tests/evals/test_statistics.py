"""Intervals of shares and the paired test, against published numbers and by their laws."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.evals.statistics import holm, mcnemar, middle, wilson


def test_wilson_by_the_book() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81 of 263, and 0 of 20."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share(right: int, more: int) -> None:
    low, high = wilson(right, right + more)
    assert 0 <= low <= right / (right + more) <= high <= 1
    assert wilson(more, right + more) == pytest.approx((1 - high, 1 - low))


def marks(gained: int, lost: int, same: int = 3) -> tuple[list[bool], list[bool]]:
    before = [False] * gained + [True] * lost + [True] * same
    return before, [True] * gained + [False] * lost + [True] * same


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 2 / 32), (6, 0, 2 / 64), (5, 1, 14 / 64), (3, 3, 1.0), (15, 5, 0.041389)],
)
def test_mcnemar_is_the_sign_test_of_those_that_differ(gained: int, lost: int, p: float) -> None:
    assert mcnemar(*marks(gained, lost)) == pytest.approx(p, abs=1e-6)
    assert mcnemar(*marks(lost, gained)) == pytest.approx(p, abs=1e-6)


def test_mcnemar_wants_the_same_cases_and_takes_many() -> None:
    with pytest.raises(ValueError):
        mcnemar([True], [])
    assert mcnemar([], []) == 1.0
    assert mcnemar(*marks(3_000, 1_000)) < 1e-100


@pytest.mark.parametrize("count", [6, 7, 9, 20, 100, 1_001])
def test_the_interval_of_a_median_holds_it_often_enough_and_no_wider(count: int) -> None:
    """The median lies outside of ranks k and n + 1 - k as often as fewer than k of n coins show heads, or tails."""
    low, high = middle(list(range(count, 0, -1)))
    outside = [2 * sum(math.comb(count, heads) for heads in range(k)) / 2**count for k in (low, low + 1)]
    assert outside[0] <= 0.05 < outside[1] and high == count + 1 - low


def test_few_values_have_their_ends_for_an_interval_and_none_have_none() -> None:
    assert middle([3.0, 1.0]) == (1.0, 3.0)
    with pytest.raises(ValueError):
        middle([])


def test_holm_step_by_step() -> None:
    """The smallest by the number of tests, the next by one less, and none below one before it."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_raises_and_keeps_the_order(ps: list[float]) -> None:
    adjusted = holm(ps)
    assert all(p <= a <= 1 for p, a in zip(ps, adjusted, strict=True))
    assert [a for _, a in sorted(zip(ps, adjusted, strict=True))] == sorted(adjusted)

"""Which tokens are computed next: plain values in and out, so the policy is tried without a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.limits import LIMITS
from linnet.worker.batch import LARGEST, ROWS, SMALLEST, Lane, StepSizer, plan


def lane(size: int, sequence: int = 0) -> Lane:
    return Lane(sequence, 0, list(range(size)))


def sizes(lanes: list[Lane], budget: int) -> list[tuple[int, int]]:
    """(sequence, tokens) of each lane of the plan, in order."""
    return [(lane.sequence, count) for lane, count in plan(lanes, budget)]


def test_decodes_go_before_prefill() -> None:
    lanes = [lane(1_500, 0), lane(1, 1), lane(900, 2), lane(1, 3)]
    assert sizes(lanes, 100) == [(1, 1), (3, 1), (0, 98)]


def test_a_forced_run_counts_as_a_decode() -> None:
    lanes = [lane(SMALLEST + 1, 0), lane(SMALLEST, 1)]
    assert sizes(lanes, 20) == [(1, SMALLEST), (0, 20 - SMALLEST)]


def test_the_oldest_prompt_goes_first() -> None:
    lanes = [lane(100, 0), lane(100, 1), lane(100, 2)]
    assert sizes(lanes, 150) == [(0, 100), (1, 50)]


def test_a_lane_without_tokens_takes_no_part() -> None:
    assert sizes([lane(0, 0), lane(2, 1), lane(0, 2)], 10) == [(1, 2)]
    assert plan([], 10) == [] and plan([lane(0)], 10) == []


def test_no_budget_no_plan() -> None:
    assert plan([lane(3)], 0) == []


LANES = st.lists(st.integers(0, 600), max_size=20)


@given(LANES, st.integers(0, LARGEST))
def test_the_budget_is_kept_and_used_up(wanted: list[int], budget: int) -> None:
    lanes = [lane(size, i) for i, size in enumerate(wanted)]
    chosen = plan(lanes, budget)
    assert sum(count for _, count in chosen) == min(budget, sum(wanted))
    assert all(0 < count <= len(one.pending) for one, count in chosen)
    assert len({one.sequence for one, _ in chosen}) == len(chosen)


@given(LANES, st.integers(0, LARGEST))
def test_short_before_long_and_each_in_order(wanted: list[int], budget: int) -> None:
    lanes = [lane(size, i) for i, size in enumerate(wanted)]
    order = [(len(one.pending) > SMALLEST, one.sequence) for one, _ in plan(lanes, budget)]
    assert order == sorted(order)


@given(LANES, st.integers(1, LARGEST))
def test_only_the_last_lane_of_a_plan_is_cut(wanted: list[int], budget: int) -> None:
    chosen = plan([lane(size, i) for i, size in enumerate(wanted)], budget)
    assert all(count == len(one.pending) for one, count in chosen[:-1])


def test_a_prompt_is_never_starved() -> None:
    """Fifteen answers and one prompt: even the smallest step has a token left for the prompt."""
    lanes = [lane(1, i) for i in range(LIMITS.sequences - 1)] + [lane(1_000, 99)]
    assert sizes(lanes, SMALLEST)[-1] == (99, 1)


def test_a_long_prompt_is_fed_whole_in_chunks() -> None:
    prompt, fed, steps = Lane(0, 0, list(range(1_500))), [], 0
    while prompt.pending:
        ((one, count),) = plan([prompt], 64)
        fed += one.pending[:count]
        assert one.position == len(fed) - count
        one.advance(count)
        steps += 1
    assert fed == list(range(1_500)) and prompt.position == 1_500 and steps == 24


# --- the size of a step --------------------------------------------------------------------------


def test_the_first_step_is_small() -> None:
    assert SMALLEST <= StepSizer().budget(0.25) <= 4 * SMALLEST


def test_the_budget_follows_the_machine() -> None:
    sizer = StepSizer()
    for _ in range(12):
        sizer.observe(100, 0.5)  # 200 tokens a second
    assert sizer.budget(0.25) == pytest.approx(50, abs=1)
    for _ in range(12):
        sizer.observe(100, 0.1)  # 1,000 tokens a second
    assert sizer.budget(0.25) == pytest.approx(250, abs=2)


def test_the_budget_has_two_ends() -> None:
    sizer = StepSizer()
    sizer.observe(100, 1_000.0)
    assert sizer.budget(0.25) == SMALLEST
    for _ in range(30):
        sizer.observe(512, 0.001)
    assert sizer.budget(0.25) == LARGEST


def test_small_steps_teach_nothing() -> None:
    sizer = StepSizer()
    for _ in range(9):
        sizer.observe(1, 0.1)
        sizer.observe(SMALLEST - 1, 5.0)
        sizer.observe(100, 0.0)
    assert sizer.budget(0.25) == StepSizer().budget(0.25)


@given(st.lists(st.tuples(st.integers(0, 600), st.floats(0, 1e6)), max_size=20))
def test_the_budget_is_always_a_usable_number(seen: list[tuple[int, float]]) -> None:
    sizer = StepSizer()
    for tokens, seconds in seen:
        sizer.observe(tokens, seconds)
        assert SMALLEST <= sizer.budget(0.25) <= LARGEST


def test_a_prompt_is_fed_while_scores_take_every_row() -> None:
    scores = [Lane(i, 0, [1] * SMALLEST, every=True) for i in range(6)]
    chosen = plan([*scores, lane(100, 9)], 400)
    assert sum(count for one, count in chosen if one.every) == ROWS
    assert chosen[-1][0].sequence == 9 and chosen[-1][1] == 99, "all but the last, which wants a row"

"""The number of threads: within every bound, less beside others, and no flapping."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.hardware.governor import MARGIN, QUIET_LOOKS, Governor, Threads, threads, why
from linnet.hardware.machine import Machine


def machine(**facts: Any) -> Machine:
    return Machine("linux", "x86_64", **facts)


TWO = machine(cores=2, affinity=2, physical_cores=2)

CORES = st.none() | st.integers(1, 256)
MACHINES = st.builds(
    machine, cores=CORES, affinity=CORES, physical_cores=CORES, quota=st.none() | st.floats(0.01, 256)
)
LOADS = st.floats(0, 512)


# --- a look --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "busy", "counts", "reason"),
    [
        ({"cores": 2, "affinity": 2, "physical_cores": 2}, 0.0, (2, 2), "one for each physical core"),
        ({"cores": 2, "affinity": 2, "physical_cores": 2}, 0.2, (2, 2), "one for each physical core"),
        ({"cores": 2, "affinity": 2, "physical_cores": 2}, 0.4, (1, 2), "other programs keep 0.4 cores busy"),
        ({"cores": 2, "affinity": 2, "physical_cores": 2}, 0.5, (1, 1), "other programs keep 0.5 cores busy"),
        ({"cores": 2, "affinity": 2, "physical_cores": 2}, 2.0, (1, 1), "other programs keep 2.0 cores busy"),
        ({"cores": 16, "affinity": 16, "physical_cores": 8}, 0.0, (8, 8), "one for each physical core"),
        ({"cores": 16, "affinity": 16, "physical_cores": 8}, 3.0, (8, 8), "one for each physical core"),
        ({"cores": 16, "affinity": 16, "physical_cores": 8}, 10.0, (6, 6), "other programs keep 10.0 cores busy"),
        ({"cores": 64, "affinity": 64, "quota": 2.5}, 10.0, (2, 2), "the quota is 2.5 cores"),
        ({"cores": 64, "affinity": 64, "quota": 0.5}, 0.0, (1, 1), "the quota is 0.5 cores"),
        ({"cores": 64, "affinity": 3}, 0.0, (3, 3), "one for each core"),
        ({"cores": 8}, 0.0, (8, 8), "one for each core"),
        ({}, 0.0, (1, 1), "one for each core"),
        ({"cores": 4, "load": (3.0, 1.0, 1.0)}, None, (1, 1), "other programs keep 3.0 cores busy"),
        ({"cores": 4, "load": (3.0, 1.0, 1.0)}, 0.0, (4, 4), "one for each core"),
        ({"cores": 4}, None, (4, 4), "one for each core"),
    ],
)
def test_threads(facts: dict[str, Any], busy: float | None, counts: tuple[int, int], reason: str) -> None:
    assert threads(machine(**facts), busy) == Threads(*counts)
    assert why(machine(**facts), busy) == reason


@given(MACHINES, st.none() | LOADS, st.integers(1, 20))
def test_never_more_than_any_bound_and_never_none(here: Machine, busy: float | None, workers: int) -> None:
    governor = Governor()
    governor.look(busy or 0.0)
    for found in (threads(here, busy), governor.threads(here, workers)):
        for count in (found.decode, found.prefill):
            assert count >= 1
            bounds = (here.cores, here.affinity, here.physical_cores, here.quota)
            assert all(count <= max(1, bound) for bound in bounds if bound is not None)


@given(MACHINES, LOADS, LOADS)
def test_more_load_never_gives_more_threads(here: Machine, one: float, other: float) -> None:
    more, less = threads(here, max(one, other)), threads(here, min(one, other))
    assert more.decode <= less.decode
    assert more.prefill <= less.prefill


@given(MACHINES, LOADS)
def test_decoding_never_gets_more_than_prefill(here: Machine, busy: float) -> None:
    assert threads(here, busy).decode <= threads(here, busy).prefill


# --- many looks ----------------------------------------------------------------------------------


def test_it_gives_way_at_once_and_comes_back_when_it_stays_quiet() -> None:
    governor = Governor()
    counts = []
    for others in (0.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.1):
        governor.look(others)
        counts.append(governor.threads(TWO).decode)
    assert counts == [2, 1, 1, 1, 1, 2, 2]
    assert QUIET_LOOKS == 3


def test_a_quiet_moment_is_not_believed() -> None:
    governor = Governor()
    for others in (1.0, 0.0, 0.0, 1.0, 0.0, 0.0):
        governor.look(others)
        assert governor.threads(TWO) == Threads(1, 1)


def test_before_the_first_look_nothing_is_left_to_others() -> None:
    assert Governor().threads(TWO) == Threads(2, 2)


def test_workers_share_the_cores() -> None:
    sixteen = machine(cores=16, affinity=16)
    governor = Governor()
    governor.look(4.0)
    assert [governor.threads(sixteen, workers).decode for workers in (0, 1, 2, 5, 12, 13)] == [12, 12, 6, 2, 1, 1]


HUGE = machine(cores=4_096)


@given(st.floats(0, 64), st.lists(st.floats(0, 0.99 * MARGIN), min_size=1, max_size=50))
def test_jitter_changes_each_answer_once_at_most(load: float, jitter: list[float]) -> None:
    governor, answers = Governor(), []
    for more in jitter:
        governor.look(load + more)
        answers.append(governor.threads(HUGE))
    for counts in ([one.decode for one in answers], [one.prefill for one in answers]):
        assert sorted(counts, reverse=True) == counts
        assert len(set(counts)) <= 2


@given(st.lists(st.tuples(st.floats(0, 64), st.floats(0, 4)), max_size=30))
def test_more_load_all_along_never_gives_more_threads(loads: list[tuple[float, float]]) -> None:
    quiet, busy = Governor(), Governor()
    for load, more in loads:
        quiet.look(load)
        busy.look(load + more)
        assert busy.threads(HUGE).decode <= quiet.threads(HUGE).decode
        assert busy.threads(HUGE).prefill <= quiet.threads(HUGE).prefill


@given(st.lists(LOADS, max_size=20), LOADS)
def test_a_steady_load_ends_at_what_one_look_says_or_one_less(before: list[float], load: float) -> None:
    governor = Governor()
    for others in [*before, *[load] * QUIET_LOOKS]:
        governor.look(others)
    settled, fresh = governor.threads(HUGE), threads(HUGE, load)
    assert fresh.decode - 1 <= settled.decode <= fresh.decode
    assert fresh.prefill - 1 <= settled.prefill <= fresh.prefill
    governor.look(load)
    assert governor.threads(HUGE) == settled

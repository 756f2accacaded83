"""Which replica a key goes to: alike for all who ask, stable where replicas come and go, bounded in load."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.interfaces.scale import routing
from linnet.interfaces.scale.routing import SPREAD, Orders, Promised, bound, placed, ranked
from linnet.limits import LIMITS

NAMES = [f"replica{i}" for i in range(8)]
KEYS = [f"key{i}" for i in range(2_000)]

loads = st.dictionaries(st.text(min_size=1), st.integers(0, 40), min_size=1, max_size=12)


@given(st.text(), st.lists(st.text(), unique=True, max_size=8), st.randoms())
def test_the_order_depends_on_key_and_names_alone(key: str, names: list[str], random) -> None:
    shuffled = random.sample(names, len(names))
    assert ranked(key, names) == ranked(key, shuffled)
    assert sorted(ranked(key, names)) == sorted(names)


def test_keys_are_spread_evenly() -> None:
    firsts = Counter(ranked(key, NAMES)[0] for key in KEYS)
    assert set(firsts) == set(NAMES)
    assert max(firsts.values()) < 1.3 * len(KEYS) / len(NAMES)


def test_a_replica_that_goes_takes_only_its_own_keys_along() -> None:
    left = NAMES[:-1]
    for key in KEYS[:200]:
        before, after = ranked(key, NAMES), ranked(key, left)
        assert after == [name for name in before if name != NAMES[-1]]


@given(st.text(), loads)
def test_the_best_is_below_the_bound_and_nobody_is_left_out(key: str, loads: dict[str, int]) -> None:
    order = placed(key, loads)
    assert sorted(order) == sorted(loads)
    assert loads[order[0]] < bound(loads.values())


@given(st.text(), loads)
def test_without_load_the_key_decides(key: str, loads: dict[str, int]) -> None:
    assert placed(key, dict.fromkeys(loads, 0)) == ranked(key, loads)


def test_one_key_that_everybody_asks_with_is_shared_out() -> None:
    now = dict.fromkeys(NAMES, 0)
    for _ in range(64):
        now[placed("the same", now)[0]] += 1
    assert max(now.values()) <= SPREAD * 64 / len(NAMES) + 1
    assert sum(load > 0 for load in now.values()) >= len(NAMES) / SPREAD


def test_a_slow_replica_is_left_its_share_and_no_more() -> None:
    now = dict.fromkeys(NAMES[:2], 0)
    for _ in range(100):
        chosen = placed("k", now)[0]
        now[chosen] += 1
        fast = next(name for name in now if name != ranked("k", now)[0])
        now[fast] = 0  # it has ended what it had
    assert now[ranked("k", now)[0]] <= 2


def test_those_that_failed_it_come_last() -> None:
    first = ranked("k", NAMES)[0]
    assert placed("k", dict.fromkeys(NAMES, 0), avoid=[first])[-1] == first
    assert placed("k", {"only": 3}, avoid=["only"]) == ["only"]


def test_a_burst_is_placed_as_if_it_ran_already() -> None:
    promised, idle = Promised(now=lambda: 0.0), dict.fromkeys(NAMES[:3], 0)
    firsts = Counter(promised.place(f"request {i}", "the same", idle)[0] for i in range(9))
    assert sorted(firsts.values()) == [1, 4, 4]


def test_what_has_arrived_is_counted_once_and_what_never_does_is_forgotten() -> None:
    now = 0.0
    promised, idle = Promised(seconds=2.0, now=lambda: now), dict.fromkeys(NAMES[:2], 0)
    first = promised.place("a", "k", idle)[0]
    assert promised.place("a", "k", idle)[0] == first, "one that is placed again does not stand in its own way"
    promised.kept("a")
    assert promised.place("b", "k", idle)[0] == first
    assert promised.place("c", "k", idle)[0] == first, "of two, a bound of two"
    assert promised.place("d", "k", idle)[0] != first
    now = 3.0
    assert promised.place("e", "k", idle)[0] == first


@given(st.lists(st.tuples(st.sampled_from(KEYS[:4]), st.sets(st.sampled_from(NAMES[:3])))))
def test_orders_that_are_remembered_are_the_same(asked: list[tuple[str, set[str]]]) -> None:
    orders = Orders()
    for key, replicas in asked:
        assert orders.ranked(key, replicas) == ranked(key, replicas)


def test_orders_of_so_many_prefixes_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    worked_out: list[str] = []

    def counted(key: str, replicas: frozenset[str]) -> list[str]:
        worked_out.append(key)
        return ranked(key, replicas)

    monkeypatch.setattr(routing, "ranked", counted)
    orders, keys = Orders(), KEYS[: LIMITS.replica_orders]
    for key in (*keys, *keys):
        orders.ranked(key, NAMES)
    assert worked_out == keys
    orders.ranked("one more", NAMES)
    for key in keys[1:]:
        orders.ranked(key, NAMES)
    assert worked_out == [*keys, "one more"], "it takes the place of the one that was asked with longest ago"
    orders.ranked(keys[0], NAMES)
    assert worked_out[-1] == keys[0]

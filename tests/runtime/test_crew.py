"""The crew: outcomes in order, however they are worked on; never more at once, nor further ahead, than was said."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.runtime.crew import in_order


@given(st.lists(st.text("ab", max_size=3), max_size=40), st.integers(1, 5), st.integers(1, 7))
def test_outcomes_have_the_order_of_the_items(items: list[str], at_once: int, ahead: int) -> None:
    def work(index: int, item: str) -> tuple[int, str]:
        if random.random() < 0.1:
            time.sleep(0.0005)
        return index, item

    found = list(in_order(items, work, at_once=at_once, ahead=ahead, alike=lambda item: item))
    assert found == list(enumerate(items))


def test_what_is_alike_is_worked_on_together_and_nothing_waits_for_ever() -> None:
    worked: list[str] = []
    items = ["b1", "a1", "c1", "a2", "b2", "a3"]
    all_there = threading.Event()

    def source() -> Iterator[str]:
        yield from items
        all_there.set()

    def work(index: int, item: str) -> None:
        all_there.wait(60)
        worked.append(item)

    list(in_order(source(), work, at_once=1, ahead=7, alike=lambda item: item[0]))
    # The first may have been taken before the others were there; from it on the sweep goes up, and begins anew.
    assert sorted(worked) == sorted(items)
    assert worked.index("a2") + 1 == worked.index("a3")
    assert abs(worked.index("b1") - worked.index("b2")) == 1


def test_never_more_at_once_and_never_further_ahead() -> None:
    lock, running, most, read = threading.Lock(), 0, 0, 0
    taken = 0

    def items() -> Iterator[int]:
        nonlocal read
        for i in range(60):
            assert i - taken < 10
            read += 1
            yield i

    def work(index: int, item: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.001)
        with lock:
            running -= 1
        return item

    for _ in in_order(items(), work, at_once=3, ahead=10):
        taken += 1
    assert (read, taken) == (60, 60)
    assert 2 <= most <= 3


def test_an_item_that_is_slow_holds_up_no_other() -> None:
    gate, done = threading.Event(), []

    def work(index: int, item: int) -> int:
        if item == 0:
            assert gate.wait(60)
        else:
            done.append(item)
            if len(done) == 9:
                gate.set()
        return item

    assert list(in_order(range(10), work, at_once=2, ahead=10)) == list(range(10))


def test_what_work_raises_is_raised_in_its_place() -> None:
    outcomes = in_order(range(5), lambda index, item: 10 // (item - 2), at_once=2, ahead=5)
    assert [next(outcomes), next(outcomes)] == [-5, -10]
    with pytest.raises(ZeroDivisionError):
        next(outcomes)


def test_what_the_items_raise_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("gone")

    with pytest.raises(KeyError):
        list(in_order(items(), lambda index, item: item, at_once=2, ahead=5))


def test_closing_leaves_what_is_not_begun_and_no_thread() -> None:
    begun: list[int] = []
    outcomes = in_order(range(100), lambda index, item: begun.append(item), at_once=2, ahead=100)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    for _ in range(200):
        if not any(thread.name == "linnet-crew" for thread in threading.enumerate()):
            break
        time.sleep(0.02)
    else:
        raise AssertionError("threads are left")
    assert begun == list(range(len(begun)))


def test_there_may_be_nothing_to_do() -> None:
    assert list(in_order([], lambda index, item: item, at_once=3, ahead=3)) == []

"""The line: who runs, who waits, who is sent away, without any server."""

from __future__ import annotations

import pytest

from linnet.errors import Cancelled, QueueFull
from linnet.interfaces.http.line import Line


class Waiter:
    def __init__(self) -> None:
        self.state = "waiting"

    def begin(self) -> None:
        self.state = "runs"

    def refuse(self) -> None:
        self.state = "refused"


def filled(seats: int, room: int, count: int) -> tuple[Line, list[Waiter]]:
    line, waiters = Line(seats, room), [Waiter() for _ in range(count)]
    for waiter in waiters:
        line.join(waiter)
    return line, waiters


def test_seats_are_given_in_order() -> None:
    line, waiters = filled(2, 10, 4)
    assert [w.state for w in waiters] == ["runs", "runs", "waiting", "waiting"]
    assert (line.running, line.waiting) == (2, 2)
    line.left(1.0)
    assert [w.state for w in waiters] == ["runs", "runs", "runs", "waiting"]
    assert (line.running, line.waiting) == (2, 1)


def test_exactly_the_overflow_is_refused() -> None:
    line, _ = filled(1, 3, 3)
    with pytest.raises(QueueFull) as caught:
        line.join(Waiter())
    assert 1 <= caught.value.details["retry_after"] <= 60
    line.left(0.1)
    line.join(Waiter())
    assert (line.running, line.waiting) == (1, 2)


def test_who_has_left_the_line_is_not_begun() -> None:
    line, waiters = filled(1, 5, 3)
    assert line.withdraw(waiters[1]) and not line.withdraw(waiters[1]) and not line.withdraw(waiters[0])
    line.left(1.0)
    assert [w.state for w in waiters] == ["runs", "waiting", "runs"]


def test_a_closed_line_refuses_those_that_wait_and_all_later_ones() -> None:
    line, waiters = filled(1, 5, 3)
    line.close()
    assert [w.state for w in waiters] == ["runs", "refused", "refused"]
    with pytest.raises(Cancelled):
        line.join(Waiter())
    line.left(1.0)
    assert (line.running, line.waiting) == (0, 0)


def test_the_wait_that_is_asked_for_grows_with_the_line() -> None:
    def asked(count: int) -> float:
        line, _ = filled(1, count, count)
        with pytest.raises(QueueFull) as caught:
            line.join(Waiter())
        return float(caught.value.details["retry_after"])

    assert asked(2) < asked(30) < asked(1000) <= 60

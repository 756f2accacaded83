"""Seats: who is probed, and that somebody is, whatever befalls the prober. No server is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from linnet.errors import RemoteBusy, RemoteDown, RemoteUnreachable
from linnet.runtime.fleet.seats import Seats
from linnet.runtime.fleet.server import Server
from linnet.runtime.remote import RemoteModel

Make = Callable[..., Seats]
GONE = RemoteUnreachable("nobody is there")


def some(many: int, at_once: int = 4) -> list[Server]:
    return [Server(RemoteModel(f"http://127.0.0.1:{n}/v1", "m"), at_once, f"s{n}") for n in range(1, many + 1)]


@pytest.fixture
def seats() -> Iterator[Make]:
    made: list[Seats] = []

    def make(
        servers: list[Server], probe: Callable[[Server], None], clock: Callable[[], float] = time.monotonic
    ) -> Seats:
        made.append(Seats(servers, probe, clock))
        return made[-1]

    yield make
    for one in made:
        one.close()


def hours() -> Callable[[], float]:
    """A clock on which an hour passes between two looks, so that all that is to be waited for is due."""
    passed = count()
    return lambda: 3_600.0 * next(passed)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)


def lose(seats: Seats, server: Server) -> None:
    """A request was sent to it, and nobody was there."""
    server.outstanding += 1
    seats.left(server, GONE)


def test_the_last_of_many_is_probed_though_those_before_it_are_always_due(seats: Make) -> None:
    servers, seen, release = some(9), [], threading.Event()
    now = [0.0]

    def probe(server: Server) -> None:
        release.wait(60)
        seen.append(server.name)
        now[0] += 5.0  # each look takes as long as it may, so that the first is due again before the second had one
        raise GONE

    made = seats(servers, probe, lambda: now[0])
    for server in servers:
        lose(made, server)
    now[0] = 100.0
    release.set()
    until(lambda: len(seen) >= 9)
    assert seen[:9] == [server.name for server in servers]


def test_a_probe_that_breaks_in_an_unknown_way_is_one_that_failed(seats: Make) -> None:
    (server,) = some(1)
    seen: list[str] = []

    def probe(server: Server) -> None:
        seen.append(server.name)
        if len(seen) == 1:
            raise OSError(24, "too many open files")

    made = seats([server], probe, hours())
    lose(made, server)
    until(lambda: server.circuit.state == "half-open")
    assert len(seen) == 2


def test_where_no_thread_can_be_started_the_next_request_tries_again(
    seats: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server,) = some(1)
    made = seats([server], lambda server: None, hours())

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", start)
        lose(made, server)
    assert server.outstanding == 0 and server.circuit.state == "open"
    with pytest.raises(RemoteDown):
        made.take()
    until(lambda: server.circuit.state == "half-open")
    assert made.take() is server


def half_open_with(older: int, at_once: int) -> Server:
    """One that was given up and answered a probe, while so many requests from before ran on."""
    (server,) = some(1, at_once)
    server.outstanding = older
    server.failed(GONE, 0.0, False)
    server.probed(100.0, None)
    assert server.circuit.state == "half-open"
    return server


def test_one_that_is_back_is_tried_beside_the_answers_from_before(seats: Make) -> None:
    server = half_open_with(older=2, at_once=4)
    made = seats([server], lambda server: None)
    assert made.take() is server
    assert made.take() is None, "by one at a time"
    made.left(server)
    assert made.take() is None, "whichever of them it was that left"
    made.began(server)
    assert [made.take(), made.take(), made.take()] == [server, server, None], "and then as any other"


def test_a_trial_too_needs_a_seat(seats: Make) -> None:
    server = half_open_with(older=2, at_once=2)
    made = seats([server], lambda server: None)
    assert made.take() is None
    made.left(server)
    assert made.take() is server


def test_how_long_to_wait_is_told_of_those_that_are_left(seats: Make) -> None:
    servers = some(2)
    made = seats(servers, lambda server: None, lambda: 0.0)
    lose(made, servers[0])
    servers[1].outstanding += 1
    made.left(servers[1], RemoteBusy("not now", retry_after=30.0))
    for tried, after in (((), 1.0), (servers[:1], 30.0)):
        with pytest.raises(RemoteDown) as down:
            made.take(tried)
        assert down.value.details["retry_after"] == after
        assert len(down.value.details["servers"]) == 2
    assert "none of 1 servers" in down.value.message

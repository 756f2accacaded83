"""Seats: who is probed, and that somebody is, whatever befalls the prober. No server is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from linnet.errors import RemoteUnreachable
from linnet.runtime.fleet.seats import Seats
from linnet.runtime.fleet.server import Server
from linnet.runtime.remote import RemoteModel

Make = Callable[..., Seats]
GONE = RemoteUnreachable("nobody is there")


def some(count: int, at_once: int = 4) -> list[Server]:
    return [Server(RemoteModel(f"http://127.0.0.1:{n}/v1", "m"), at_once, f"s{n}") for n in range(1, count + 1)]


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

"""Cancelling: whatever runs through it ends when another thread says so, over every kind of stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from linnet.errors import Cancelled
from linnet.messages import Message
from linnet.requests import Capabilities, Done, Event, Generate, Piece, Request, complete
from linnet.runtime.cancelling import Cancelling
from linnet.runtime.supervisor import Supervisor
from linnet.script import Say

ASK = Generate((Message("user", "Hello"),))


class Over:
    """A Model over a supervisor."""

    capabilities = Capabilities("scripted", 100)

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor

    def stream(self, request: Request) -> Iterator[Event]:
        return self.supervisor.stream(request)


class Endless:
    """A Model whose stream is a generator, which no other thread can close while it runs."""

    capabilities = Capabilities("endless", 100)

    def __init__(self) -> None:
        self.closed = threading.Event()

    def stream(self, request: Request) -> Iterator[Event]:
        try:
            while True:
                time.sleep(0.005)
                yield Piece("x", (1,))
        finally:
            self.closed.set()


def test_what_is_not_cancelled_passes_through(scripted: Callable[..., Supervisor]) -> None:
    model = Cancelling(Over(scripted(Say(b"well".hex()))))
    assert complete(model, ASK).text == "well"
    assert model.capabilities.name == "scripted"


def test_a_stream_that_waits_is_woken_and_its_request_is_gone(scripted: Callable[..., Supervisor]) -> None:
    supervisor = scripted(Say(b"slow".hex()), seconds_per_token=20.0)
    model = Cancelling(Over(supervisor))
    events = model.stream(ASK)
    threading.Timer(0.2, model.cancel).start()
    with pytest.raises(Cancelled):
        list(events)
    assert not supervisor._tickets
    with pytest.raises(Cancelled):
        model.stream(ASK)


def test_a_generator_that_runs_is_given_up_at_its_next_event() -> None:
    endless = Endless()
    model = Cancelling(endless)
    events = model.stream(ASK)
    assert isinstance(next(events), Piece)
    threading.Timer(0.05, model.cancel).start()
    with pytest.raises(Cancelled):
        list(events)
    assert endless.closed.wait(60)


def test_dropping_a_stream_still_cancels_it() -> None:
    endless = Endless()
    events = Cancelling(endless).stream(ASK)
    next(events)
    del events
    assert endless.closed.wait(60)


def test_cancelled_between_the_look_and_the_stream(scripted: Callable[..., Supervisor]) -> None:
    supervisor = scripted(Say(b"slow".hex()), seconds_per_token=20.0)

    class Late(Over):
        def stream(self, request: Request) -> Iterator[Event]:
            events = super().stream(request)
            model.cancel()
            return events

    model = Cancelling(Late(supervisor))
    with pytest.raises(Cancelled):
        model.stream(ASK)
    assert not supervisor._tickets


def test_cancelling_after_the_end_and_twice(scripted: Callable[..., Supervisor]) -> None:
    model = Cancelling(Over(scripted(Say(b"a".hex()))))
    events = model.stream(ASK)
    assert isinstance(list(events)[-1], Done)
    model.cancel()
    model.cancel()
    with pytest.raises(Cancelled):
        model.check()

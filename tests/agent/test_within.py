"""Within: what is left of a turn's time goes to the next request, and never more than it asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from linnet.agent.within import Within
from linnet.errors import DeadlineExceeded
from linnet.messages import Message
from linnet.requests import Capabilities, Count, Done, Event, Generate, Piece, Request, Score, complete

ASK = (Message("user", "Hello"),)
COUNT, SCORE, GENERATE = Count(ASK), Score(ASK, ("a",)), Generate(ASK)


class Listening:
    """Takes note of the requests that reach it."""

    def __init__(self) -> None:
        self.heard: list[Request] = []

    capabilities = Capabilities("listening", 100)

    def stream(self, request: Request) -> Iterator[Event]:
        self.heard.append(request)
        yield Done(text="yes")


@pytest.mark.parametrize("request_", [COUNT, SCORE, GENERATE], ids=lambda request: request.kind)
def test_a_request_gets_what_is_left(request_: Request) -> None:
    model = Listening()
    assert complete(Within(model, 5.0), request_).text == "yes"
    (heard,) = model.heard
    assert 4.0 < heard.deadline <= 5.0
    assert (type(heard), heard.prompt) == (type(request_), request_.prompt)


def test_never_more_than_it_asked_for() -> None:
    model = Listening()
    complete(Within(model, float("inf")), Generate(ASK, deadline=2.0))
    assert model.heard[0].deadline == 2.0


def test_less_with_each_request_and_none_at_the_end() -> None:
    model = Listening()
    within = Within(model, 0.5)
    complete(within, COUNT)
    complete(within, COUNT)
    assert model.heard[1].deadline < model.heard[0].deadline
    time.sleep(0.5)
    with pytest.raises(DeadlineExceeded, match=r"the turn did not end within its 0\.5 s") as caught:
        within.stream(COUNT)
    assert caught.value.details == {"seconds": 0.5}
    assert len(model.heard) == 2


def test_the_model_beneath_is_seen() -> None:
    assert Within(Listening(), 1.0).capabilities == Capabilities("listening", 100)


def test_a_request_that_notices_first_tells_of_the_turn() -> None:
    class Late(Listening):
        def stream(self, request: Request) -> Iterator[Event]:
            raise DeadlineExceeded("the request did not end within its 0.0123 s", seconds=0.0123)
            yield

    with pytest.raises(DeadlineExceeded, match="the turn did not end within its 5 s"):
        complete(Within(Late(), 5.0), COUNT)


def test_a_request_that_is_refused_for_its_time_tells_of_the_turn() -> None:
    class Busy(Listening):
        """Notices it before there is anything to hear, as where a prompt is not rendered in time."""

        def stream(self, request: Request) -> Iterator[Event]:
            raise DeadlineExceeded("the prompt was not rendered within the request's 0.0123 s", seconds=0.0123)

    within = Within(Busy(), 5.0)
    with pytest.raises(DeadlineExceeded, match="the turn did not end within its 5 s"):
        complete(within, COUNT)
    assert [question.error for question in within.questions] == ["deadline_exceeded"]


def test_what_is_not_as_it_should_be_is_told_once() -> None:
    class Resumed(Listening):
        def stream(self, request: Request) -> Iterator[Event]:
            yield Done(degraded=("resumed", f"a {request.kind}"))

    within = Within(Resumed(), 5.0)
    for request in (COUNT, SCORE, COUNT):
        complete(within, request)
    assert within.degraded == ("resumed", "a count", "a score")


def test_dropping_it_drops_the_stream_behind_it() -> None:
    closed = []

    class Endless(Listening):
        def stream(self, request: Request) -> Iterator[Event]:
            try:
                while True:
                    yield Piece("la", (1,))
            finally:
                closed.append(request.kind)

    stream = Within(Endless(), 5.0).stream(GENERATE)
    assert next(stream) == Piece("la", (1,))
    del stream
    assert closed == ["generate"]

"""What follows from times and counts, without a model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import pytest

from linnet.evals.speed.measure import Measure, NotMeasured, Watched, together, usage_of, watch
from linnet.requests import Capabilities, Done, Event, Generate, Piece, Request, Segment, Usage
from linnet.runtime.rawloop import Spread

PROMPT = Generate((Segment("hi", False),))


def watched(*arrivals: tuple[float, int], begun: float = 0.0) -> Watched:
    ended = arrivals[-1][0] if arrivals else begun
    return Watched(begun, arrivals, ended, Done(usage=Usage(3, 1, sum(n for _, n in arrivals), 0)))


def test_ratios_are_made_within_rounds() -> None:
    """A round that was slow for both says nothing: medians of each side would."""
    one = Measure("decode", "tok/s", (10.0, 90.0, 100.0), peer="raw", against=(10.0, 100.0, 200.0))
    assert one.ratio == Spread(0.9, 0.7, 0.95)
    assert one.spread == Spread(90.0, 50.0, 95.0)
    assert Measure("decode", "tok/s", (1.0,)).ratio is None


def test_rounds_of_both_sides_are_as_many() -> None:
    with pytest.raises(ValueError):
        _ = Measure("decode", "tok/s", (1.0, 2.0), peer="raw", against=(1.0,)).ratio


def test_a_measure_tells_of_itself_in_json() -> None:
    one = Measure("prefill", "tok/s", (2.0, 4.0), "more", 512, "raw", (4.0, 4.0), Usage(10, 2, 3, 1), "why")
    told = json.loads(json.dumps(one.describe()))
    assert told == {
        "name": "prefill",
        "at": 512,
        "unit": "tok/s",
        "better": "more",
        "median": 3.0,
        "spread": [2.5, 3.5],
        "repeats": 2,
        "values": [2.0, 4.0],
        "usage": asdict(Usage(10, 2, 3, 1)),
        "peer": {"name": "raw", "median": 4.0, "spread": [4.0, 4.0]},
        "ratio": {"median": 0.75, "spread": [0.625, 0.875]},
        "note": "why",
    }
    assert one.label == "prefill 512"
    assert not {"peer", "ratio", "note"} & set(Measure("rule", "ms", (1.0,)).describe())


def test_an_answer_is_timed_from_its_first_token() -> None:
    one = watched((2.0, 1), (2.5, 1), (4.0, 3), begun=1.0)
    assert one.first == 1.0 and one.seconds == 3.0
    assert one.streamed() == (4, 2.0)


def test_an_answer_that_is_too_short_is_not_measured() -> None:
    with pytest.raises(NotMeasured):
        _ = watched().first
    with pytest.raises(NotMeasured):
        watched((1.0, 2)).streamed()


def test_together_counts_only_while_all_run() -> None:
    early = watched((0.0, 1), (1.0, 5), (2.0, 1), (3.0, 1))
    late = watched((1.5, 1), (2.0, 1), (3.0, 1), (4.0, 9))
    assert together([early, late]) == (4, 1.5)
    assert together([early]) == (7, 3.0)
    with pytest.raises(NotMeasured):
        together([early, watched((3.0, 1), (4.0, 1))])
    with pytest.raises(NotMeasured):
        together([early, watched()])


def test_usage_adds_up() -> None:
    assert usage_of([watched((0.0, 2)), watched((0.0, 3))]) == Usage(6, 2, 5, 0)


class Slow:
    """A Model whose clock moves by a second with each event."""

    def __init__(self, *events: Event) -> None:
        self.events, self.now = events, 0.0
        self.capabilities = Capabilities("slow", 100)

    def clock(self) -> float:
        return self.now

    def stream(self, request: Request) -> Iterator[Event]:
        for event in self.events:
            self.now += 1.0
            yield event


def test_arrivals_are_those_of_tokens() -> None:
    model = Slow(Piece("a", (1,)), Piece("", (2, 3)), Piece("rest", ()), Done("arest", "length", Usage(2, 0, 3, 0)))
    seen = watch(model, PROMPT, model.clock)
    assert seen.arrivals == ((1.0, 1), (2.0, 2)) and (seen.begun, seen.ended) == (0.0, 4.0)
    assert seen.done.usage.generated_tokens == sum(count for _, count in seen.arrivals)

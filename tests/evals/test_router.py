"""Counting intents: what is right, in scope and out of it, and the language model as the classifier."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from linnet.agent.intents.examples import Example, load
from linnet.evals.router import Answer, ByLikelihood, Outcome, evaluate, margin_of, spread, totals
from linnet.evals.statistics import wilson
from linnet.limits import LIMITS
from linnet.requests import Capabilities, Done, Event, Request, Score, Usage

CLINC = Path(__file__).parents[3] / "shared" / "data" / "clinc150" / "data_full.json"

ROWS = (Example("a sure", "a"), Example("b sure", "a"), Example("a", "a"), Example("b"), Example("a sure"))


def first_letter(text: str) -> Answer:
    return Answer(text[0], 1.0 if "sure" in text else -1.0, Usage(10, 4))


def test_rows_are_counted_in_scope_and_out_of_it() -> None:
    outcomes = list(evaluate(first_letter, 0.0, ROWS))
    assert [outcome.intent for outcome in outcomes] == ["a", "b", None, None, "a"]
    assert outcomes[3].describe() == {"text": "b", "intent": None}
    numbers = totals(outcomes)
    assert numbers["in_scope"] == {"right": 1, "of": 3, "share": 1 / 3, "interval": list(wilson(1, 3))}
    assert numbers["out_of_scope"] == {"right": 1, "of": 2, "share": 0.5, "interval": list(wilson(1, 2))}
    assert numbers["nearest"]["right"] == 2 and numbers["median_ms"] >= 0
    assert (numbers["prompt_tokens"], numbers["cached_tokens"]) == (50, 20)


def test_nothing_was_counted() -> None:
    numbers = totals([])
    assert numbers["in_scope"]["share"] is None and numbers["median_ms"] is None


def test_the_margin_gives_up_no_more_than_was_said() -> None:
    outcomes = [Outcome(Example("x", "a"), None, Answer("a" if n else "b", float(n)), 0.0) for n in range(10)]
    assert margin_of(outcomes, 0.0) == 1.0 and margin_of(outcomes, 0.2) == 3.0 and margin_of(outcomes, 1.0) == 9.0
    assert margin_of([], 0.5) == -math.inf


def test_a_limit_is_spread_at_random_and_the_same_each_time() -> None:
    rows = [Example(str(n)) for n in range(1, 101)]
    some = spread(rows, 10)
    assert len(set(some)) == 10 and some == spread(rows, 10) and some != tuple(rows[:10])
    assert spread(rows, 100) == spread(rows, None) == tuple(rows)


class Guessing:
    """A Model to which the name at a message's end is likely, and long ones unlikely."""

    capabilities = Capabilities("guessing", 512)

    def __init__(self) -> None:
        self.heard: list[Score] = []

    def stream(self, request: Request) -> Iterator[Event]:
        assert isinstance(request, Score)
        self.heard.append(request)
        message = "".join(str(getattr(part, "text", "")) for part in request.prompt[1:])
        scores = tuple((-len(name) + 9.0 * (f"{name}\n" in message), 1) for name in request.continuations)
        yield Done(scores=scores, usage=Usage(7))


def test_the_likeliest_name_over_how_likely_it_is_anyway() -> None:
    model = Guessing()
    asked = ByLikelihood(model, ["a", "book_a_flight"])
    answer = asked("please book a flight")
    assert answer.nearest == "book_a_flight" and answer.usage == Usage(7)
    assert answer.confidence == pytest.approx(-math.log(1 + math.exp(-9)))
    assert asked("nothing").confidence == pytest.approx(math.log(1 / 2))


def test_more_names_than_one_request_holds() -> None:
    model = Guessing()
    names = [f"topic_{n}" for n in range(2 * LIMITS.continuations + 1)]
    asked = ByLikelihood(model, names)
    assert [len(request.continuations) for request in model.heard] == [LIMITS.continuations] * 2 + [1]
    assert asked("this is topic 128").nearest == "topic_128"


@pytest.mark.skipif(not CLINC.exists(), reason="needs ../shared/data/clinc150, which is not part of the project")
def test_clinc150_is_read_as_it_lies() -> None:
    rows = load(CLINC)
    assert [len(part) for part in (rows.train, rows.validation, rows.test)] == [15_100, 3_100, 5_500]
    for part, strange in ((rows.train, 100), (rows.validation, 100), (rows.test, 1_000)):
        assert sum(row.intent is None for row in part) == strange
    assert len({row.intent for row in rows.train}) == 151

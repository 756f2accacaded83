"""The cascade: attempts in order until one is accepted, nothing seen before that, and each of them told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from linnet import Agent, Cascade
from linnet.agent.cascade import Attempt, Rules, plausible, simpler
from linnet.errors import Cancelled, DeadlineExceeded, EmptyRequest, SettingsInvalid, Unanswered, WorkerCrashed
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import (
    Capabilities,
    Choice,
    Count,
    Done,
    Event,
    Generate,
    Piece,
    Request,
    Score,
    Usage,
    complete,
)
from linnet.runtime.local import open_local

ASK = Generate((Message("system", "Be kind."), Message("user", "Hello"), Message("user", "Who are you?")))


class Saying:
    """Says these words, one after the other, or raises; keeps what it was asked, and when a stream was dropped."""

    def __init__(self, *said: str | Exception, name: str = "saying", scores: bool = True, pause: float = 0.0) -> None:
        self.said, self.pause = list(said), pause
        self.capabilities = Capabilities(name, 100, scores=scores)
        self.asked: list[Request] = []
        self.open = 0

    def stream(self, request: Request) -> Iterator[Event]:
        self.asked.append(request)
        self.open += 1
        return self._events()

    def _events(self) -> Iterator[Event]:
        text = ""
        try:
            for n, one in enumerate(self.said):
                time.sleep(self.pause)
                if isinstance(one, Exception):
                    raise one
                text += one
                yield Piece(one, (n,))
            yield Done(text, usage=Usage(5, 0, len(self.said)), count=7, scores=((-1.0, 1),), degraded=("odd",))
        finally:
            self.open -= 1


class Refusing(Saying):
    """Raises where it is asked, before there is a stream."""

    def stream(self, request: Request) -> Iterator[Event]:
        self.asked.append(request)
        raise WorkerCrashed("it is gone")


def test_the_first_answer_is_taken_as_it_is(outcome: Any) -> None:
    first, second = Saying("I am ", "here."), Saying("never")
    came = outcome(Cascade(first, second).stream(ASK))
    assert [piece.text for piece in came.pieces] == ["I am ", "here."]
    assert (came.done.how, came.done.degraded, came.done.usage) == ("", ("odd",), Usage(5, 0, 2))
    assert [step.data["taken"] for step in came.done.steps] == [True]
    assert second.asked == []


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (Saying(), "it said nothing"),
        (Saying("  ", "\n"), "it said nothing"),
        (Saying(*["over and over again. "] * 50), "it went round in circles"),
        (Saying("half an ans", WorkerCrashed("it is gone")), "worker_crashed: it is gone"),
        (Refusing(), "worker_crashed: it is gone"),
    ],
)
def test_what_is_not_taken_is_told_and_never_seen(first: Saying, why: str, outcome: Any) -> None:
    came = outcome(Cascade(Attempt("big", first), Attempt("small", Saying("Yes."))).stream(ASK))
    assert came.text == "Yes."
    assert came.done.how == "fallback:small"
    assert came.done.degraded == (f"big was not taken: {why}", "odd")
    assert [(step.data["name"], step.data["taken"]) for step in came.done.steps] == [("big", False), ("small", True)]
    assert first.open == 0


def test_one_in_a_loop_is_not_heard_out() -> None:
    endless = Saying(*["over and over again. "] * 500)
    done = complete(Cascade(endless, Saying("Yes.")), ASK)
    assert done.steps[0].data["generated_tokens"] == done.usage.generated_tokens - 1 < 20


def test_what_was_not_taken_costs_too() -> None:
    refused = Attempt("a", Saying("No."), accept=lambda request, done: "too short")
    assert complete(Cascade(refused, Saying("Yes.", " Yes.")), ASK).usage == Usage(10, 0, 3)


def test_a_stream_is_dropped_before_the_next_is_asked() -> None:
    slow = Saying(*["word "] * 200, pause=0.02)
    still: list[int] = []

    class Second(Saying):
        def stream(self, request: Request) -> Iterator[Event]:
            still.append(slow.open)
            return super().stream(request)

    assert complete(Cascade(Attempt("slow", slow, seconds=0.05), Second("Yes.")), ASK).how == "fallback:saying"
    assert still == [0]


def test_each_attempt_has_its_time_and_all_have_theirs() -> None:
    first, second = Saying(WorkerCrashed("x")), Saying("Yes.")
    complete(Cascade(Attempt("a", first, seconds=2.0), Attempt("b", second, seconds=500.0), seconds=90.0), ASK)
    assert first.asked[0].deadline == 2.0
    assert 60.0 < second.asked[0].deadline <= 90.0


def test_when_the_time_is_over_nobody_else_is_asked() -> None:
    slow, second = Saying(*["word "] * 100, pause=0.02), Saying("Yes.")
    with pytest.raises(DeadlineExceeded, match=r"within their 0\.05 s \(slow: it did not end"):
        complete(Cascade(Attempt("slow", slow), second, seconds=0.05), ASK)
    assert second.asked == []


def test_nobody_had_an_answer() -> None:
    with pytest.raises(Unanswered, match="a: it said nothing; b: worker_crashed: gone") as caught:
        complete(Cascade(Attempt("a", Saying()), Attempt("b", Saying(WorkerCrashed("gone")))), ASK)
    assert [one["name"] for one in caught.value.details["attempts"]] == ["a", "b"]
    assert isinstance(caught.value.__cause__, WorkerCrashed)


@pytest.mark.parametrize("error", [Cancelled("enough"), EmptyRequest("nothing")])
def test_what_is_the_callers_doing_ends_it(error: Exception) -> None:
    second = Saying("Yes.")
    with pytest.raises(type(error)):
        complete(Cascade(Saying(error), second), ASK)
    assert second.asked == []


def test_a_fault_of_the_program_is_no_failed_attempt() -> None:
    with pytest.raises(ZeroDivisionError):
        complete(Cascade(Saying(ZeroDivisionError()), Saying("Yes.")), ASK)


def test_the_last_without_a_check_is_passed_on_as_it_comes() -> None:
    last = Saying("a", "b", WorkerCrashed("gone"))
    stream = Cascade(Saying(), Attempt("last", last, accept=None)).stream(ASK)
    assert [next(stream), next(stream)] == [Piece("a", (0,)), Piece("b", (1,))]
    with pytest.raises(Unanswered):
        next(stream)


def test_to_stream_is_to_submit() -> None:
    first = Saying("a")
    stream = Cascade(first, Saying("b")).stream(ASK)
    assert len(first.asked) == 1
    del stream


def test_dropping_it_drops_what_runs() -> None:
    first = Saying("a", "b")
    stream = Cascade(Attempt("only", first, accept=None)).stream(ASK)
    next(stream)
    assert first.open == 1
    del stream
    assert first.open == 0


def test_cascades_nest() -> None:
    inner = Cascade(Attempt("x", Saying()), Attempt("y", Saying("Yes.")))
    done = complete(Cascade(Attempt("a", Saying()), Attempt("inner", inner)), ASK)
    assert done.how == "fallback:inner/fallback:y"
    assert [step.data["name"] for step in done.steps] == ["a", "x", "y", "inner"]
    assert done.degraded == ("a was not taken: it said nothing", "x was not taken: it said nothing", "odd")


def test_a_simpler_prompt() -> None:
    asked = simpler(ASK)
    assert [(part.role, part.content) for part in asked.prompt if isinstance(part, Message)] == [
        ("system", "Answer in one short sentence."),
        ("user", "Who are you?"),
    ]
    assert (asked.max_tokens, simpler(replace(ASK, max_tokens=5)).max_tokens) == (96, 5)
    again = Saying("Me.")
    complete(Cascade(Saying(), Attempt("simpler", again, ask=simpler)), ASK)
    assert again.asked[0].prompt == asked.prompt


def test_a_constrained_answer_may_repeat_itself() -> None:
    text = "over and over again. " * 9
    assert plausible(replace(ASK, constraint=Choice((text,))), Done(text)) == ""
    assert plausible(ASK, Done(text)) != ""


# --- counting and scoring ------------------------------------------------------------------------


def test_counting_and_scoring_go_to_the_first_that_can() -> None:
    first, second = Saying(scores=False), Saying("x")
    chain = Cascade(first, second)
    assert chain.capabilities.scores
    assert complete(chain, Score(ASK.prompt, ("a",))).scores == ((-1.0, 1),)
    assert complete(chain, Count(ASK.prompt)).count == 7
    assert [type(request) for request in first.asked] == [Count]


def test_where_nobody_can_the_first_error_is_the_error() -> None:
    with pytest.raises(WorkerCrashed):
        complete(Cascade(Refusing(), Rules()), Count(ASK.prompt))


# --- rules ---------------------------------------------------------------------------------------


def test_rules_answer_the_last_thing_said() -> None:
    rules = Rules(lambda text: None, lambda text: f"You asked: {text}", name="echo")
    done = complete(rules, ASK)
    assert (done.text, done.how, done.usage) == ("You asked: Who are you?", "rule", Usage())
    assert complete(Cascade(Saying(), rules), ASK).how == "fallback:echo/rule"


def test_rules_that_do_not_know() -> None:
    with pytest.raises(Unanswered, match="no rule of rules"):
        complete(Rules(lambda text: None), ASK)


# --- what cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cascade(),
        lambda: Cascade(*[Saying("a")] * (LIMITS.cascade_attempts + 1)),
        lambda: Cascade(Saying("a"), seconds=0),
        lambda: Cascade(Attempt("a", Saying("a"), seconds=-1.0)),
    ],
)
def test_what_cannot_be(make: Any) -> None:
    with pytest.raises(SettingsInvalid):
        make()
    assert Cascade(*[Saying("a")] * LIMITS.cascade_attempts)


# --- with an agent and the real model ------------------------------------------------------------


def test_an_agent_says_who_answered() -> None:
    failing = Saying(WorkerCrashed("it is gone"), name="big")
    only = ("calculator",)
    with Agent((), Cascade(failing, Attempt("small", Saying("I am small."))), only=only) as agent:
        agent._tools = ()
        result = agent.run("Who are you?")
    assert (result.answer, result.how) == ("I am small.", "fallback:small")
    assert "big was not taken: worker_crashed: it is gone" in result.degraded
    assert [step.kind for step in result.steps] == ["route", "attempt", "attempt", "answer"]


def test_the_real_model_between_a_failure_and_rules() -> None:
    local = open_local(context=512)
    try:
        chain = Cascade(
            Attempt("remote", Saying(WorkerCrashed("no network"))),
            Attempt("local", local, ask=simpler, seconds=60),
            Rules(lambda text: "I do not know."),
        )
        done = complete(chain, Generate((Message("user", "What is the capital of France?"),)))
        assert "Paris" in done.text and done.how == "fallback:local"
        hurried = Cascade(Attempt("local", local, seconds=0.001), Rules(lambda text: "I do not know."))
        done = complete(hurried, Generate((Message("user", "What is the capital of France?"),)))
        assert (done.text, done.how) == ("I do not know.", "fallback:rules/rule")
        assert "deadline" in done.degraded[0] or "did not end" in done.degraded[0]
    finally:
        local.close()

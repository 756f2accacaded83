"""The gate before another machine: closed unless opened, within its allowance, and what is kept back stays here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from linnet.agent.allowance import Allowance
from linnet.agent.cascade import Attempt, Cascade
from linnet.agent.escalate import Escalation
from linnet.errors import EscalationDenied, RemoteUnreachable, RemoteUnsupported, WorkerCrashed
from linnet.messages import Message, ToolCall, ToolSpec
from linnet.requests import (
    Capabilities,
    Choice,
    Copy,
    Count,
    Done,
    Event,
    Generate,
    Number,
    Piece,
    Request,
    Schema,
    Usage,
    complete,
)

SECRET = "anna@example.org"
ASK = Generate((Message("user", f"Write to {SECRET} or call 030 1234567"),), max_tokens=50, owner="tom", stable=1)


class Echo:
    """Says what it was asked last, in small pieces, or other words."""

    capabilities = Capabilities("big@far", 1_000, scores=False)

    def __init__(self, *said: str | Exception) -> None:
        self.said, self.asked = said, list[Any]()

    def stream(self, request: Request) -> Iterator[Event]:
        self.asked.append(request)
        said = self.said or tuple(f"I heard: {request.prompt[-1].content}")  # type: ignore[union-attr]
        for one in said:
            if isinstance(one, Exception):
                raise one
            yield Piece(one, ())
        yield Done("".join(map(str, said)), usage=Usage(20, 0, 10), captures={"a": str(said[0])})


def test_closed_unless_opened() -> None:
    remote = Echo()
    with pytest.raises(EscalationDenied, match="may not be sent to big@far"):
        Escalation(remote, allowed=False).stream(ASK)
    assert remote.asked == []


def test_what_is_kept_back_and_put_back(outcome: Any) -> None:
    remote = Echo()
    came = outcome(Escalation(remote, allowed=True).stream(ASK))
    (asked,) = remote.asked
    assert asked.prompt[0].content == "Write to [EMAIL_1] or call [NUMBER_1]"
    assert (asked.owner, asked.stable) == ("", 0)
    assert came.text == f"I heard: Write to {SECRET} or call 030 1234567"
    assert came.done.how == "remote:big@far"
    assert came.done.degraded == ("kept from big@far: 1 of kind email, 1 of kind number",)
    assert came.done.steps[-1].data == {"redacted": {"email": 1, "number": 1}, "left": None}


def test_nothing_that_is_sent_holds_it() -> None:
    remote = Echo("ok")
    secret = f"x {SECRET} 030 1234567"
    call = ToolCall("mail", {"to": SECRET, SECRET: 1, "deep": [{"n": 301234567.0, "b": True}]}, id="1")
    request = Generate(
        (
            Message("system", secret, trusted=True),
            Message("assistant", secret, calls=(call,), reasoning=secret),
            Message("tool", secret, call_id="1", name="mail"),
        ),
        tools=(ToolSpec("mail", secret, {"properties": {"to": {"enum": [SECRET]}}}),),
        constraint=Choice((SECRET, "b")),
        stop=(SECRET,),
        template_options={"note": secret},
    )
    complete(Escalation(remote, allowed=True), request)
    (asked,) = remote.asked
    assert SECRET not in repr(asked) and "1234567" not in repr(asked)
    assert asked.prompt[1].calls[0].name == "mail" and asked.prompt[1].calls[0].arguments["deep"][0]["b"] is True
    assert asked.prompt[2].call_id == "1"


def test_a_choice_comes_back_as_it_was() -> None:
    done = complete(Escalation(Echo("[EMAIL_1]"), allowed=True), replace(ASK, constraint=Choice((SECRET, "b"))))
    assert done.text == SECRET and done.captures == {"a": SECRET}
    done = complete(Escalation(Echo("[EMAIL_1]"), allowed=True), replace(ASK, constraint=Copy(f"to {SECRET}")))
    assert done.text == SECRET


@pytest.mark.parametrize(
    "constraint", [Number((301234567.0,)), Schema({"type": "object", "properties": {"a": {"enum": [SECRET]}}})]
)
def test_a_form_that_would_tell_it_is_not_sent(constraint: Any) -> None:
    remote = Echo("1")
    with pytest.raises(EscalationDenied, match="form of the answer"):
        complete(Escalation(remote, allowed=True), replace(ASK, constraint=constraint))
    assert remote.asked == []


def test_without_rules_the_whole_is_sent() -> None:
    remote = Echo("ok")
    done = complete(Escalation(remote, allowed=True, rules=()), ASK)
    assert SECRET in remote.asked[0].prompt[0].content
    assert done.degraded == () and "whole" in done.steps[-1].detail


def test_only_questions_are_sent() -> None:
    with pytest.raises(RemoteUnsupported):
        Escalation(Echo(), allowed=True).stream(Count(ASK.prompt))


def test_an_allowance_is_kept() -> None:
    remote = Echo("ok")
    gate = Escalation(remote, allowed=True, allowance=Allowance(2, 1_000))
    done = complete(gate, ASK)
    assert done.steps[-1].data["left"] == {"requests": 1, "tokens": 970}
    complete(gate, ASK)
    with pytest.raises(EscalationDenied, match="the allowance is spent"):
        gate.stream(ASK)
    assert len(remote.asked) == 2


def test_a_request_that_could_cost_too_much_is_not_sent() -> None:
    remote = Echo("ok")
    gate = Escalation(remote, allowed=True, allowance=Allowance(9, 100))
    with pytest.raises(EscalationDenied):
        gate.stream(replace(ASK, max_tokens=90))
    assert remote.asked == []


def test_one_that_is_dropped_or_fails_stays_paid() -> None:
    gate = Escalation(Echo("a", "b"), allowed=True, allowance=Allowance(9, 1_000))
    stream = gate.stream(ASK)
    next(stream)
    del stream
    left = complete(gate, ASK).steps[-1].data["left"]
    assert left["requests"] == 7 and left["tokens"] < 940


def test_in_a_chain_the_reason_is_told() -> None:
    class Local(Echo):
        capabilities = Capabilities("small", 1_000)

    chain = Cascade(Local(WorkerCrashed("gone")), Attempt("remote", Escalation(Echo("Yes."), allowed=True)))
    done = complete(chain, ASK)
    assert done.how == "fallback:remote/remote:big@far"
    assert done.degraded[0] == "small was not taken: worker_crashed: gone"
    assert [step.kind for step in done.steps] == ["attempt", "escalate", "attempt"]


def test_a_closed_gate_is_one_more_attempt_that_failed() -> None:
    far = Attempt("remote", Escalation(Echo(RemoteUnreachable("x")), allowed=False))
    rest = Attempt("rest", Echo("I do not know."))
    done = complete(Cascade(far, rest), ASK)
    assert done.how == "fallback:rest" and "escalation_denied" in done.degraded[0]
    assert json.dumps([step.data for step in done.steps])

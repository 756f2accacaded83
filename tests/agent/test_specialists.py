"""Classifier, specialist, refiner: who is asked, what is shown, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from linnet.agent.cascade import Rules
from linnet.agent.specialists import Class, Prompted, Refiner, Specialists, by_likelihood, by_rules
from linnet.errors import SettingsInvalid, WorkerCrashed
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
    Sampling,
    Usage,
    complete,
)
from linnet.runtime.local import open_local

ASK = Generate((Message("system", "Be kind."), Message("user", "Fix my code")))


class Saying:
    def __init__(self, *said: str | Exception) -> None:
        self.said = said
        self.capabilities = Capabilities("saying", 100)
        self.asked: list[Any] = []

    def stream(self, request: Request) -> Iterator[Event]:
        self.asked.append(request)
        for one in self.said:
            if isinstance(one, Exception):
                raise one
            yield Piece(one, (1,))
        yield Done("".join(map(str, self.said)), usage=Usage(3, 0, len(self.said)), count=4)


def about(text: str) -> str | None:
    return "code" if "code" in text else "song" if "song" in text else None


@pytest.mark.parametrize(
    ("text", "who", "detail"),
    [("my code", "code", "code"), ("a song", "chat", "chat, for want"), ("else", "chat", "chat, for want")],
)
def test_each_class_has_its_specialist(text: str, who: str, detail: str, outcome: Any) -> None:
    chain = Specialists(by_rules(about), {"code": Saying("C"), "chat": Saying("T", "T")}, default="chat")
    came = outcome(chain.stream(Generate((Message("user", text),))))
    assert came.text == {"code": "C", "chat": "TT"}[who]
    assert came.done.how == f"specialist:{who}"
    assert came.done.steps[0].kind == "classify" and came.done.steps[0].detail.startswith(detail)


def test_what_classifying_costs_is_counted() -> None:
    chain = Specialists(lambda text, seconds: Class("a", "", Usage(9, 0, 1)), {"a": Saying("x")}, default="a")
    assert complete(chain, ASK).usage == Usage(12, 0, 2)


def test_a_refiner_has_the_last_word() -> None:
    refiner = Saying("Well said.")
    chain = Specialists(by_rules(about), {"code": Saying("badly said")}, default="code", refiner=Refiner(refiner))
    done = complete(chain, ASK)
    assert (done.text, done.how, done.usage) == ("Well said.", "specialist:code", Usage(6, 0, 2))
    (asked,) = refiner.asked
    assert "Fix my code" in asked.prompt[0].content and "badly said" in asked.prompt[0].content
    assert done.steps[-1].data == {"draft": "badly said"}


@pytest.mark.parametrize(
    ("refiner", "why"),
    [(Saying("half", WorkerCrashed("gone")), "worker_crashed: gone"), (Saying(" "), "said nothing")],
)
def test_one_that_fails_leaves_the_draft(refiner: Saying, why: str, outcome: Any) -> None:
    chain = Specialists(by_rules(about), {"code": Saying("a draft")}, default="code", refiner=Refiner(refiner))
    came = outcome(chain.stream(ASK))
    assert came.text == "a draft"
    assert why in came.done.degraded[0]


def test_a_constrained_answer_is_not_refined() -> None:
    refiner = Saying("anything")
    chain = Specialists(by_rules(about), {"code": Saying("yes")}, default="code", refiner=Refiner(refiner))
    assert complete(chain, Generate(ASK.prompt, constraint=Choice(("yes",)))).text == "yes"
    assert refiner.asked == []


def test_counting_goes_to_the_default() -> None:
    chain = Specialists(by_rules(about), {"code": Saying()}, default="code")
    assert complete(chain, Count(ASK.prompt)).count == 4
    assert chain.capabilities.context == 100


def test_the_default_must_be_one_of_them() -> None:
    with pytest.raises(SettingsInvalid, match="no specialist 'x'"):
        Specialists(by_rules(about), {"code": Saying()}, default="x")


def test_a_prompt_of_its_own() -> None:
    inner = Saying("x")
    constraint = Choice(("x",))
    complete(Prompted(inner, "You sing.", sampling=Sampling(0.5), constraint=constraint), ASK)
    (asked,) = inner.asked
    assert [part.content for part in asked.prompt] == ["You sing.", "Fix my code"]
    assert asked.prompt[0].trusted
    assert (asked.sampling, asked.constraint) == (Sampling(0.5), constraint)


def test_specialists_nest_with_rules() -> None:
    chain = Specialists(by_rules(about), {"code": Rules(lambda text: "42"), "chat": Saying("x")}, default="chat")
    assert complete(chain, ASK).how == "rule"


def test_the_real_model_as_classifier_and_specialist() -> None:
    local = open_local(context=512)
    try:
        labels = {"weather": "the weather", "cooking": "cooking and recipes"}
        classify = by_likelihood(local, labels)
        chain = Specialists(
            classify,
            {"weather": Rules(lambda text: "Look outside."), "cooking": Prompted(local, "Answer in one sentence.")},
            default="cooking",
        )
        assert complete(chain, Generate((Message("user", "Will it rain tomorrow?"),))).text == "Look outside."
        done = complete(chain, Generate((Message("user", "How do I bake bread?"),), max_tokens=12))
        assert done.how == "specialist:cooking" and done.usage.prompt_tokens > 60
    finally:
        local.close()

"""A verified answer: the first step that holds, a simpler one, a rule, or none; and all that was tried."""

from __future__ import annotations

from typing import Any

import pytest

from linnet.agent.ask import Ask
from linnet.agent.chain import Chain, Do
from linnet.agent.checks import IsNumber
from linnet.agent.verify import Verified
from linnet.errors import RequestError, ToolFailed
from linnet.limits import LIMITS

HARD = Ask("hard", "{q} Explain: ", check=IsNumber())
EASY = Ask("easy", "{q} ", check=IsNumber())


def test_the_first_that_holds_is_the_models(saying: Any) -> None:
    done = Verified("n", (HARD, EASY)).take(saying("5"), {"q": "?"})
    assert (done.name, done.value, done.how, len(done.tries)) == ("n", 5, "model", 1)


def test_a_simpler_question_is_a_fallback(saying: Any) -> None:
    done = Verified("n", (HARD, EASY)).take(saying("well", "5"), {"q": "?"})
    assert (done.value, done.how, done.reason) == (5, "fallback:easy", "")
    assert [(each.by, each.reason) for each in done.tries] == [("hard", "no_number"), ("easy", "")]
    assert done.usage.prompt_tokens == 20


def test_rules_have_the_last_word(saying: Any) -> None:
    done = Verified("n", (HARD, EASY), rules=lambda q: len(q)).take(saying("well"), {"q": "four"})
    assert (done.value, done.how, done.ok) == (4, "rule", True)
    assert [each.by for each in done.tries] == ["hard", "easy", "rules"]
    assert done.usage.prompt_tokens == 20


def test_rules_first_spend_no_token(saying: Any) -> None:
    model = saying("5")
    verified = Verified("n", (HARD,), rules=lambda q: 7 if q == "seven" else None, rules_first=True)
    assert verified.take(model, {"q": "seven"}).how == "rule" and not model.heard
    done = verified.take(model, {"q": "?"})
    assert (done.value, done.how, [each.by for each in done.tries]) == (5, "model", ["rules", "hard"])


def none(q: str) -> None:
    return None


def raising(q: str) -> None:
    raise ToolFailed("no idea")


def breaking(q: str) -> None:
    raise ZeroDivisionError("by zero")


@pytest.mark.parametrize(
    ("rules", "told"),
    [(none, "the function returned nothing"), (raising, "no idea"), (breaking, "ZeroDivisionError: by zero")],
)
def test_when_nothing_holds_it_abstains(saying: Any, rules: Any, told: str) -> None:
    done = Verified("n", (HARD,), rules=rules).take(saying("well"), {"q": "?"})
    assert (done.value, done.how, done.reason) == (None, "abstained", "no_number")
    assert (done.tries[-1].by, done.tries[-1].reason, done.tries[-1].detail) == ("rules", "no_rule", told)


def test_without_rules_it_abstains(saying: Any) -> None:
    done = Verified("n", (HARD, EASY)).take(saying("well"), {"q": "?"})
    assert (done.how, done.reason, len(done.tries)) == ("abstained", "no_number", 2)


def test_what_nobody_gives_is_an_error(saying: Any) -> None:
    with pytest.raises(RequestError, match="'n' needs a value 'q'"):
        Verified("n", (HARD,)).run(saying("5"))
    assert Verified("n", (HARD,)).run(saying("5"), q="?").value == 5


def test_needs_are_those_of_all_steps() -> None:
    assert Verified("n", [HARD, Ask("a", "{r}")]).needs == {"q", "r"}
    assert Verified("n", [HARD], rules=lambda s, t=1: s).needs == {"q", "s"}


def test_what_was_tried_inside_a_chain_is_told(saying: Any) -> None:
    chain = Chain("c", (EASY, Do("half", lambda easy: 1 / easy)))
    done = Verified("n", (HARD, chain)).take(saying("well", "0"), {"q": "?"})
    assert [(each.by, each.reason) for each in done.tries] == [
        ("hard", "no_number"),
        ("easy", ""),
        ("half", "raised"),
    ]
    assert done.reason == "raised"


def test_a_rule_gets_what_it_names_and_no_more(saying: Any) -> None:
    done = Verified("n", (HARD,), rules=lambda q: len(q)).take(saying("well"), {"q": "four", "other": 1})
    assert done.value == 4


def test_one_past_the_limit() -> None:
    Verified("n", (HARD,) * LIMITS.chain_steps)
    for steps in ((), (HARD,) * (LIMITS.chain_steps + 1)):
        with pytest.raises(RequestError, match=f"{len(steps)} steps"):
            Verified("n", steps)

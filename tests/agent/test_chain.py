"""Chains: values that feed the next step, the step that fails, and chains in chains."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linnet.agent.ask import Ask
from linnet.agent.chain import Chain, Do
from linnet.agent.checks import IsNumber, Verdict
from linnet.agent.verify import Verified
from linnet.errors import RequestError, ToolFailed
from linnet.limits import LIMITS
from linnet.requests import Segment

COUNT = Ask("count", "Order: {text}\nHow many: ", check=IsNumber())
PRICE = Ask("price", "Order: {text}\n{count} at: ", check=IsNumber())
TOTAL = Do("total", lambda count, price: count * price)
ORDER = Chain("order", (COUNT, PRICE, TOTAL))


def test_values_feed_the_next_step(saying: Any) -> None:
    model = saying("3", "20 euros")
    done = ORDER.run(model, text="three at 20")
    assert (done.value, done.how, done.ok, done.failed) == (60, "function", True, "")
    assert done.values == {"count": 3, "price": 20, "total": 60}
    assert Segment("3", False) in model.heard[1].prompt
    assert done.usage.prompt_tokens == 20 and [step.how for step in done.steps] == ["model", "model", "function"]


def test_a_failing_step_is_named_and_what_came_before_is_kept(saying: Any) -> None:
    done = ORDER.run(saying("3", "cheap"), text="three, cheap")
    assert (done.ok, done.value, done.failed, done.reason) == (False, None, "price", "no_number")
    assert done.values == {"count": 3} and len(done.steps) == 2 and "cheap" in done.detail
    json.dumps(done.describe())


def test_chains_are_steps(saying: Any) -> None:
    outer = Chain("bill", (Do("text", str.upper, ("raw",)), ORDER, Do("said", lambda order: f"{order} euros")))
    assert outer.needs == {"raw"} and ORDER.needs == {"text"}
    done = outer.run(saying("3", "20"), raw="x")
    assert done.value == "60 euros" and done.values["order"] == 60
    failed = outer.run(saying("3", "cheap"), raw="x")
    assert failed.failed == "order.price" and failed.values == {"text": "X"}
    assert failed.steps[1].values == {"count": 3}


def test_a_verified_answer_is_a_step(saying: Any) -> None:
    chain = Chain("c", (Verified("n", (COUNT,), rules=lambda text: len(text)), Do("twice", lambda n: 2 * n)))
    done = chain.run(saying("many"), text="four")
    assert done.value == 8 and done.steps[0].how == "rule"


def test_what_nobody_gives_is_an_error_before_the_first_step(saying: Any) -> None:
    model = saying("3")
    with pytest.raises(RequestError, match="needs a value 'text'") as error:
        ORDER.run(model, txt="x")
    assert "'txt'" in error.value.hint and not model.heard


def test_two_steps_of_one_name() -> None:
    with pytest.raises(RequestError, match="two steps are named 'count'"):
        Chain("c", (COUNT, COUNT))


def raising(x: Any) -> None:
    raise ToolFailed("cannot")


@pytest.mark.parametrize(
    ("function", "reason", "detail"),
    [
        (lambda x: None, "nothing", "returned nothing"),
        (lambda x: 1 / x, "raised", "ZeroDivisionError"),
        (raising, "tool_failed", "cannot"),
        (lambda missing: 1, "raised", "KeyError"),
    ],
)
def test_functions_that_fail(saying: Any, function: Any, reason: str, detail: str) -> None:
    done = Do("f", function).take(saying("x"), {"x": 0})
    assert (done.reason, done.how) == (reason, "abstained") and detail in done.detail


def test_a_default_is_taken_where_nobody_gives_a_value(saying: Any) -> None:
    step = Do("f", lambda x, *, y=2: x * y)
    assert step.needs == {"x"}
    assert step.take(saying("x"), {"x": 3}).value == 6 and step.take(saying("x"), {"x": 3, "y": 5}).value == 15


def test_zero_false_and_empty_are_values(saying: Any) -> None:
    for value in (0, False, "", ()):
        assert Do("f", lambda x: x).take(saying("x"), {"x": value}).value == value


def test_a_chain_is_a_value() -> None:
    assert Chain("c", [COUNT]) == Chain("c", (COUNT,))
    with pytest.raises(AttributeError):
        ORDER.name = "x"  # type: ignore[misc]


def test_one_past_the_limit() -> None:
    steps = [Do(f"f{at}", lambda: 1) for at in range(LIMITS.chain_steps + 1)]
    Chain("c", steps[:-1])
    for given in ([], steps):
        with pytest.raises(RequestError, match=f"{len(given)} steps"):
            Chain("c", given)


def test_values_that_json_does_not_know_are_told_as_text(saying: Any) -> None:
    done = Chain("c", (Do("f", lambda: Verdict({1}, "r")),)).run(saying("x"))
    assert isinstance(done.describe()["value"], str)

"""The café: what its intents understand, what they leave to others, and what its file of examples learns."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from linnet import Agent
from linnet.agent.intents.examples import load

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def cafe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cafe", EXAMPLES / "cafe.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "how", "answer"),
    [
        ("when do you open on sundays", "intent", "We open at 8:00 and close at 18:30, Mondays excepted."),
        ("could i reserve a table for tonight please", "intent", "We keep tables for any number: call 555 0117."),
        ("Table for 5", "rule", "We keep tables for 5: call 555 0117."),
        (
            "do you have oat milk?",
            "intent",
            "The soup, the bread and the apple cake are vegan, and there is oat milk.",
        ),
        ("what is 2 + 2", "rule", "2 + 2 = 4"),
    ],
)
def test_what_needs_no_model(cafe: ModuleType, text: str, how: str, answer: str) -> None:
    with Agent(router=cafe.router) as agent:
        result = agent.run(text)
    assert (result.how, result.answer, result.model) == (how, answer, "")
    assert result.usage.prompt_tokens == 0


def test_a_prompt_is_held_against_its_checks(cafe: ModuleType) -> None:
    decision = cafe.router.decide("slogan: apple cake")
    assert decision.prompt == "Write one short sentence that makes people want apple cake."
    assert decision.failed("x" * 161) == ("one short sentence",) and decision.otherwise == "Try our apple cake!"


@pytest.mark.parametrize("text", ["xyzzy", "tell me a joke about cats", "translate hello to spanish"])
def test_what_is_none_of_its_business(cafe: ModuleType, text: str) -> None:
    assert cafe.router.decide(text) is None and "out of scope" in cafe.router.consider(text).why


def test_the_file_has_the_same_examples(cafe: ModuleType) -> None:
    rows = load(EXAMPLES / "cafe.jsonl").train
    said = {(row.text, row.intent) for row in rows if row.intent}
    assert said == {
        (text, intent.name) for intent in (cafe.HOURS, cafe.TABLE, cafe.VEGAN) for text in intent.examples
    }

"""In what form a request is made: every form, and what it says beside a tool of either kind."""

from __future__ import annotations

import pytest

from linnet import Tool
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.facts import Features
from linnet.calling.ranking.form import features

ACTS = Tool.from_schema("set_timer", "Sets a timer.", {"properties": {}})
TELLS = Tool.from_schema("weather", "Get the weather.", {"properties": {}})


def found(text: str, made: Tool = ACTS) -> Features:
    return features(made, Reading(text))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("set a timer", "order"),
        ("Please, set a timer", "order"),
        ("could you set a timer", "polite"),
        ("Would you mind?", "polite"),
        ("Would it rain?", "yes or no"),
        ("is it raining", "yes or no"),
        ("how do clocks work", "how"),
        ("How many hours has a day", "how many"),
        ("what's up", "what"),
        ("What’s up", "what"),
        ("why is the sky blue", "why"),
        ("I'd like tea", "wish"),
        ("I want tea", "wish"),
        ("I overslept again", "statement"),
        ("my cat is funny", "statement"),
        ("", "order"),
        ("please", "order"),
    ],
)
def test_the_form(text: str, form: str) -> None:
    told = found(text)
    assert [name for name in told if name.startswith("form ")] == [f"form {form}", f"form {form}|acts"]


@pytest.mark.parametrize(
    ("name", "description", "tells"),
    [
        ("set_timer", "Sets a timer.", False),
        ("weather", "Get the weather.", True),
        ("weather", "Retrieves the weather.", True),
        ("getWeather", "", True),
        ("geo.find", "", True),
        ("alarm", "To show nothing.", False),
        ("x", "", False),
    ],
)
def test_the_kind_of_a_tool(name: str, description: str, tells: bool) -> None:
    made = Tool.from_schema(name, description, {"properties": {}})
    assert found("why", made)["tells"] == float(tells)
    assert ("form why|tells" in found("why", made)) is tells


def test_the_last_of_several_sentences_counts_for_itself() -> None:
    told = found("My tea is ready. Set a timer!", ACTS)
    assert told["form statement|acts"] == told["last order|acts"] == told["exclaims"] == 1.0
    assert not any(name.startswith("last") for name in found("Set a timer", ACTS))


def test_function_words_are_told_and_others_are_not() -> None:
    told = found("Should I set the zebra?", TELLS)
    assert told["says should"] == told["says the"] == told["opinion"] == told["question|tells"] == 1.0
    assert "says zebra" not in told

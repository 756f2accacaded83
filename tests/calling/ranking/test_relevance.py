"""What is told of a request and a tool, and that plain requests go with their tools."""

from __future__ import annotations

import math
from typing import Any

import pytest

from linnet import Tool
from linnet.calling.evidence.parameters import parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.features import Features
from linnet.calling.ranking.ranker import Weights, fitted, weigh
from linnet.calling.ranking.relevance import features, with_gain
from linnet.calling.ranking.sheet import Sheet

NUMBER, TEXT = {"type": "number"}, {"type": "string"}


def tool(name: str, description: str = "", **required: Any) -> Tool:
    return Tool.from_schema(name, description, {"properties": required, "required": list(required)})


WEATHER = tool("get_weather", "Gets the weather forecast of a city.", city={**TEXT, "description": "The city."})
DICE = tool("roll_dice", "Rolls dice.")
TIMER = tool("set_timer", "Sets a timer for some minutes.", minutes={**NUMBER, "description": "How many minutes."})


def found(made: Tool, text: str, gain: float = 0.0, tools: int = 1, weights: Weights | None = None) -> Features:
    reading = Reading(text)
    return with_gain(features(Sheet(made, parameters(made), reading, weights or fitted()), tools), reading, gain)


def odds(made: Tool, text: str, gain: float = 0.0) -> float:
    return weigh(found(made, text, gain, 3), fitted().relevance)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("What will the weather be in Paris?", WEATHER),
        ("Get me the weather forecast for the city of Oslo", WEATHER),
        ("Roll the dice", DICE),
        ("Set a timer for 5 minutes", TIMER),
    ],
)
def test_a_plain_request_goes_best_with_its_tool(text: str, wanted: Tool) -> None:
    """The model is of no opinion here: words and evidence decide."""
    assert max((WEATHER, DICE, TIMER), key=lambda made: odds(made, text)) is wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("What will the weather be in Paris?", WEATHER), ("Roll the dice", DICE), ("Set a timer for 5 minutes", TIMER)],
)
def test_evidence_alone_finds_the_tool_of_a_plain_request(text: str, wanted: Tool) -> None:
    def evident(made: Tool) -> float:
        return weigh(features(Sheet(made, parameters(made), Reading(text), fitted()), 3), fitted().evident)

    assert max((WEATHER, DICE, TIMER), key=evident) is wanted and evident(wanted) > 0


def test_without_the_model_there_is_no_gain() -> None:
    told = features(Sheet(DICE, parameters(DICE), Reading("roll them"), fitted()), 1)
    assert not any("gain" in name for name in told)


@pytest.mark.parametrize("made", [WEATHER, DICE, TIMER])
def test_what_the_model_finds_likelier_is_likelier(made: Tool) -> None:
    assert odds(made, "zzz", 20.0) > odds(made, "zzz", 0.0) > odds(made, "zzz", -20.0)


def test_words_that_are_shared() -> None:
    told = found(WEATHER, "the weather in Paris")
    assert told["names it"] == 1 and 0 < told["name"] <= 1 and 0 < told["in description"] < 1
    other = found(WEATHER, "a poem about spring")
    assert other["names it"] == other["name"] == other["overlap"] == other["description"] == 0


def test_what_the_arguments_lack() -> None:
    said, unsaid = found(TIMER, "5 minutes"), found(TIMER, "a while")
    assert (said["unsaid"], unsaid["unsaid"]) == (0, 1) and said["least sure"] > unsaid["least sure"]
    assert said["needs"] == 1 and found(DICE, "a while")["needs none"] == 1


def test_a_word_that_nothing_accounts_for() -> None:
    assert found(TIMER, "timer 5 minutes")["unexplained"] == 0
    told = found(TIMER, "timer 5 minutes zebra")
    assert told["words unexplained"] == 1 and 0 < told["unexplained"] < 1


def test_the_gain_is_told_by_itself_and_a_word() -> None:
    told = found(DICE, "one two three four five six seven eight", gain=4.0, tools=9)
    assert (told["gain"], told["gain a word"], told["tools"]) == (4.0, 0.5, 6.0)


@pytest.mark.parametrize(
    "text", ["", "  ", "?!", "天気は何ですか", "\x00", "'" * 9, "9" * 400, "a" * 100_000, "5 " * 50_000]
)
@pytest.mark.parametrize("made", [WEATHER, DICE, TIMER, tool("the"), tool("x", "", a=True, b={"enum": [1]})])
def test_odd_requests_have_finite_features(made: Tool, text: str) -> None:
    assert all(math.isfinite(value) for value in found(made, text).values())


def test_no_weights_at_all_still_give_features() -> None:
    nothing = Weights({}, {}, {}, {}, {})
    assert all(math.isfinite(value) for value in found(TIMER, "5 or 6 minutes", weights=nothing).values())

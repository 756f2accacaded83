"""What is told of a request and a tool, and that plain requests go with their tools."""

from __future__ import annotations

import math
from typing import Any

import pytest

from linnet import Tool
from linnet.calling.evidence.parameters import parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.features import Features
from linnet.calling.ranking.portions import Portions
from linnet.calling.ranking.ranker import Belief, Weights, fitted
from linnet.calling.ranking.relevance import Suit, by_evidence, by_model, features, suits, with_gain
from linnet.calling.ranking.sheet import Sheet

NUMBER, TEXT = {"type": "number"}, {"type": "string"}


def tool(name: str, description: str = "", **required: Any) -> Tool:
    return Tool.from_schema(name, description, {"properties": required, "required": list(required)})


WEATHER = tool("get_weather", "Gets the weather forecast of a city.", city={**TEXT, "description": "The city."})
DICE = tool("roll_dice", "Rolls dice.")
TIMER = tool("set_timer", "Sets a timer for some minutes.", minutes={**NUMBER, "description": "How many minutes."})
ALL = (WEATHER, DICE, TIMER)


def found(made: Tool, text: str, tools: int = 1, weights: Weights | None = None) -> Features:
    return features(Sheet(made, parameters(made), Reading(text), weights or fitted()), tools)


def judged(text: str, gains: tuple[float, ...] = (0.0, 0.0, 0.0)) -> list[Suit]:
    """WEATHER, DICE and TIMER with what the model says."""
    portions = Portions(ALL, Reading(text))
    evidence = [by_evidence(each, fitted()) for each in suits(portions, 3, 3, fitted())]
    return [by_model(e, portions.reading, gain, fitted()) for e, gain in zip(evidence, gains, strict=True)]


def best(found: list[Suit]) -> Tool:
    return max(zip(found, ALL, strict=True), key=lambda pair: pair[0].fit)[1]


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
    """With a model of no opinion, words and evidence decide; and by evidence alone."""
    assert best(judged(text)) is wanted
    evidence = [by_evidence(each, fitted()) for each in suits(Portions(ALL, Reading(text)), 3, 3, fitted())]
    assert best(evidence) is wanted and max(evidence, key=lambda suit: suit.fit).odds > 0


def test_what_the_model_finds_likelier_is_likelier() -> None:
    low, middle, high = (judged("zzz", (0.0, gain, 0.0))[1] for gain in (-20.0, 0.0, 20.0))
    assert low.odds < middle.odds < high.odds and low.fit < middle.fit < high.fit


def test_evidence_has_no_gain_and_the_model_stands_on_evidence() -> None:
    (told,) = suits(Portions([DICE], Reading("roll them")), 1, 1, fitted())
    assert not any("gain" in name for name in told) and "portion total" in told
    weights = Weights({}, {"tool": Belief(2.0, 0.5)}, {}, {}, {"evident": 1.0, "gain": 0.25})
    assert by_model(Suit(3.0, 4.0), Reading("roll them"), 8.0, weights) == Suit(10.0, 6.0)


def test_no_more_tools_are_judged_than_are_asked_for() -> None:
    assert len(suits(Portions(ALL, Reading("roll the dice")), 2, 3, fitted())) == 2


def test_words_that_are_shared() -> None:
    told = found(WEATHER, "the weather in Paris")
    assert told["names it"] == 1 and 0 < told["name"] <= 1 and 0 < told["in description"] < 1
    other = found(WEATHER, "a poem about spring")
    assert other["names it"] == other["name"] == other["overlap"] == other["description"] == 0


def test_what_the_arguments_lack() -> None:
    said, unsaid = found(TIMER, "5 minutes"), found(TIMER, "a while")
    assert (said["unsaid"], unsaid["unsaid"]) == (0, 1) and said["least sure"] > unsaid["least sure"]
    assert said["needs"] == 1 and found(DICE, "a while")["needs none"] == 1


def test_what_the_request_says_beyond_doubt() -> None:
    unit = {"enum": ["miles", "feet"]}
    convert = tool("convert", "Converts an amount.", amount=NUMBER, source=unit, target=unit)
    assert found(convert, "how many feet are 26 miles")["options said"] == 2
    assert found(convert, "tell me a story")["options said"] == found(convert, "tell me a story")["values said"] == 0
    assert found(TIMER, "5 minutes")["values said"] == 1


def test_a_word_that_nothing_accounts_for() -> None:
    assert found(TIMER, "timer 5 minutes")["unexplained"] == 0
    told = found(TIMER, "timer 5 minutes zebra")
    assert told["words unexplained"] == 1 and 0 < told["unexplained"] < 1


def test_the_gain_is_told_by_itself_and_a_word() -> None:
    told = with_gain(1.5, Reading("one two three four five six seven eight"), 4.0)
    assert told == {"evident": 1.5, "gain": 4.0, "gain a word": 0.5, "foreign gain": 0.0}
    assert with_gain(0.0, Reading("天気"), 4.0)["foreign gain"] == 4.0
    assert found(DICE, "one", tools=9)["tools"] == 6.0


@pytest.mark.parametrize(
    "text", ["", "  ", "?!", "天気は何ですか", "\x00", "'" * 9, "9" * 400, "a" * 100_000, "5 " * 50_000]
)
@pytest.mark.parametrize("made", [WEATHER, DICE, TIMER, tool("the"), tool("x", "", a=True, b={"enum": [1]})])
def test_odd_requests_have_finite_features(made: Tool, text: str) -> None:
    assert all(math.isfinite(value) for value in found(made, text).values())


def test_no_weights_at_all_still_give_features() -> None:
    nothing = Weights({}, {}, {}, {}, {})
    assert all(math.isfinite(value) for value in found(TIMER, "5 or 6 minutes", weights=nothing).values())

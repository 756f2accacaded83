"""Which tools match a request by words."""

from __future__ import annotations

from linnet import Tool
from linnet.calling.retrieve import Retriever, described


def named(name: str, description: str = "", **properties: object) -> Tool:
    return Tool.from_schema(name, description, {"properties": properties})


TOOLS = [
    named("weather", "The weather forecast of a city."),
    named("mail.send", "Sends an email."),
    named("roll_dice", "Rolls dice."),
    named("x"),
]


def found(request: str, k: int = 1) -> list[str]:
    return [tool.name for tool in Retriever(TOOLS).candidates(request, k)]


def test_the_best_comes_first() -> None:
    assert found("what will the weather be in my city") == ["weather"]
    assert found("roll two dice") == ["roll_dice"]
    assert found("send mail", 2)[0] == "mail.send"
    assert found("forecasts")[0] == "weather"


def test_it_ranks_even_when_all_are_asked_for() -> None:
    assert found("rolling dice", 9)[0] == "roll_dice" and len(found("rolling dice", 9)) == 4


def test_without_a_common_word_the_order_stays() -> None:
    assert found("", 2) == found("?!", 2) == found("天気", 2) == ["weather", "mail.send"]


def test_tools_that_say_nothing_can_be_searched() -> None:
    assert Retriever([named("the"), named("a")]).candidates("weather the", 1)[0].name == "the"
    assert Retriever([]).candidates("weather", 3) == []


def test_a_tool_is_described_by_all_that_it_says() -> None:
    tool = Tool.from_schema(
        "lamp.set",
        "Sets it.",
        {"properties": {"colour": {"enum": ["red", 5], "description": "the shade"}}},
        examples=("dim the kitchen",),
    )
    assert set(described(tool)) == {"lamp", "set", "dim", "kitchen", "colour", "red", "5", "shad"}

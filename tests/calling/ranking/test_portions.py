"""Requests that ask for several things at once, cut up and dealt out to the tools that are meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from linnet import Tool
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking import portions
from linnet.calling.ranking.portions import Portions
from linnet.calling.ranking.ranker import fitted


def tool(name: str, description: str, **own: dict[str, Any]) -> Tool:
    return Tool.from_schema(name, description, {"properties": own, "required": list(own)})


WEATHER = tool("get_weather", "Gets the weather forecast of a city.", city={"type": "string"})
TRIANGLE = tool(
    "calculate_triangle_area",
    "Calculates the area of a triangle.",
    base={"type": "number", "description": "The base of the triangle."},
    height={"type": "number", "description": "The height of the triangle."},
)
EMAIL = tool("send_email", "Sends an email to a person.", recipient={"type": "string"})
TOOLS = [WEATHER, TRIANGLE, EMAIL]


def dealt(text: str, among: Sequence[int] = (0, 1, 2), tools: Sequence[Tool] = TOOLS) -> dict[int, str]:
    return Portions(tools, Reading(text)).deal(among)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "What's the weather in Paris, and what's the area of a triangle with base 10 and height 5?",
            {0: "What's the weather in Paris,", 1: "and what's the area of a triangle with base 10 and height 5?"},
        ),
        (
            "Calculate the area of a triangle of base 3 and height 4. Then get the weather in Oslo.",
            {1: "Calculate the area of a triangle of base 3 and height 4.", 0: "Then get the weather in Oslo."},
        ),
        ("What will the weather be in Rome?", {0: "What will the weather be in Rome?"}),
    ],
)
def test_each_tool_gets_its_portion(text: str, expected: dict[int, str]) -> None:
    among = sorted(expected)
    found = dealt(text, among)
    assert found == expected and list(found) == list(expected), "in the order of the request"


def test_a_tool_that_is_named_twice_gets_both_portions() -> None:
    text = "Get the weather forecast in Oslo. Send an email to Ann. Get the weather forecast in Rome."
    expected = {0: "Get the weather forecast in Oslo.\nGet the weather forecast in Rome.", 2: "Send an email to Ann."}
    assert dealt(text) == expected


def test_nothing_is_lost_and_nothing_is_said_twice() -> None:
    text = "Email Ann, then the weather of Oslo, Rome and Paris; the area, height 3, base 4. Thanks!"
    lines = [line for portion in dealt(text).values() for line in portion.split("\n")]
    assert sorted(" ".join(lines).split()) == sorted(text.split())


def test_a_stretch_that_speaks_for_nobody_stays_with_its_neighbours() -> None:
    found = dealt("Get the weather forecast in Oslo, please, my friend, thanks. Send an email to Ann.")
    assert found == {0: "Get the weather forecast in Oslo, please, my friend, thanks.", 2: "Send an email to Ann."}


def test_tools_that_are_not_meant_get_nothing() -> None:
    assert list(dealt("Get the weather in Oslo and send an email", [1, 2])) == [2]
    assert list(dealt("Get the weather in Oslo and send an email", [0])) == [0]


def test_the_weights_that_ship_tell_who_is_meant() -> None:
    text = "Get the weather in Oslo. Then calculate the area of a triangle with a base of 3 and a height of 4."
    weather, triangle, email = Portions(TOOLS, Reading(text)).meant(fitted().tools)
    assert min(weather, triangle) > 0 > email


def test_who_is_meant_is_what_the_weights_say() -> None:
    found = Portions(TOOLS, Reading("send an email")).meant({"bias": 1.0, "own name": 2.0})
    assert found == [1.0, 1.0, 3.0]


def test_a_tool_is_described_beside_the_others() -> None:
    weather, triangle, email = Portions(TOOLS, Reading("weather, weather, then an email")).features()
    assert (weather["best"], triangle["best"], email["best"]) == (1, 0, 0)
    assert (weather["won"], triangle["won"], email["won"]) == (2, 0, 1)
    assert weather["lead"] > 0 > triangle["lead"] and triangle["total"] == 0
    assert weather["tools"] == 3 and "then" in weather and "also" not in weather


@pytest.mark.parametrize("text", ["", "   ", "?!", ",,, ;;;", "天気 は", "and and and", "'"])
@pytest.mark.parametrize("tools", [TOOLS, [WEATHER], [tool("the", "")], [tool("x", ""), tool("x", "")]])
def test_odd_requests_do_no_harm(text: str, tools: Sequence[Tool]) -> None:
    made = Portions(tools, Reading(text))
    assert len(made.meant(fitted().tools)) == len(tools)
    assert "\n".join(made.deal(range(len(tools))).values()).split() == text.split()


def test_without_tools_nobody_is_meant() -> None:
    assert Portions([], Reading("weather")).meant(fitted().tools) == []


def test_a_long_request_is_dealt_by_the_words_that_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 characters: no more stretches than for half as many, and the end is not lost."""
    text = ("get the weather of Oslo, send an email, " * 2_500)[:100_000]
    spoken = portions._shares
    sizes: list[int] = []

    def counting(edges: Any, *given: Any) -> Any:
        sizes.append(len(edges))
        return spoken(edges, *given)

    monkeypatch.setattr(portions, "_shares", counting)
    found = dealt(text)
    dealt(text[:50_000])
    assert sizes[0] == sizes[1] < 500
    assert sum(map(len, found.values())) > 99_000

"""Orders by their grammar, and those that no call has to do with."""

from __future__ import annotations

import pytest

from linnet.calling.evidence.orders import orders
from linnet.calling.evidence.reading import Reading
from linnet.calling.unheard import unheard
from linnet.messages import ToolCall
from linnet.tools import Tool, tool


@tool
def convert_units(amount: float, source: str, target: str) -> str:
    """Convert an amount from one unit to another."""
    return f"{amount} {source} {target}"


@tool
def set_lights(room: str, on: bool, brightness: int = 100) -> str:
    """Turn the lights of a room on or off."""
    return f"{room} {on} {brightness}"


TOOLS: dict[str, Tool] = {each.name: each for each in (convert_units, set_lights)}
MILES = ToolCall("convert_units", {"amount": 5.0, "source": "miles", "target": "kilometers"})
KITCHEN = ToolCall("set_lights", {"room": "kitchen", "on": False})


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("Convert 5 miles to km and wake me at 7", ["Convert 5 miles to km", "wake me at 7"]),
        ("Could you please book a table, then call mum?", ["book a table", "call mum"]),
        ("Hi! I want you to add milk. Thanks.", ["add milk. Thanks"]),
        ("The order of the day is to book early", []),
        ("What time is it in Lima?", []),
        ("", []),
    ],
)
def test_orders(request_: str, expected: list[str]) -> None:
    reading = Reading(request_)
    assert [reading.phrase(*order) for order in orders(reading)] == expected


@pytest.mark.parametrize(
    ("request_", "calls", "expected"),
    [
        ("Convert 5 miles to km and wake me at 7", [MILES], ("wake me at 7",)),
        ("Turn off the kitchen lights, and play some jazz", [KITCHEN], ("play some jazz",)),
        ("Order a pizza with cheese and turn off the kitchen lights", [KITCHEN], ("Order a pizza with cheese",)),
        ("Convert 5 miles to km and turn off the kitchen lights", [MILES, KITCHEN], ()),
        ("Convert 5 miles, and give me the amount in kilometers", [MILES], ()),
        ("Convert 5 miles to km and tell me that", [MILES], ()),
        ("Convert 5 miles to km and show it to Bob", [MILES], ()),
        ("wake me at 7", [MILES], ()),
        ('Turn off the kitchen lights. Translate "Play some jazz. Book a table"', [KITCHEN], ()),
        ("Turn off the kitchen lights. Don't play any jazz, cancel the booking Miller", [KITCHEN], ()),
        ("Turn off the kitchen lights, but do not, on any account, cancel the booking Miller", [KITCHEN], ()),
        ("Turn off the kitchen lights. If Bob agrees, cancel the booking Miller", [KITCHEN], ()),
        ("Turn off the kitchen lights: Hi Bob, play some jazz", [KITCHEN], ()),
        ("Turn off the kitchen lights, heat index, water temperature", [KITCHEN], ()),
        ("Convert 5 miles to km and wake me at 7", [], ()),
    ],
)
def test_what_no_call_has_to_do_with(request_: str, calls: list[ToolCall], expected: tuple[str, ...]) -> None:
    assert unheard(request_, calls, TOOLS) == expected


def test_nested_values_and_tools_that_are_gone() -> None:
    call = ToolCall("gone", {"list": [{"what": "Jazz standards"}, 7.0, None]})
    assert unheard("Wake me at 7, play the jazz standards and water the plants", [call], TOOLS) == (
        "water the plants",
    )

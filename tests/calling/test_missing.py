"""What a call lacks: moments that are none, and a tool that is named without anything for it."""

from __future__ import annotations

from typing import Any

import pytest

from linnet import Tool, tool
from linnet.calling.missing import check, named
from linnet.errors import ToolArgumentsInvalid


def taking(**properties: dict[str, Any]) -> Tool:
    schema = {"properties": properties, "required": list(properties)}
    return Tool.from_schema("make_appointment", "Makes an appointment.", schema)


def refused(made: Tool, arguments: dict[str, Any], request: str = "Make an appointment with mum") -> str:
    try:
        check(made, arguments, request)
    except ToolArgumentsInvalid as problem:
        return problem.message
    return ""


WHEN = {"type": "string", "description": "When, such as 6 pm or next Friday."}


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("time", WHEN),
        ("begins", {"type": "string", "format": "date"}),
        ("start_date", {"type": "string", "description": "In the format YYYY-MM-DD."}),
        ("date_of_journey", {"type": "string", "description": "Of the train, such as 2026-11-28."}),
        ("dueDate", {"type": "string"}),
        ("delivery_date", {"type": "string"}),
    ],
)
def test_a_moment_is_asked_back_for_by_its_name(name: str, schema: dict[str, Any]) -> None:
    with pytest.raises(ToolArgumentsInvalid) as raised:
        check(taking(**{name: schema}), {name: "mum"}, "Make an appointment with mum")
    assert raised.value.message == f"make_appointment: {name} is missing: 'mum' is neither a date nor a time"
    assert raised.value.details["problems"][0]["argument"] == name


@pytest.mark.parametrize(
    "value",
    [
        "6 pm",
        "tomorrow",
        "at six",
        "dinner",
        "when I get home",
        "Tuesday",
        "the weekend",
        "2026",
        "December",
        "übermorgen",
    ],
)
def test_whatever_may_say_when_is_a_moment(value: str) -> None:
    assert refused(taking(time=WHEN), {"time": value}) == ""


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("timezone", {"type": "string", "description": "The time zone, such as Paris."}),
        ("date_format", {"type": "string", "description": "Such as YYYY-MM-DD."}),
        ("when", {"type": "string"}),
        ("delivery_time", {"type": "string"}),
        ("responseTime", {"type": "string"}),
        ("cooking_time", {"type": "string"}),
        ("wait_time", {"type": "string"}),
        ("blind_date", {"type": "string"}),
        ("second_player", {"type": "string", "description": "The second player."}),
        ("time", {"type": "string", "enum": ["mum", "dad"]}),
        ("time", {"type": "string", "description": "Such as 'mum' or 'noon'."}),
        ("text", {"type": "string", "description": "What to say, such as see you on Friday."}),
    ],
)
def test_what_goes_with_a_time_and_is_none_takes_any_text(name: str, schema: dict[str, Any]) -> None:
    assert refused(taking(**{name: schema}), {name: "mum"}) == ""


def test_only_a_required_moment_is_asked_back_for_and_inside_an_object_too() -> None:
    optional = Tool.from_schema("go", "Goes.", {"properties": {"time": WHEN}, "required": []})
    assert refused(optional, {"time": "mum"}) == ""
    inner = {"type": "object", "properties": {"time": WHEN}, "required": ["time"]}
    assert "visit.time is missing" in refused(taking(visit=inner), {"visit": {"time": "mum"}})


@pytest.mark.parametrize("said", ["Rappelle-moi demain", "Erinnere mich morgen an Mama"])
def test_a_request_in_another_language_is_not_judged(said: str) -> None:
    assert refused(taking(time=WHEN), {"time": said.split()[-1]}, said) == ""


@tool
def split_bill(total: float, people: int) -> float:
    """Split a bill between people.

    Args:
        total: The amount of the bill.
        people: How many share it.
    """
    return total / people


@tool
def book_table(time: str, guests: int) -> str:
    """Book a table in the restaurant.

    Args:
        time: When, such as 7 pm.
        guests: How many come.
    """
    return f"{guests} at {time}"


@pytest.mark.parametrize(
    ("request_text", "said"),
    [
        ("Split the bill", "split_bill: total is missing; people is missing"),
        ("Could you split the bill?", "split_bill: total is missing; people is missing"),
        ("I need to split the bill", "split_bill: total is missing; people is missing"),
        ("I'd like to split the bill", "split_bill: total is missing; people is missing"),
        ("I want to split the bill with Anna.", "split_bill: total is missing; people is missing"),
        ("Book a table", "book_table: time is missing; guests is missing"),
        ("Book a table for tomorrow", "book_table: guests is missing"),
        ("Book a table for dinner", "book_table: guests is missing"),
    ],
)
def test_a_tool_that_is_only_named_lacks_all_that_it_needs(request_text: str, said: str) -> None:
    found = named(request_text, [book_table, split_bill])
    assert found is not None and found[1].message == said and said.startswith(found[0].name)


def short(name: str) -> Tool:
    return Tool.from_schema(name, "Tells.", {"properties": {"n": {"type": "number"}}, "required": ["n"]})


@pytest.mark.parametrize(
    "request_text",
    ["Weather", "The weather, please", "Get the weather", "Could you get me the weather?", "I'd like the weather"],
)
def test_a_name_of_one_word_may_be_all_that_is_asked_for(request_text: str) -> None:
    assert named(request_text, [short("get_weather")]) and named(request_text, [short("getWeather")])


@pytest.mark.parametrize(
    ("name", "request_text"),
    [
        ("get_weather", "Weather was fine"),
        ("get_weather", "It was not the weather"),
        ("get_weather", "It was the weather"),
        ("get_weather", "I have had it with the weather"),
        ("get_weather", "The weather is what it is"),
        ("tell_joke", "Tell me a joke"),
        ("get_joke", "Tell me a joke"),
        ("give_advice", "Give me some advice"),
    ],
)
def test_a_name_of_one_word_may_be_said_by_the_way(name: str, request_text: str) -> None:
    assert named(request_text, [short(name)]) is None


@pytest.mark.parametrize(
    "request_text",
    [
        "Why do people split the bill?",
        "How do I split the bill?",
        "Should I split the bill?",
        "Can I split the bill?",
        "Don't split the bill",
        "Do not split the bill",
        "Split the bill? Never!",
        "I split the bill",
        "We have split the bill",
        "I've split the bill",
        "There was a split bill",
        "That split bill was mine",
        "Split the bill of rights into its sections",
        "A bill may be split",
        "Book a table for 4 tomorrow at 7 pm",
        "Split it",
        "the and of",
        "",
    ],
)
def test_what_is_no_request_for_that_tool_alone_is_left_to_the_model(request_text: str) -> None:
    assert named(request_text, [book_table, split_bill]) is None

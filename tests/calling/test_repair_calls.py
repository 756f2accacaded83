"""Whole calls are brought to the tools on offer: names within a bound, values by schema."""

from __future__ import annotations

from typing import Any

import pytest

from linnet import Tool
from linnet.calling.repair import repair, repair_call, snapped
from linnet.messages import ToolCall

NAMES = ["get_weather", "get_time", "files.read", "files.write", "convertUnits"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("get_weather", "get_weather"),
        ("getWeather", "get_weather"),
        ("get-weather", "get_weather"),
        ("GET.WEATHER", "get_weather"),
        ("get_wether", "get_weather"),
        ("files_read", "files.read"),
        ("convert_units", "convertUnits"),
        ("get", None),
        ("delete_everything", None),
        ("get_xxxx", None),
        ("", None),
    ],
)
def test_names_are_snapped_within_a_bound(name: str, expected: str | None) -> None:
    assert snapped(name, NAMES) == expected


def test_two_that_are_equally_near_are_none() -> None:
    assert snapped("getweather", ["get_weather", "get.weather"]) is None
    assert snapped("get_weathe", ["get_weather", "get_weathes"]) is None


def tool(**properties: Any) -> Tool:
    return Tool.from_schema("f", "does", {"properties": properties})


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, '{"a": "1"}', {"a": 1}),
        ({"type": "object", "properties": {"some_key": {"type": "integer"}}}, {"someKey": 1}, {"some_key": 1}),
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2]", [1, 2]),
        ({"type": "array", "items": {"type": "integer"}}, "['1']", [1]),
        ({"type": "string"}, "[1, 2]", "[1, 2]"),
        ({"type": ["integer", "string"]}, "12", "12"),
        ({"type": ["integer", "boolean"]}, "12", 12),
        ({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]}, "[1]", [1]),
        ({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, "neither", "neither"),
        ({"enum": ["celsius", "fahrenheit"]}, "CELSIUS", "celsius"),
        ({"enum": ["celsius", "fahrenheit"]}, "farenheit", "fahrenheit"),
        ({"enum": ["celsius", "fahrenheit"]}, "kelvin", "kelvin"),
        ({"enum": [1, 2]}, "2", 2),
    ],
)
def test_values(schema: dict[str, Any], value: Any, expected: Any) -> None:
    arguments, told = repair(tool(p=schema), {"p": value})
    assert arguments == {"p": expected} and type(arguments["p"]) is type(expected)
    assert bool(told) == (value != expected)


def test_argument_names_are_snapped_to_free_ones_only() -> None:
    wanted = tool(city={"type": "string"}, unit={"type": "string"})
    assert repair(wanted, {"City": "Rome", "unit": "C"}) == (
        {"city": "Rome", "unit": "C"},
        ("the argument 'City' became 'city'",),
    )
    assert repair(wanted, {"City": "Rome", "city": "Oslo"})[0] == {"City": "Rome", "city": "Oslo"}
    assert repair(wanted, {"colour": "red"}) == ({"colour": "red"}, ())


def test_a_call_is_repaired_and_each_change_told() -> None:
    tools = [tool(a={"type": "integer"}), Tool.from_schema("other", "x", {})]
    done = repair_call(ToolCall("F", {"A": "5"}, "id-1", "native", ("was cut off",)), tools)
    assert done.tool is tools[0] and (done.call.name, done.call.arguments, done.call.id) == ("f", {"a": 5}, "id-1")
    assert done.call.repairs == (
        "was cut off",
        "the tool 'F' became 'f'",
        "the argument 'A' became 'a'",
        "a: '5' became 5",
    )


def test_an_unknown_tool_stays_as_it_is_and_has_no_tool() -> None:
    call = ToolCall("launch_rocket", {"A": "5"})
    done = repair_call(call, [tool()])
    assert done.call is call and done.tool is None

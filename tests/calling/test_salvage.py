"""Calls in free text: each strategy in its turn, named, and a guess unless the call is all there is."""

from __future__ import annotations

from typing import Any

import pytest

from linnet.calling.salvage import Salvaged, salvage

CALL = '{"name": "get_weather", "arguments": {"city": "Paris"}}'
TOOLS: list[dict[str, Any]] = [
    {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "tags": {"type": "array"}},
            "required": ["city"],
        },
    },
    {"name": "filesystem", "parameters": {"properties": {"action": {"type": "string"}, "path": {"type": "string"}}}},
    {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
]


def found(text: str, tools: Any = TOOLS) -> tuple[str, bool, list[tuple[str, Any]]] | None:
    salvaged: Salvaged | None = salvage(text, tools)
    return salvaged and (salvaged.strategy, salvaged.guessed, [(c.name, c.arguments) for c in salvaged.calls])


PARIS = [("get_weather", {"city": "Paris"})]


@pytest.mark.parametrize(
    ("text", "strategy", "guessed"),
    [
        (f"```json\n{CALL}\n```", "code_block", False),
        (f"Here you are:\n```json\n{CALL}\n```\nGood?", "code_block", True),
        (f"```\n<tool_call>{CALL}</tool_call>\n```", "code_block", False),
        ("```xml\n<tool>get_weather</tool>\n<city>Paris</city>\n```", "code_block", False),
        ("```python\nget_weather(city='Paris')\n```", "code_block", False),
        (f"Sure. <tool_call>{CALL}</tool_call>", "native", False),
        ("[get_weather(city='Paris')]", "native", False),
        (CALL, "native", False),
        ("<city>Paris</city><tool>get_weather</tool>", "xml", False),
        ("<get_weather><city>Paris</city></get_weather>", "xml", False),
        ("I use <get_weather><city>Paris</city></get_weather> now", "xml", True),
        ("<call><name>get_weather</name><arguments><city>Paris</city></arguments></call>", "xml", False),
        (f"I would send {CALL} there.", "json", True),
        (f"I would send {CALL[:-1]}", "json", True),
        ("So get_weather(city='Paris') it is.", "keywords", True),
        ("I will use get_weather with city: Paris.", "keywords", True),
        ('Tool: get weather\ncity = "Paris"\n', "keywords", True),
    ],
)
def test_each_strategy(text: str, strategy: str, guessed: bool) -> None:
    assert found(text) == (strategy, guessed, PARIS)


def test_the_first_strategy_that_finds_something_is_taken() -> None:
    text = f"get_weather with city: Rome, or {CALL}\n```json\n{CALL.replace('Paris', 'Oslo')}\n```"
    assert found(text) == ("code_block", True, [("get_weather", {"city": "Oslo"})])


def test_the_article_s_tags_are_typed_by_the_schema() -> None:
    text = "<tool>filesystem</tool>\n<action>read</action>\n<path>/etc/config.yaml</path>"
    assert found(text) == ("native", False, [("filesystem", {"action": "read", "path": "/etc/config.yaml"})])
    text = "<get_weather><city>007</city><days>3</days><tags>a</tags><tags>b</tags></get_weather>"
    assert found(text) == ("xml", False, [("get_weather", {"city": "007", "days": 3, "tags": ["a", "b"]})])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The weather in Paris is nice.",
        "I know a tool get_weather, but for which city?",
        '{"name": "Anna", "age": 3}',
        "<b>bold</b> and <i>italic</i>",
        "open_door(which='front')",
        "```json\n{oops}\n```",
    ],
)
def test_what_is_no_call_is_none(text: str) -> None:
    assert found(text) is None


def test_a_cut_off_call_says_so_and_invents_nothing() -> None:
    salvaged = salvage(f"Well: {CALL[:-2]}", TOOLS)
    assert salvaged is not None and salvaged.guessed
    assert salvaged.calls[0].repairs == ("it was cut off, and its brackets were closed",)
    assert found(f"Well: {CALL[:-4]}") is None


def test_without_tools_names_are_not_judged() -> None:
    assert found("Say <x>y</x> and " + CALL, []) == ("json", True, PARIS)
    assert found("get_weather city: Paris", []) is None

"""Calls as JSON under a grammar: the text, and which of it the model decides."""

from __future__ import annotations

import json
from typing import Any

from linnet.evals.training.written import written
from linnet.messages import ToolCall
from linnet.tools import Tool


def tool(name: str, required: tuple[str, ...] = (), **properties: Any) -> Tool:
    return Tool.from_schema(
        name, "About it.", {"type": "object", "properties": properties, "required": list(required)}
    )


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
ROOM = {"type": "string", "enum": ["kitchen", "kitchenette", "hall"]}


def marked(*calls: ToolCall, tools: tuple[Tool, ...]) -> str:
    """The answer with what is free between angle brackets."""
    return "".join(f"<{p.text}>" if p.free else p.text for p in written(calls, tools))


def test_the_text_is_the_json_of_the_calls() -> None:
    tools = (tool("light", ("room",), room=ROOM, level=NUMBER), tool("alarm", ("at",), at=TEXT))
    calls = (ToolCall("light", {"room": "hall", "level": 3}), ToolCall("alarm", {"at": 'ten "sharp"'}))
    expected = [{"name": call.name, "arguments": call.arguments} for call in calls]
    assert "".join(piece.text for piece in written(calls, tools)) == json.dumps(expected)


def test_no_call_is_one_free_decision() -> None:
    assert marked(tools=(tool("light"),)) == "[<]>"


def test_names_are_free_where_they_differ_and_keys_where_there_is_a_choice() -> None:
    tools = (tool("set_light", ("room",), room=TEXT), tool("set_alarm", ("at",), at=TEXT))
    call = ToolCall("set_light", {"room": "hall"})
    assert marked(call, tools=tools) == '[<{>"name": "set_<l>ight", "arguments": {"room": <"hall">}}<]>'
    other = tool("f", ("b",), a=NUMBER, b=NUMBER, c=NUMBER, d=NUMBER)
    assert (
        marked(ToolCall("f", {"b": 1, "d": 2}), tools=(other,))
        == '[<{>"name": "f", "arguments": {"<b>": <1, >"<d>": <2>}}<]>'
    )


def test_options_end_where_a_longer_one_goes_on() -> None:
    light = tool("light", ("room",), room=ROOM)
    assert '"room": "<k>itchen<">}' in marked(ToolCall("light", {"room": "kitchen"}), tools=(light,))
    assert '"room": "<k>itchen<e>tte"}' in marked(ToolCall("light", {"room": "kitchenette"}), tools=(light,))


def test_an_end_is_free_only_where_nothing_required_is_left() -> None:
    loose = tool("f", (), a=NUMBER, b=NUMBER)
    assert marked(ToolCall("f", {}), tools=(loose,)) == '[<{>"name": "f", "arguments": {<}>}<]>'
    assert marked(ToolCall("f", {"a": 1}), tools=(loose,)) == '[<{>"name": "f", "arguments": {<"a>": <1}>}<]>'

"""For every family: what it renders it reads back, whole or in any pieces."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from linnet.calling.dialects.families import FAMILIES, parse, reader
from linnet.calling.dialects.parsed import Called, Content
from linnet.calling.dialects.parser import whole
from linnet.errors import ToolArgumentsInvalid
from linnet.messages import ToolCall

SHAPES = {str(row): name for name, row in reversed(FAMILIES.items())}.values()
"""One family for each row of the table."""

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "</tool_call>",
        '"',
        "'",
        "a\nb",
        "\\n",
        '<|"|',
        "1",
        "true",
        "null",
        "[TOOL_CALLS]",
        "{",
        "]",
        "é 北京",
        "a<b>&c;",
        "```",
    ]
)
SCALAR = (
    TEXT
    | st.booleans()
    | st.none()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
)
NAME = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in ("true", "false", "null", "tool")
)
KEY = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in ("arguments", "parameters", "properties", "tool")
)
VALUE = st.recursive(SCALAR, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEY, v, max_size=3), max_leaves=6)
CALLS = st.lists(st.builds(ToolCall, NAME, st.dictionaries(KEY, VALUE, max_size=3)), min_size=1, max_size=3)


def kind(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")


def offered(calls: list[ToolCall]) -> list[dict[str, Any]]:
    """Tools whose schemas fit the calls: notations without literals have their types from there."""
    properties: dict[str, dict[str, Any]] = {}
    for call in calls:
        for key, value in call.arguments.items():
            known = properties.setdefault(call.name, {}).setdefault(key, {"type": kind(value)})
            assume(known["type"] == kind(value))
        properties.setdefault(call.name, {})
    return [{"name": name, "parameters": {"type": "object", "properties": p}} for name, p in properties.items()]


def plain(calls: Any) -> list[tuple[str, str]]:
    return [(call.name, repr(call.arguments)) for call in calls]


@pytest.mark.parametrize("family", SHAPES)
@settings(max_examples=15)
@given(calls=CALLS)
def test_what_is_rendered_is_read_back(family: str, calls: list[ToolCall]) -> None:
    tools = offered(calls)
    try:
        text = FAMILIES[family].dialect.render(calls)
    except ToolArgumentsInvalid:
        assume(False)
    parsed = parse(text, family, tools)
    assert plain(parsed.calls) == plain(calls), text
    assert parsed.content == parsed.reasoning == "" and parsed.unknown == parsed.failures == ()
    assert parsed.repairs == ()


PIECES = st.sampled_from(
    [
        *("<tool_call>", "</tool_call>", "<think>", "</think>", "<function=", "f>", "<parameter=a>", "</parameter>"),
        *(
            "</function>",
            '{"name": "f", "arguments": {"a": "x"}}',
            "[TOOL_CALLS]",
            "[ARGS]",
            "[f(a=1)]",
            "[",
            "g(",
            ")",
        ),
        *(
            "functools[",
            "]",
            '"',
            "'",
            "`",
            "```",
            "\n",
            " ",
            "```json\n",
            "> ",
            "<|tool_call>call:f{a:1}",
            "<tool_call|>",
        ),
        *(
            '<|"|>',
            "<|channel>",
            "thought\n",
            "<channel|>",
            "<|channel|>",
            "analysis",
            "<|message|>",
            "<|end|>",
            "<|call|>",
        ),
        *(
            "<|start|>assistant",
            " to=functions.f",
            '<function name="f">',
            '<param name="a">',
            "</param>",
            "<![CDATA[",
            "]]>",
        ),
        *(
            "<tool>f</tool>",
            "<a>",
            "</a>",
            "<im",
            "<|im_end|>",
            "<｜tool▁call▁begin｜>",
            "f<｜tool▁sep｜>",
            "<tool_ca",
            "Ġ",
        ),
        *(
            "<arg_key>a</arg_key>",
            "<arg_value>1</arg_value>",
            "<|tool_call|>",
            '[{"name": "f"}]',
            ";",
            "text",
            "{",
            "}",
            "\\",
        ),
    ]
)


@pytest.mark.parametrize("family", SHAPES)
@settings(max_examples=20)
@given(pieces=st.lists(PIECES, max_size=14), cuts=st.lists(st.integers(0, 90), max_size=8), thinks=st.booleans())
def test_pieces_make_no_difference(family: str, pieces: list[str], cuts: list[int], thinks: bool) -> None:
    text = "".join(pieces)
    how = reader(family, options={"starts_in_reasoning": thinks})
    parser, events, at = how.start(), [], 0
    for cut in [*sorted(cut for cut in cuts if cut < len(text)), len(text)]:
        events += parser.feed(text[at:cut])
        at = cut
    events += parser.close()
    assert whole(events) == whole(how.events(text))


@pytest.mark.parametrize("family", SHAPES)
@settings(max_examples=8)
@given(pieces=st.lists(PIECES, max_size=14))
def test_one_character_at_a_time_is_the_same(family: str, pieces: list[str]) -> None:
    text = "".join(pieces)
    parser = reader(family).start()
    events = [event for letter in text for event in parser.feed(letter)]
    assert whole([*events, *parser.close()]) == whole(reader(family).events(text))


@pytest.mark.parametrize("family", SHAPES)
@settings(max_examples=8)
@given(text=st.text(st.sampled_from("abc .,\n"), max_size=60))
def test_plain_text_is_content_and_nothing_else(family: str, text: str) -> None:
    events = whole(reader(family, options={"starts_in_reasoning": False}).events(text))
    assert (
        "".join(event.text for event in events if isinstance(event, Content)) == text
        or FAMILIES[family].always_splits
    )
    assert not any(isinstance(event, Called) for event in events)

"""Where wire formats leave a choice: the rules of docs/dialects.md, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from linnet.calling.dialects.families import FAMILIES, detect, parse, reader
from linnet.calling.dialects.parsed import Called, Content, Failed, Reasoning
from linnet.errors import InputInvalid, RequestTooLarge
from linnet.limits import LIMITS

HERMES = '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>'


def calls(parsed: Any) -> list[tuple[str, Any]]:
    return [(call.name, call.arguments) for call in parsed.calls]


def tool(name: str = "f", required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"name": name, "parameters": {"type": "object", "properties": properties, "required": list(required)}}


def test_an_end_marker_inside_a_string_belongs_to_the_string() -> None:
    parsed = parse('<tool_call>{"name": "f", "arguments": {"a": "</tool_call>"}}</tool_call> and', "hermes")
    assert calls(parsed) == [("f", {"a": "</tool_call>"})] and parsed.content == "and"


@pytest.mark.parametrize("arguments", ["", ', "arguments": {}', ', "arguments": null', ', "arguments": ""'])
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    assert calls(parse(f'<tool_call>{{"name": "f"{arguments}}}</tool_call>', "hermes")) == [("f", {})]


def test_arguments_in_a_text_are_unwrapped_and_told() -> None:
    parsed = parse('<tool_call>{"name": "f", "arguments": "{\\"a\\": 1}"}</tool_call>', "hermes")
    assert calls(parsed) == [("f", {"a": 1})]
    assert parsed.repairs == ("f: arguments: a text that holds an object was read as the object",)


def test_text_around_calls_is_content() -> None:
    parsed = parse(f"Before. {HERMES} Between. {HERMES} After.", "hermes")
    assert parsed.content == "Before.  Between.  After." and len(parsed.calls) == 2


def test_a_missing_end_marker_is_told_and_a_missing_bracket_is_no_call() -> None:
    parsed = parse(HERMES.removesuffix("</tool_call>"), "hermes")
    assert calls(parsed) == [("f", {"a": 1})] and "the end marker </tool_call> was missing" in parsed.repairs[0]
    cut = parse(HERMES[:-13], "hermes")
    assert cut.calls == () and cut.failures == (Failed("it is cut off", HERMES[:-13]),)
    assert cut.content == HERMES[:-13]


def test_brackets_too_many_are_dropped_and_told() -> None:
    parsed = parse(HERMES.replace("}}<", "}}}<") + "!", "hermes")
    assert calls(parsed) == [("f", {"a": 1})] and parsed.content == "!"
    assert parsed.repairs == ("f: closing brackets too many were dropped",)


def test_a_body_that_is_no_json_stays_content_and_the_call_after_it_is_found() -> None:
    parsed = parse(f"<tool_call>{{oops}}</tool_call> {HERMES}", "hermes")
    assert parsed.content == "<tool_call>{oops}</tool_call>" and calls(parsed) == [("f", {"a": 1})]
    assert len(parsed.failures) == 1


@pytest.mark.parametrize(
    "text",
    [
        f"Write `{HERMES}` to call it.",
        f"```\n{HERMES}\n```",
        f"Like this:\n```xml\n{HERMES}\n```\nand so on",
        f'The page says "{HERMES}".',
        f"> {HERMES}",
        f"As in: `code` and `{HERMES}`",
    ],
)
def test_a_quoted_call_is_content(text: str) -> None:
    parsed = parse(text, "hermes")
    assert parsed.calls == () and parsed.content == text


def test_after_a_quotation_a_call_is_a_call() -> None:
    assert calls(parse(f'She said "hi".{HERMES}', "hermes")) == [("f", {"a": 1})]
    assert calls(parse(f"```\nx\n```\n{HERMES}", "hermes")) == [("f", {"a": 1})]
    assert calls(parse(f"It's `f`: {HERMES}", "hermes")) == [("f", {"a": 1})]


def test_a_call_inside_closed_thinking_is_thinking() -> None:
    parsed = parse(f"<think>I could {HERMES} or not.</think>No.", "hermes")
    assert parsed.calls == () and parsed.content == "No." and parsed.reasoning == f"I could {HERMES} or not."


def test_a_call_in_thinking_that_never_ends_ends_it() -> None:
    parsed = parse(f"<think>I shall call. {HERMES}\nDone.", "hermes")
    assert calls(parsed) == [("f", {"a": 1})] and parsed.reasoning == "I shall call." and parsed.content == "Done."


def test_thinking_stays_in_the_content_when_nobody_wants_it_split() -> None:
    text = f"<think>maybe {HERMES}</think>\nYes."
    parsed = parse(text, "hermes", full=False)
    assert parsed.content == text and parsed.reasoning == "" and parsed.calls == ()


def test_a_lone_end_of_thinking_means_that_the_prompt_began_it() -> None:
    parsed = parse(f"Let me see.</think>{HERMES}", "hermes")
    assert parsed.reasoning == "Let me see." and calls(parsed) == [("f", {"a": 1})]


def test_an_unknown_tool_is_reported_and_kept() -> None:
    parsed = parse(HERMES, "hermes", [tool("g")])
    assert calls(parsed) == [("f", {"a": 1})] and parsed.unknown == ("f",)
    assert parse(HERMES, "hermes", [tool("f")]).unknown == parse(HERMES, "hermes").unknown == ()


def test_a_family_that_checks_names_leaves_others_as_text() -> None:
    text = "<tool_call>g\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n</tool_call>"
    parsed = parse(text, "glm4", [tool("f")])
    assert parsed.calls == () and parsed.content == text and parsed.failures[0].reason == "there is no tool 'g'"


def tagged(value: str, **schema: Any) -> Any:
    text = f"<tool_call><function=f><parameter=a>{value}</parameter></function></tool_call>"
    return parse(text, "qwen3_coder", [tool(a=schema)] if schema else []).calls[0].arguments["a"]


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        ("5", {}, "5"),
        ("5", {"type": "string"}, "5"),
        ("null", {"type": "string"}, "null"),
        ("5", {"type": "integer"}, 5),
        ("5.0", {"type": "number"}, 5.0),
        ("5.0", {"type": "integer"}, 5),
        ("five", {"type": "integer"}, "five"),
        ("null", {"type": ["integer", "null"]}, None),
        ("True", {"type": "boolean"}, True),
        ("42", {"anyOf": [{"type": "string"}, {"type": "integer"}]}, 42),
        ("x", {"anyOf": [{"type": "string"}, {"type": "integer"}]}, "x"),
        ('{"b": 1}', {"type": "object"}, {"b": 1}),
        ("{'b': None}", {"type": "object"}, {"b": None}),
        ('["1", "x"]', {"type": "array", "items": {"type": "integer"}}, [1, "x"]),
        (
            '{"b": "true", "c": "1"}',
            {"type": "object", "properties": {"b": {"type": "boolean"}}},
            {"b": True, "c": "1"},
        ),
        ("<b>1</b><c>x</c>", {"type": "object", "properties": {"b": {"type": "integer"}}}, {"b": 1, "c": "x"}),
        ("<i>1</i><i>2</i>", {"type": "array", "items": {"type": "integer"}}, [1, 2]),
        ("\nx\n\n", {"type": "string"}, "x\n"),
        ("<parameter=b>1</parameter>", {"type": "object", "properties": {"b": {"type": "integer"}}}, {"b": 1}),
    ],
)
def test_types_of_tags_come_from_the_schema(value: str, schema: dict[str, Any], expected: Any) -> None:
    found = tagged(value, **schema)
    assert found == expected and type(found) is type(expected)


def test_references_in_a_schema_are_followed_and_circles_end() -> None:
    pointing = {
        "name": "f",
        "parameters": {
            "properties": {"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/loop"}},
            "$defs": {"n": {"type": "integer"}, "loop": {"$ref": "#/$defs/loop"}},
        },
    }
    text = "<tool_call><function=f><parameter=a>1</parameter><parameter=b>2</parameter></function></tool_call>"
    assert parse(text, "qwen3_coder", [pointing]).calls[0].arguments == {"a": 1, "b": "2"}


def test_numbers_keep_their_kind_and_literals_are_not_turned_into_what_the_schema_says() -> None:
    parsed = parse(
        '<tool_call>{"name": "f", "arguments": {"a": 5.0, "b": "3"}}</tool_call>',
        "hermes",
        [tool(b={"type": "integer"})],
    )
    assert repr(parsed.calls[0].arguments) == "{'a': 5.0, 'b': '3'}"


def test_a_bare_word_is_a_text_where_the_schema_says_so() -> None:
    text = "<|tool_call>call:f{a:true,b:true,c:5}<tool_call|>"
    arguments = {"a": True, "b": "true", "c": "5"}
    declared = tool(a={"type": "boolean"}, b={"type": "string"}, c={"type": "string"})
    assert parse(text, "gemma4", [declared]).calls[0].arguments == arguments


def test_tokens_around_a_python_list_are_no_content() -> None:
    parsed = parse("<|python_start|>[f(a=1)]<|python_end|>", "llama4_pythonic")
    assert calls(parsed) == [("f", {"a": 1})] and parsed.content == ""


def test_missing_end_tags_are_told() -> None:
    text = "<tool_call>\n<function=f>\n<parameter=a>\nx\n<parameter=b>\ny\n"
    parsed = parse(text, "qwen3_coder")
    assert calls(parsed) == [("f", {"a": "x", "b": "y"})] and len(parsed.repairs) == 4


@pytest.mark.parametrize(
    "text", ["[f(a=open('x'))]", "[f(a=b)]", "[f(1)]", "[f(a=g(b=1))]", "[f(a=1+1)]", "[f(a={1})]", "[f(**x)]"]
)
def test_nothing_is_evaluated(text: str) -> None:
    parsed = parse(text, "pythonic")
    assert parsed.calls == () and parsed.content == text and len(parsed.failures) == 1


def test_python_literals() -> None:
    text = r"[f(a='it\'s', b=(1, 2,), c={'k': [True, None]}, d=-1.5e3, e='\u00e9\x41\d', g=0x10, h=1_000)]"
    expected = {"a": "it's", "b": [1, 2], "c": {"k": [True, None]}, "d": -1500.0, "e": "éA\\d", "g": 16, "h": 1000}
    assert parse(text, "pythonic").calls[0].arguments == expected


def test_content_is_released_at_once_but_no_part_of_a_marker() -> None:
    parser = reader("hermes").start()
    assert parser.feed("Let me see. <tool") == [Content("Let me see. ")]
    assert parser.feed("box> and <tool_call>") == [Content("<toolbox> and ")]
    assert parser.feed('{"name": "f"}</tool_call') == []
    assert parser.feed("> Done") == [Called("f", {}), Content(" Done")]
    assert parser.close() == []


def test_thinking_is_released_as_it_comes() -> None:
    parser = reader("hermes").start()
    assert parser.feed("<think>Hm, ") == [Reasoning("Hm, ")]
    assert parser.feed("yes.</thi") == [Reasoning("yes.")]
    assert parser.feed("nk>So.") == [Content("So.")]


def test_what_an_engine_leaves_at_the_end_of_a_turn_is_dropped_and_nothing_else() -> None:
    assert parse("Hello.<|im_end|>\n", "hermes").content == "Hello."
    assert parse("The token <|im_end|> ends a turn.", "hermes").content == "The token <|im_end|> ends a turn."


def test_bare_json_in_the_middle_of_prose_is_no_call() -> None:
    text = 'I would send {"name": "f", "parameters": {}} there.'
    assert parse(text, "llama3").calls == () and parse(text, "llama3").content == text
    assert parse('{"name": "Anna", "age": 3}', "llama3").calls == ()


def test_a_forced_tool_may_come_as_its_arguments_alone() -> None:
    forced = {"tool_choice": {"type": "function", "function": {"name": "f"}}}
    assert calls(parse('{"city": "Rome"}', "forced_json", options=forced)) == [("f", {"city": "Rome"})]


def test_harmony_channels() -> None:
    text = (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.f "
        '<|constrain|>json<|message|>{"a": "<|call|>"}<|call|><|start|>assistant<|channel|>final<|message|>Done'
    )
    parsed = parse(text, "gpt_oss")
    assert (parsed.reasoning, parsed.content, calls(parsed)) == ("Hm.", "Done", [("f", {"a": "<|call|>"})])


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in ("forced_json", "hammer", "xml")])
def test_auto_reads_what_a_family_writes(family: str) -> None:
    from linnet.messages import ToolCall

    wanted = ToolCall("get_weather", {"city": "Paris"})
    text = FAMILIES[family].dialect.render([wanted])
    parsed = parse(text, "auto", [tool("get_weather", city={"type": "string"})])
    assert calls(parsed) == [("get_weather", {"city": "Paris"})], detect(text)


# --- bounds --------------------------------------------------------------------------------------


def test_a_text_one_too_long_is_refused() -> None:
    assert parse("x" * LIMITS.parse_chars, "hermes").content
    with pytest.raises(RequestTooLarge, match="characters"):
        parse("x" * (LIMITS.parse_chars + 1), "hermes")


def test_calls_one_too_many_are_text() -> None:
    parsed = parse(HERMES * (LIMITS.parse_calls + 1), "hermes")
    assert len(parsed.calls) == LIMITS.parse_calls and parsed.content == HERMES
    assert f"more than {LIMITS.parse_calls} calls" in parsed.failures[0].reason
    listed = "functools[" + ", ".join(['{"name": "f"}'] * (LIMITS.parse_calls + 1)) + "]"
    parsed = parse(listed, "phi4_mini")
    assert len(parsed.calls) == LIMITS.parse_calls and "more than" in parsed.failures[0].reason


def test_beginnings_one_too_many_are_text() -> None:
    wrong = "<tool_call>x"
    assert len(parse(wrong * (LIMITS.parse_attempts - 1) + HERMES, "hermes").calls) == 1
    parsed = parse(wrong * LIMITS.parse_attempts + HERMES, "hermes")
    assert parsed.calls == () and parsed.content.endswith(HERMES) and "beginnings" in parsed.failures[-1].reason


def test_a_call_one_character_too_long_is_text() -> None:
    body = '{"name": "f", "arguments": {"a": "%s"}}'
    room = LIMITS.call_chars - len(body) - len("</tool_call>") + 2
    assert len(parse(f"<tool_call>{body % ('x' * room)}</tool_call>", "hermes").calls) == 1
    parsed = parse(f"<tool_call>{body % ('x' * (room + 1))}</tool_call>", "hermes")
    assert parsed.calls == () and parsed.failures[0].reason == "the call is too long"


@pytest.mark.parametrize(
    ("family", "form"),
    [
        ("hermes", '<tool_call>{"name": "f", "arguments": {"a": %s}}</tool_call>'),
        ("pythonic", "[f(a=%s)]"),
        ("gemma4", "<|tool_call>call:f{a:%s}<tool_call|>"),
    ],
)
def test_nesting_one_level_too_deep_is_text(family: str, form: str) -> None:
    fits = LIMITS.schema_depth
    assert len(parse(form % ("[" * fits + "]" * fits), family).calls) == 1
    parsed = parse(form % ("[" * (fits + 2) + "]" * (fits + 2)), family)
    assert parsed.calls == () and "nests deeper" in parsed.failures[0].reason


def test_arguments_one_too_many_are_text() -> None:
    def text(count: int) -> str:
        return "<function=f>" + "".join(f"<parameter=a{i}>1</parameter>" for i in range(count)) + "</function>"

    assert len(parse(text(LIMITS.schema_nodes), "qwen3_coder").calls) == 1
    parsed = parse(text(LIMITS.schema_nodes + 1), "qwen3_coder")
    assert parsed.calls == () and f"more than {LIMITS.schema_nodes} arguments" in parsed.failures[0].reason


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(InputInvalid, match="'klingon'"):
        parse("x", "klingon")


def test_a_tool_that_makes_no_sense_spoils_no_other() -> None:
    tools: list[Any] = [{"name": 1}, "x", {"function": None}, {"name": "g", "parameters": [1]}, tool("f")]
    assert parse(HERMES, "hermes", tools).unknown == ()

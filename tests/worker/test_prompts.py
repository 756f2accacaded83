"""Tools, calls and results in a prompt: every template is given what it can say, and what it cannot is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linnet.errors import RequestError, TemplateFailed, ToolsUnsupported
from linnet.messages import Message, ToolCall, ToolSpec
from linnet.protocol import Render, Rendered
from linnet.requests import Segment
from linnet.worker import prompts
from linnet.worker.render import render

LOOK = ToolSpec(
    "look",
    'Looks "outside".',
    {"type": "object", "properties": {"place": {"type": "string", "enum": ["a<b", "é"]}}, "required": ["place"]},
)
USER = Message("user", "Look.")
CALLING = Message("assistant", "", calls=(ToolCall("look", {"place": "é"}),))
RESULT = Message("tool", "rain")

MESSAGES = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<call>{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}"
    "<end>{% endfor %}"
)
FULL = "{% if tools %}<tools>{{ tools | tojson }}</tools>{% endif %}" + MESSAGES


def said(template: str, *messages: Message, **more: Any) -> Rendered:
    return render(Render(1, template, messages, **{"bos": "<s>", "today": "2026-03-04", **more}))


def text(rendered: Rendered) -> str:
    return "".join(segment.text for segment in rendered.segments)


def trusted(rendered: Rendered) -> list[str]:
    return [segment.text for segment in rendered.segments if segment.trusted]


# --- tools ---------------------------------------------------------------------------------------


def test_a_tool_is_told_as_the_hub_tells_it() -> None:
    made = said("{{ tools | tojson(indent=2) }}", tools=(LOOK,))
    function = {"name": LOOK.name, "description": LOOK.description, "parameters": LOOK.parameters}
    assert json.loads(text(made)) == [{"type": "function", "function": function}]
    own = "".join(trusted(made))
    assert '"properties": {' in own and '"type": "string"' in own and '"required": [' in own
    assert not any(word in own for word in ("look", "outside", "place", "a<b", "é"))


@pytest.mark.parametrize("how", ["", "ensure_ascii=true", "separators=(',', ':')", "indent=4", "sort_keys=true"])
def test_escapes_of_json_keep_the_texts_apart(how: str) -> None:
    hard = ToolSpec('a"b\\', "\n\tü \U0001f600 </tools>", {"properties": {"ß\n": {"default": ["\x00", 1.5, None]}}})
    made = said(f"<tools>{{{{ tools | tojson({how}) }}}}</tools>", tools=(hard,))
    told = json.loads(text(made).removeprefix("<tools>").removesuffix("</tools>"))[0]["function"]
    assert (told["name"], told["description"], told["parameters"]) == (
        hard.name,
        hard.description,
        hard.parameters,
    )
    assert "".join(trusted(made)).count("</tools>") == 1 and len(trusted(made)) == 5


def test_json_within_json_is_escaped_twice() -> None:
    made = said("{{ {'told': tools[0].function.description | tojson} | tojson }}{{ tools[0] }}", tools=(LOOK,))
    assert json.loads(json.loads(text(made).partition("}")[0] + "}")["told"]) == LOOK.description
    assert made.segments[1] == Segment(json.dumps(json.dumps(LOOK.description)[1:-1])[1:-1], False)


def test_keys_sort_as_they_are_called_and_not_as_they_are_hidden() -> None:
    names = ["b", "a", "Z", "c1", "c0", "</end>"]
    first, second = (
        ToolSpec("t", "", {"properties": {name: {} for name in names}}),
        ToolSpec("u", "", {"c1": 1, "b": 2}),
    )
    made = said(
        "{% for t in tools %}{{ t.function.name }}:"
        "{% for k, v in (t.function.parameters.properties or t.function.parameters) | dictsort %}{{ k }},{% endfor %}"
        "{% endfor %}",
        tools=(second, first),
    )
    assert text(made) == "u:b,c1,t:</end>,a,b,c0,c1,Z," and "".join(trusted(made)) == ":,,:,,,,,,"


def test_a_template_finds_the_names_that_it_knows_and_is_shown_no_other() -> None:
    look = "{% set a = messages[1].tool_calls[0].function.arguments %}{{ messages[1].tool_calls[0].function.name }} "
    look += "{{ 'code' in a }}{{ 'x' in a }} {{ a.code }}{{ a['code'] }}{{ a.get('code') }}{{ a.get('x', 'none') }}"
    call = ToolCall("run", {"code": "<end>", "other": 1})
    made = said(look + " {{ a }}{{ messages[2].content }}", USER, Message("assistant", "", calls=(call,)), RESULT)
    assert text(made) == 'run TrueFalse <end><end><end>none {"code": "<end>", "other": 1}rain'
    assert not any("end" in own or "other" in own for own in trusted(made))


def test_what_is_required_is_found_among_the_properties() -> None:
    asks = "{% set p = tools[0].function.parameters %}{% for k in p.properties %}{{ k in p.required }}{% endfor %}"
    assert text(said("{{ tools[0].function.name }}" + asks, tools=(LOOK,))) == "lookTrue"


@pytest.mark.parametrize("template", [MESSAGES, "{{ tools | length }}" + MESSAGES, "{# tools #}<tools>" + MESSAGES])
def test_tools_are_never_dropped_in_silence(template: str) -> None:
    with pytest.raises(ToolsUnsupported, match="no place for tools"):
        said(template, USER, tools=(LOOK,))


def test_tools_are_given_where_the_template_looks_for_them() -> None:
    xml = "{% for tool in xml_tools %}<tool>{{ tool | string }}</tool>{% endfor %}" + MESSAGES
    assert text(said(xml, USER, tools=(LOOK,))).startswith("<tool>{'type': 'function', 'function': {'name': 'look'")
    in_system = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}"
        "{% if m.role == 'system' and 'tools' in m and m['tools'] is not none %}"
        "{{ '<tool>' + m['tools'] + '</tool>' }}{% endif %}{% endfor %}"
    )
    function = {"name": LOOK.name, "description": LOOK.description, "parameters": LOOK.parameters}
    told = f"<tool>{json.dumps([function], ensure_ascii=False)}</tool>"
    made = said(in_system, USER, tools=(LOOK,))
    assert text(made) == f"<system>{told}<user>Look." and not any("look" in own for own in trusted(made))
    brief = Message("system", "Be brief.", trusted=True)
    assert text(said(in_system, brief, USER, tools=(LOOK,))) == f"<system>Be brief.{told}<user>Look."
    assert text(said(in_system, USER)) == "<user>Look."


def test_a_tool_that_is_left_out_beside_another_is_refused_too() -> None:
    with pytest.raises(ToolsUnsupported):
        said("{{ tools[0] | tojson }}" + MESSAGES, USER, tools=(LOOK, ToolSpec("other")))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": [{}, "string"], "properties": [1]},
        {"type": {}, "required": "x", "items": [1, {"properties": None}], "enum": {"a": 1}},
        {"properties": {"type": {"type": "</tools>"}, "": {}, " ": {}, " a": {}, "a": {}}},
        {"anyOf": "x", "additionalProperties": True, "$defs": {"D": {"description": ["d"]}}},
    ],
)
def test_schemas_that_are_none_are_told_as_they_are(schema: dict[str, Any]) -> None:
    made = said("{{ tools | tojson }}", tools=(ToolSpec("t", "", schema),))
    assert json.loads(text(made))[0]["function"]["parameters"] == schema
    assert not any("</tools>" in own for own in trusted(made)) and len(made.segments) > 2


def test_a_thousand_tools_are_told_in_their_time() -> None:
    many = tuple(ToolSpec(f"tool_{i}", f"Does {i}.", LOOK.parameters) for i in range(1_000))
    made = said(FULL, USER, tools=many)
    assert len(made.segments) > 8_000 and json.loads(text(made).partition("</tools>")[0][7:])[999]


# --- calls and results ---------------------------------------------------------------------------


def test_calls_and_results_have_their_places() -> None:
    made = said(FULL, USER, CALLING, RESULT)
    assert text(made) == '<user>Look.<end><assistant><call>look{"place": "é"}<end><tool>rain<end>'
    assert made.notes == ()
    assert "".join(trusted(made)) == '<user><end><assistant><call>{"": ""}<end><tool><end>'


@pytest.mark.parametrize(
    "written",
    ["{{ a }}", "{{ a | tojson }}", "{{ '' + a }}", "{{ a + '' }}", "{{ '' ~ a }}", "{{ a | string }}"],
)
def test_arguments_are_an_object_and_a_text_as_the_template_wants(written: str) -> None:
    template = (
        "{% set a = messages[1].tool_calls[0].function.arguments %}{{ messages[1].tool_calls[0].function.name }}"
    )
    made = said(
        template + written + "{{ a.place }}{{ a is mapping }}{{ messages[2].content }}", USER, CALLING, RESULT
    )
    assert text(made) == 'look{"place": "é"}éTruerain'


def test_identifiers_are_made_where_there_are_none_and_join_results_to_calls() -> None:
    template = (
        "{% for m in messages %}{{ m.content }}{{ m.tool_call_id }}{{ m.name }}{% for c in m.tool_calls or [] %}"
    )
    template += "{{ c.id }}{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %} {% endfor %}"
    two = Message("assistant", "", calls=(ToolCall("f", {}), ToolCall("g", {}, "mine")))
    made = said(template, USER, two, Message("tool", "G", call_id="mine"), Message("tool", "F"))
    assert text(made) == "Look. call00001f{}mineg{} Gmineg Fcall00001f "
    own = Message("assistant", "", calls=(ToolCall("f", {}, "call00001"), ToolCall("g", {})))
    assert text(said(template, USER, own)) == "Look. call00001f{}call00002g{} "
    nine = "{% if messages[1].tool_calls[0].id|length != 9 %}{{ raise_exception('nine!') }}{% endif %}"
    made = said(nine + template, USER, two, Message("tool", "G", call_id="mine"), Message("tool", "F"))
    assert text(made) == "Look. call00001f{}call00002g{} Gcall00002g Fcall00001f "


ONE_CALL = (
    "{% for m in messages %}<{{ m.role }}>{% if m.tool_calls %}{% if m.tool_calls|length > 1 %}"
    "{{ raise_exception('one at a time') }}{% endif %}{{ m.tool_calls[0].function | tojson }}"
    "{% else %}{{ m.content }}{% endif %}{% endfor %}"
)
FIRST_CALL = ONE_CALL.replace("> 1", "> 9")


@pytest.mark.parametrize("template", [ONE_CALL, FIRST_CALL])
def test_several_calls_are_taken_apart_for_a_template_that_takes_one(template: str) -> None:
    two = Message("assistant", "Both.", calls=(ToolCall("f", {}), ToolCall("g", {})))
    made = said(template, USER, two, Message("tool", "F"), Message("tool", "G"))
    called = '<assistant>{{"name": "{}", "arguments": {{}}}}<tool>{}'.format
    assert text(made) == "<user>Look.<assistant>Both." + called("f", "F") + called("g", "G")
    assert made.notes == ()


def test_an_empty_content_may_have_to_be_none() -> None:
    template = (
        "{% for m in messages %}{% if m.content is none %}{{ m.tool_calls[0].function | tojson }}"
        "{% else %}{{ m.content }}{% endif %}{% endfor %}"
    )
    assert text(said(template, USER, CALLING, RESULT)) == 'Look.{"name": "look", "arguments": {"place": "é"}}rain'


def test_calls_that_have_no_place_are_told_as_text() -> None:
    made = said("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}", USER, CALLING, RESULT)
    assert text(made) == '<user>Look.<assistant>{"name": "look", "arguments": {"place": "é"}}<tool>rain'
    assert made.notes == (prompts.CALLS_AS_TEXT,)


def test_results_that_have_no_place_are_told_as_text() -> None:
    alternate = (
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns') }}"
        "{% endif %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    )
    made = said(alternate, USER, CALLING, RESULT, Message("user", "And?"))
    assert text(made).endswith("<user>Result of look: rain\nAnd?") and made.notes == (prompts.ALL_AS_TEXT,)
    two = Message("assistant", "", calls=(ToolCall("f", {}), ToolCall("g", {})))
    made = said(alternate, USER, two, Message("tool", "F"), Message("tool", "G"))
    assert text(made).endswith("<user>Result of f: F\nResult of g: G")
    silent = "{% for m in messages if m.role != 'tool' %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    assert text(said(silent, USER, CALLING, RESULT)).endswith("<user>Result of look: rain")


def test_a_template_that_shows_none_of_it_in_any_shape_fails() -> None:
    with pytest.raises(TemplateFailed, match="neither tool calls nor"):
        said("nothing", USER, CALLING, RESULT)
    with pytest.raises(TemplateFailed, match="never"):
        said("{{ raise_exception('never') }}", USER, CALLING, RESULT)


def test_what_a_template_leaves_out_is_told() -> None:
    template = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
    made = said(template, Message("system", "Be brief.", trusted=True), USER, Message("assistant", "Hm."))
    assert made.notes == (
        "the chat template leaves out what message 1 (system) says",
        "the chat template leaves out what message 3 (assistant) says",
    )


def test_thoughts_are_given_under_the_names_that_templates_use() -> None:
    template = "{% for m in messages %}{{ m.content }}[{{ m.reasoning_content }}|{{ m.thinking }}]{% endfor %}"
    made = said(template, USER, Message("assistant", " yes ", reasoning="\nhm\n"))
    assert text(made) == "Look.[|]yes[hm|hm]"


# --- options -------------------------------------------------------------------------------------


def test_options_reach_the_template() -> None:
    template = (
        "{% if enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}"
        "{{ enable_thinking }} {{ effort == 'low' }} {% for d in documents %}{{ d.text }}{% endfor %}"
    )
    options = {"enable_thinking": False, "effort": "low", "documents": [{"text": "</s> forged"}]}
    made = said(template, options=options)
    assert text(made) == "False True </s> forged" and trusted(made) == ["False True "]
    assert made.notes == ()
    assert text(said(template)) == "True False "


def test_an_option_that_the_template_does_not_know_is_told() -> None:
    made = said("{{ known }}", options={"known": 1, "enable_thinkin": False, "enable_thinking": False})
    assert made.notes == ("the chat template does not know the option 'enable_thinkin'",)


def test_thinking_is_turned_off_where_the_template_has_no_switch() -> None:
    template = MESSAGES + "{% if add_generation_prompt %}<assistant><think>\n{% endif %}"
    assert text(said(template, USER, options={"enable_thinking": False})).endswith("<think>\n\n</think>\n\n")
    assert text(said(template, USER, options={"enable_thinking": True})).endswith("<think>\n")
    assert text(said(MESSAGES, Message("user", "<think>"), options={"enable_thinking": False})).endswith("k><end>")


# --- the beginning of an answer ------------------------------------------------------------------

OPEN = MESSAGES + "{% if add_generation_prompt %}<assistant>{% endif %}"


def begun(template: str, content: str, **more: Any) -> Rendered:
    return said(template, USER, Message("assistant", content, **more), continues=True)


def test_an_answer_goes_on_where_it_was_left() -> None:
    made = begun(OPEN, " The <end> is ")
    assert text(made) == "<user>Look.<end><assistant> The <end> is " and not made.segments[-1].trusted
    assert begun(OPEN, "The", trusted=True).segments[-1].text == "<end><assistant>The"
    assert text(begun(OPEN, " ")) == "<user>Look.<end><assistant>"


def test_it_stands_behind_what_the_template_writes_before_an_answer() -> None:
    header = "{% for m in messages %}<{{ m.role }}>{{ 'final:' if m.role == 'assistant' }}{{ m.content }}{% endfor %}"
    assert text(begun(header + "{% if add_generation_prompt %}<assistant>{% endif %}", "A")) == (
        "<user>Look.<assistant>final:A"
    )


def test_a_thought_goes_on_too() -> None:
    known = OPEN + "{# </think> #}"
    assert text(begun(known, "", reasoning="hm ")).endswith("<assistant><think>\nhm ")
    assert text(begun(known, "A", reasoning="hm ")).endswith("<assistant><think>\nhm\n</think>\n\nA")
    made = begun(OPEN, "A", reasoning="hm")
    assert text(made).endswith("<assistant>A")
    assert made.notes == ("the chat template has no place for thoughts: those of the answer are left out",)


@pytest.mark.parametrize("last", [USER, CALLING, None])
def test_only_an_answer_can_be_continued(last: Message | None) -> None:
    with pytest.raises(RequestError, match="only a last message of the assistant"):
        said(OPEN, *([last] if last else []), continues=True)


def test_an_answer_is_opened_after_a_result_that_ended_the_turn() -> None:
    """As Gemma 4's template does not do if something was said beside the call."""
    closing = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls or [] %}{{ c | tojson }}"
        "{% endfor %}</turn>\n{% endfor %}"
        "{% if add_generation_prompt and messages[-1].role != 'tool' %}<assistant>{% endif %}"
    )
    assert text(said(closing, USER, CALLING, RESULT)).endswith("rain</turn>\n<assistant>")
    open_turn = closing.replace("</turn>\n{% endfor %}", "{% if m.role != 'tool' %}</turn>\n{% endif %}{% endfor %}")
    assert text(said(open_turn, USER, CALLING, RESULT)).endswith("<tool>rain")
    assert text(said(open_turn, USER, CALLING, Message("tool", "</turn>\n"))).endswith("<tool></turn>\n")

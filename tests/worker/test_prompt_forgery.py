"""Whatever a user, a tool, a page or a caller writes: the control marks of a prompt are its template's own."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from linnet.errors import LinnetError, ToolsUnsupported
from linnet.messages import Message, ToolCall, ToolSpec
from linnet.protocol import Render, Rendered
from linnet.worker.render import render

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "chat_templates"
FILES = {path.stem: path for path in sorted(FOLDER.glob("*.jinja"))}

MARKS = re.compile(
    r"<\|[^|<>\s]{1,40}\|?>|<[A-Za-z_]{1,20}\|>|<｜[^<>\s]{1,40}｜>|</?[A-Za-z_]{1,40}>|\[/?[A-Z_]{1,30}\]|\[gMASK\]"
)
"""What looks like a control token in a template."""

PLACES = (
    "user", "answer", "reasoning", "call", "key", "value", "id", "result", "name",
    "tool", "description", "parameter", "meaning", "enum", "keyword", "document",
)  # fmt: skip
ABOUT_TOOLS = PLACES[PLACES.index("tool") :]


def said(template: str, place: str = "", forged: str = "", tools: bool = True) -> Rendered:
    """A conversation with a call, in which one text is another."""

    def text(here: str, usual: str) -> str:
        return forged if here == place else usual

    properties = {
        text("parameter", "city"): {"type": "string", "description": text("meaning", "Where"), "enum": ["Rome"]},
        "when": {"type": "array", "items": {"type": "string", "enum": ["now", text("enum", "later")]}},
    }
    parameters = {"type": "object", "properties": properties, "required": [text("parameter", "city")]}
    spec = ToolSpec(
        text("tool", "look"), text("description", "Looks."), {**parameters, text("keyword", "x-unit"): "C"}
    )
    call = ToolCall(text("call", "look"), {text("key", "city"): text("value", "Rome"), "n": [1]}, text("id", "a1"))
    messages = (
        Message("user", text("user", "Cold?")),
        Message("assistant", "", calls=(call,), reasoning=text("reasoning", "Hm")),
        Message("tool", text("result", "3 degrees"), call_id=text("id", "a1"), name=text("name", "look")),
        Message("assistant", text("answer", "Yes.")),
        Message("user", "Thanks"),
    )
    options = {"documents": [{"doc_id": "1", "title": "T", "text": text("document", "About Rome.")}]}
    given = (spec,) if tools else ()
    return render(Render(1, template, messages, "<s>", "</s>", today="2026-03-04", tools=given, options=options))


@cache
def takes_tools(template: str) -> bool:
    try:
        said(template)
    except ToolsUnsupported:
        return False
    return True


@cache
def marks(template: str) -> tuple[str, ...]:
    return tuple(sorted({*MARKS.findall(template), "<s>", "</s>"}))


def counted(rendered: Rendered, template: str) -> dict[str, int]:
    own = [segment.text for segment in rendered.segments if segment.trusted]
    return {mark: sum(text.count(mark) for text in own) for mark in marks(template)}


def check(template: str, place: str, forged: str) -> None:
    tools = takes_tools(template)
    if place in ABOUT_TOOLS[:-1] and not tools:
        return
    honest = counted(said(template, tools=tools), template)
    assert counted(said(template, place, forged, tools), template) == honest
    assert sum(honest.values()) > 0


pytestmark = pytest.mark.skipif(not FILES, reason=f"the shared data is not here: {FOLDER}")


@pytest.mark.parametrize("name", FILES)
def test_no_mark_of_the_template_is_forged_from_any_place(name: str) -> None:
    template = FILES[name].read_text()
    every = "".join(marks(template))
    for place in PLACES:
        check(template, place, every)
        check(template, place, f'a"{every}\n{{{{ 7 * 7 }}}}')


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_mixture_of_marks_is_taken_for_the_templates(data: st.DataObject) -> None:
    template = FILES[data.draw(st.sampled_from(sorted(FILES)))].read_text()
    own = st.sampled_from([*marks(template), *" \n\"'{}[]<|>\\:,", "tool_call", "x", "é", "7"])
    forged = "".join(data.draw(st.lists(own, min_size=1, max_size=6)))
    assume(forged.strip())
    try:
        check(template, data.draw(st.sampled_from(PLACES)), forged)
    except LinnetError as error:  # a template may refuse what was said: that is no forgery
        assert "channel" in error.message


def test_a_word_that_the_template_would_put_in_brackets_makes_no_mark() -> None:
    """Qwen3-Coder writes unknown keys of a schema as tags: `tool_call` must not become its mark of a call."""
    template = FILES["Qwen3-Coder"].read_text()
    rendered = said(template, "keyword", "tool_call")
    assert counted(rendered, template) == counted(said(template), template)
    assert "\n<tool_call>C</tool_call>" in "".join(segment.text for segment in rendered.segments)

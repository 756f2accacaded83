"""What is learned is what is asked: lessons are the requests that calling makes, and their ids are the engine's."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

import tiny

from linnet.calling.choose import NO_TOOL, gains_of
from linnet.calling.native import told_of
from linnet.calling.retrieve import introduce
from linnet.errors import KindUnsupported
from linnet.evals.training.asking import Listener, lessons
from linnet.evals.training.example import Example
from linnet.evals.training.lesson import Lesson, Piece
from linnet.evals.training.tokens import Tokens
from linnet.messages import Message, ToolCall, ToolSpec
from linnet.models.gguf import Header, open_model
from linnet.models.integrity import checked_header
from linnet.requests import Prompt, Score, Segment

BILL = ToolSpec(
    "split_bill",
    "Split a bill between people.",
    {
        "type": "object",
        "properties": {
            "total": {"type": "number", "description": "The amount of the bill."},
            "people": {"type": "integer", "description": "How many people share it."},
            "tip": {"type": "number", "description": "The tip in percent."},
        },
        "required": ["total", "people"],
    },
)
DINNER = Example(
    (BILL, tiny.ALARM),
    "dinner was 84.5 with 20 on top, we are 4",
    (ToolCall("split_bill", {"total": 84.5, "people": 4, "tip": 20}),),
)
IDLE = Example((BILL, tiny.ALARM), "Who set the alarm at 7?")


def render(messages: tuple[Message, ...]) -> Prompt:
    return tuple(Segment(f"<|im_start|>{m.role}\n{m.content}<|im_end|>\n", True) for m in messages)


def told(example: Example, *kinds: Any) -> list[Lesson]:
    return list(lessons(example, render, kinds))


def text(prompt: Prompt) -> str:
    return "".join(segment.text for segment in prompt)


def test_a_tool_is_learned_in_the_prompts_by_which_it_is_chosen() -> None:
    (lesson,) = told(DINNER, "choose")
    assert text(lesson.prompts[0]) == NO_TOOL
    assert text(lesson.prompts[lesson.right]) == introduce(DINNER.offered()[0])
    assert lesson.text == " dinner was 84.5 with 20 on top, we are 4"
    listener = Listener()
    gains_of(listener, DINNER.offered(), DINNER.request)
    asked = [request for request in listener.asked if isinstance(request, Score)]
    assert set(lesson.prompts) == {request.prompt for request in asked}
    assert {request.continuations for request in asked} == {(lesson.text,)}


def test_no_tool_is_learned_where_none_is_wanted() -> None:
    (lesson,) = told(IDLE, "choose")
    assert lesson.right == 0 and len(lesson.prompts) == 3


def test_what_evidence_settles_is_not_asked_and_not_learned() -> None:
    assert not told(Example(IDLE.tools, "Who wrote Hamlet?"), "choose")


def test_of_several_wanted_tools_none_is_wrong() -> None:
    both = Example(
        DINNER.tools, "dinner was 84 for 4 and up at 7", (*DINNER.calls, ToolCall("set_alarm", {"hour": 7}))
    )
    found = told(both, "choose")
    assert sorted(lesson.name for lesson in found) == ["set_alarm", "split_bill"]
    assert all(len(lesson.prompts) == 2 and lesson.right == 1 for lesson in found)


def test_values_belong_to_their_labels_and_strangers_to_none() -> None:
    found = told(DINNER, "fill")
    assert found, "evidence is sure of none of these numbers"
    for lesson in found:
        label = text(lesson.prompts[lesson.right]).rpartition("\n")[2]
        value = lesson.text.strip()
        meant = {"84.5": "total", "4": "people", "20": "tip"}.get(value)
        named = {text(prompt).rpartition("\n")[2].split(" ")[0] for prompt in lesson.prompts}
        assert label.split(" ")[0] == (meant if meant in named else "text:"), value


def test_what_a_request_does_not_say_is_learned_as_it_is_written() -> None:
    joke = ToolSpec(
        "note",
        "Keep a note.",
        {"type": "object", "properties": {"extra": {"type": "object"}}, "required": ["extra"]},
    )
    (lesson,) = told(Example((joke,), "keep it", (ToolCall("note", {"extra": {"a": 1}}),)), "write")
    assert text(lesson.prompts[0]).endswith("\nextra (): ") and lesson.text == '{"a": 1}'


def test_whole_calls_are_learned_as_they_are_asked_for() -> None:
    (lesson,) = told(DINNER, "call")
    prompt = text(lesson.prompts[0])
    assert any(told_of(tools) in prompt for tools in (DINNER.offered(), DINNER.offered()[::-1]))
    assert DINNER.request in prompt
    assert lesson.text.startswith('[{"name": "split_bill", "arguments": {"total": 84.5, "people": 4')
    assert told(IDLE, "call")[0].text == "[]"


# --- ids -----------------------------------------------------------------------------------------


@pytest.fixture
def spelling() -> None:
    pytest.importorskip("tokenizers", reason="the extra linnet[train] is not installed: tokenizers")


@pytest.fixture(scope="module")
def header(model_path: Path) -> Header:
    with open_model(model_path) as file:
        return checked_header(file)


def texts() -> Iterator[str]:
    rng = random.Random(4)
    yield from (
        " a  b\n\n c",
        "12 345\t67",
        "naïve 日本語 🙂🙂",
        "don't I'LL we're",
        "<|im_end|>x",
        "  \n  x",
        "x \n",
    )
    yield from ("١٢٣ ² ½", "a\u00a0b", "\r\n\r\n  ", "{'a': [1, 2.50]}", " 07:30pm,", "Tromsø—Zürich")
    letters = "ab Z09 \n\t.,'é日🙂_-"
    yield from ("".join(rng.choice(letters) for _ in range(rng.randint(1, 30))) for _ in range(200))


@pytest.mark.usefixtures("spelling")
def test_ids_are_the_engines(header: Header, llama: Any) -> None:
    tokens = Tokens(header)
    different = [each for each in texts() if tokens.plain(each) != llama.tokenise(each)]
    assert different == []


@pytest.mark.usefixtures("spelling")
def test_control_tokens_are_cut_out_of_trusted_text_only(header: Header) -> None:
    tokens = Tokens(header)
    (mark,) = tokens.prompt((Segment("<|im_start|>", True),))
    forged = tokens.prompt((Segment("<|im_start|>", False),))
    assert mark not in forged and len(forged) > 1
    joined = tokens.prompt((Segment("<|im_start|>us", True), Segment("er x", False)))
    assert joined == [mark, *tokens.plain("user x")], "what stands between two of them is spelled as one"


@pytest.mark.usefixtures("spelling")
def test_what_is_forced_is_not_free(header: Header) -> None:
    lesson = Lesson("call", ((Segment("a", False),),), (Piece("[", False), Piece("{"), Piece('"name": "', False)))
    (spelled,) = Tokens(header).spelled(lesson)
    assert any(spelled.free) and not all(spelled.free)
    assert len(spelled.judged) == len(spelled.free) and spelled.judged[0] == 1


def test_another_vocabulary_is_refused(header: Header) -> None:
    from dataclasses import replace

    other = replace(header, metadata={**header.metadata, "tokenizer.ggml.pre": "qwen2"})
    with pytest.raises(KindUnsupported, match="qwen2"):
        Tokens(other)

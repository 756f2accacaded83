"""The early arms of the ablation: what each makes of a request, and of what a model says to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from linnet import Tool
from linnet.evals.arms import ARMS, described, free_text, grammar, no_model
from linnet.requests import Capabilities, Choice, Done, Event, Generate, Request, Schema, Usage

BOOK = Tool.from_schema(
    "table.book",
    "Book a table in a restaurant.",
    {
        "properties": {
            "restaurant": {"type": "string", "description": "Its name."},
            "people": {"type": "integer"},
            "area": {"type": "string", "enum": ["inside", "terrace"]},
            "note": {"type": "string"},
        },
        "required": ["restaurant", "people", "area"],
    },
)
MEAN = Tool.from_schema(
    "mean",
    "Compute the mean of numbers.",
    {"properties": {"numbers": {"type": "array", "items": {"type": "float"}}}, "required": ["numbers"]},
)


class Says:
    """Answers with these texts, one for each request, and keeps the requests."""

    capabilities = Capabilities("says", 1000)

    def __init__(self, *texts: str, finish: Any = "stop") -> None:
        self.texts, self.finish = list(texts), finish
        self.heard: list[Any] = []

    def stream(self, request: Request) -> Iterator[Event]:
        self.heard.append(request)
        return iter([Done(self.texts.pop(0), self.finish, Usage(10, 0, 5, 1))])


def made(calls: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name, call.arguments) for call in calls]


def test_without_a_model_words_choose_and_pieces_fill() -> None:
    done = no_model(Says(), [MEAN, BOOK], "Book a table for 4 at Chez Paul on the terrace")
    assert made(done.calls) == [("table.book", {"restaurant": "Chez Paul", "people": 4, "area": "terrace"})]
    assert done.usage == Usage() and done.calls[0].how == "rule"
    done = no_model(Says(), [BOOK, MEAN], "What is the mean of 2, 3.5 and -1?")
    assert made(done.calls) == [("mean", {"numbers": [2.0, 3.5, -1.0]})]


def test_without_a_model_no_word_in_common_is_no_call() -> None:
    assert no_model(Says(), [BOOK], "Hi!").calls == () and no_model(Says(), [], "Book it").calls == ()


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('[{"name": "mean", "arguments": {"numbers": [1]}}]', [("mean", {"numbers": [1]})]),
        ('Sure: {"name": "mean", "arguments": {}} is it', [("mean", {})]),
        ('[{"name": "a", "arguments": {}}, {"name": "b", "arguments": {}}]', [("a", {}), ("b", {})]),
        ('{"name": "", "arguments": {}}', []),
        ('{"name": "mean"}', []),
        ('{"name": "mean", "arguments": [1]}', []),
        ("[1, null]", []),
        ("[]", []),
        ("The mean is 2.", []),
        ('[{"name": "mean", "argum', []),
        ("[" * 100_000, []),
    ],
)
def test_free_text_is_taken_as_it_is(text: str, calls: list[Any]) -> None:
    model = Says(text)
    done = free_text(model, [MEAN], "mean of 1")
    assert made(done.calls) == calls and done.usage.generated_tokens == 5
    assert '"mean"' in model.heard[0].prompt[0].content and model.heard[0].constraint is None


def test_a_grammar_gives_a_name_and_then_its_arguments() -> None:
    model = Says('"mean"', '{"numbers": [2, 3]}')
    done = grammar(model, [BOOK, MEAN], "mean of 2 and 3")
    assert made(done.calls) == [("mean", {"numbers": [2, 3]})] and done.usage == Usage(20, 0, 10, 2)
    name, arguments = model.heard
    assert isinstance(name, Generate) and name.constraint == Choice(('"table.book"', '"mean"'))
    assert arguments.constraint == Schema(MEAN.parameters)
    assert arguments.answer_start == '{"name": "mean", "arguments": '


def test_descriptions_are_what_the_next_arm_adds() -> None:
    plain, told = Says('"mean"', "{}"), Says('"mean"', "{}")
    grammar(plain, [MEAN, BOOK], "mean")
    described(told, [MEAN, BOOK], "mean")
    for text in (MEAN.description, "Its name."):
        assert text not in plain.heard[0].prompt[0].content and text in told.heard[0].prompt[0].content


def test_a_grammar_with_nothing_to_choose_or_cut_off_calls_nothing() -> None:
    assert grammar(Says(), [], "x").calls == ()
    assert grammar(Says('"mean"', '{"numbers": [1', finish="length"), [MEAN], "x").calls == ()


def test_the_table_begins_without_a_model_and_ends_with_the_house() -> None:
    first, *_, last = ARMS
    assert (first, last) == ("no model", "guided")

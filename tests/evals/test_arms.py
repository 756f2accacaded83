"""The early arms of the ablation: what each makes of a request, and of what a model says to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from linnet import Tool
from linnet.evals.arms import ARMS, copied, described, evident, free_text, grammar, no_model, retrieved, scored
from linnet.requests import (
    Capabilities,
    Choice,
    Copy,
    Done,
    Event,
    Generate,
    Hole,
    Number,
    Request,
    Schema,
    Score,
    Usage,
)

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


def test_retrieval_leaves_one_tool_to_name() -> None:
    model = Says('"mean"', '{"numbers": [2, 3]}')
    assert made(retrieved(model, [BOOK, MEAN], "the mean of 2 and 3").calls) == [("mean", {"numbers": [2, 3]})]
    assert model.heard[0].constraint == Choice(('"mean"',))


class Fills(Says):
    """Answers with what these holes are filled with; of likelihoods, with the next of these."""

    def __init__(self, captures: dict[str, str], *nats: float, finish: Any = "stop") -> None:
        super().__init__(finish=finish)
        self.captures, self.nats = captures, list(nats)

    def stream(self, request: Request) -> Iterator[Event]:
        self.heard.append(request)
        if isinstance(request, Score):
            return iter([Done("", "stop", Usage(10), scores=((self.nats.pop(0), 1),))])
        return iter([Done("", self.finish, Usage(10, 0, 5, 1), captures=self.captures)])


TABLE = "Book a table for 4 at Chez Paul on the terrace"
FILLED = {"restaurant": "Chez Paul", "people": "4", "area": '"terrace"'}


def test_copies_are_out_of_the_request_and_what_is_optional_stays_out() -> None:
    model = Fills(FILLED)
    done = copied(model, [MEAN, BOOK], TABLE)
    assert made(done.calls) == [("table.book", {"restaurant": "Chez Paul", "people": 4, "area": "terrace"})]
    asked = model.heard[0]
    holes = [part for part in asked.constraint.parts if isinstance(part, Hole)]
    area = Schema(BOOK.parameters["properties"]["area"])
    assert [hole.constraint for hole in holes] == [Copy(TABLE), Number((4.0,), True), area]
    text = asked.answer_start + "".join(
        FILLED[part.name] if isinstance(part, Hole) else part.text for part in asked.constraint.parts
    )
    whole = {"name": "table.book", "arguments": {"restaurant": "Chez Paul", "people": 4, "area": "terrace"}}
    assert json.loads(text + "}") == whole


def test_a_copy_that_was_cut_off_is_no_call() -> None:
    assert copied(Fills({}, finish="length"), [BOOK], TABLE).calls == () and copied(Says(), [], "x").calls == ()


def test_scores_choose_a_tool_or_none() -> None:
    """The first likelihood is that under no tool, then come those of BOOK and MEAN, as words rank them."""
    assert made(scored(Fills(FILLED, -50.0, -40.0, -45.0), [BOOK, MEAN], TABLE).calls)[0][0] == "table.book"
    none = scored(Fills({}, -50.0, -51.0, -52.0), [BOOK, MEAN], TABLE)
    assert none.calls == () and none.usage.prompt_tokens == 30 and scored(Says(), [], "x").calls == ()


def test_evidence_alone_asks_no_model() -> None:
    assert made(evident(Says(), [MEAN, BOOK], "What is the mean of 2, 3.5 and -1?").calls) == [
        ("mean", {"numbers": [2, 3.5, -1]})
    ]
    assert evident(Says(), [MEAN, BOOK], "Good morning!").calls == ()


def test_the_table_begins_without_a_model_and_ends_with_the_house() -> None:
    first, *_, last = ARMS
    assert (first, last) == ("no model", "guided")

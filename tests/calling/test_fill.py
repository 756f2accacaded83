"""Filling with a model that says what the test makes it say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from linnet import Tool
from linnet.calling.fill import fill, prompt_of
from linnet.requests import Capabilities, Copy, Done, Event, Fixed, Generate, Hole, Holes, Request, Score, Usage


class Scripted:
    """Scores by a function of the continuation, and fills gaps with what is given."""

    capabilities = Capabilities("scripted", 2048)

    def __init__(self, likelihood: Callable[[str], float] = lambda text: 0.0, **captures: str) -> None:
        self.likelihood, self.captures = likelihood, captures
        self.scored, self.generated = list[Score](), list[Generate]()

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Score):
            self.scored.append(request)
            scores = tuple((self.likelihood(text), 1) for text in request.continuations)
            return iter([Done(usage=Usage(prompt_tokens=1), scores=scores)])
        assert isinstance(request, Generate)
        self.generated.append(request)
        return iter([Done(usage=Usage(generated_tokens=1), captures=self.captures)])


def tool(**required: dict[str, Any]) -> Tool:
    return Tool.from_schema("do_it", "Does it.", {"properties": required, "required": list(required)})


NUMBER, TEXT, UNITS = {"type": "number"}, {"type": "string"}, {"type": "string", "enum": ["miles", "feet"]}


def test_what_is_certain_needs_no_model() -> None:
    model = Scripted()
    filled = fill(model, tool(n=NUMBER, unit=UNITS, fixed={"const": 7}), "12 miles")
    assert filled.arguments == {"n": 12, "unit": "miles", "fixed": 7} and not model.scored and not model.generated
    assert set(filled.told.values()) == {"evidence"} and filled.usage == Usage()


def test_a_tool_without_parameters_has_no_arguments() -> None:
    assert fill(Scripted(), tool(), "do it").arguments == {}
    assert fill(Scripted(), Tool.from_schema("bare", "Bare."), "do it").arguments == {}


def test_the_likelier_deal_wins() -> None:
    model = Scripted(lambda text: 9.0 if text.startswith('"a": 2,') else 0.0)
    assert fill(model, tool(a=NUMBER, b=NUMBER), "do 1 with 2").arguments == {"a": 2, "b": 1}
    assert [score.continuations for score in model.scored] == [('"a": 1, "b": 2}', '"a": 2, "b": 1}')]
    assert model.scored[0].answer_start == "{" and not model.generated


def test_the_order_of_the_request_wins_over_a_small_preference() -> None:
    model = Scripted(lambda text: 1.0 if text.startswith('"a": 2,') else 0.0)
    assert fill(model, tool(a=NUMBER, b=NUMBER), "do 1 with 2").arguments == {"a": 1, "b": 2}


def test_groups_are_dealt_by_themselves() -> None:
    model = Scripted(lambda text: 9.0 if '"u": "feet"' in text or '"b": 1}' in text else 0.0)
    made = tool(a=NUMBER, b=NUMBER, u=UNITS, v=UNITS)
    arguments = fill(model, made, "1 then 2, of miles and feet").arguments
    assert arguments == {"a": 2, "b": 1, "u": "feet", "v": "miles"} and len(model.scored) == 2


def test_what_is_open_is_filled_within_what_is_fixed() -> None:
    model = Scripted(city="Oslo")
    filled = fill(model, tool(n=NUMBER, city=TEXT), "oslo, rome, paris for 3")
    assert filled.arguments == {"n": 3, "city": "Oslo"} and filled.told == {"n": "evidence", "city": "model"}
    constraint = model.generated[0].constraint
    assert isinstance(constraint, Holes)
    assert constraint.parts[0] == Fixed("{") and Fixed('"n": ') in constraint.parts
    assert Hole("city", Copy("oslo, rome, paris for 3")) in constraint.parts


def test_an_answer_that_was_cut_off_leaves_its_arguments_out() -> None:
    filled = fill(Scripted(), tool(n=NUMBER, place={"type": "object"}), "3")
    assert filled.arguments == {"n": 3} and filled.told == {"n": "evidence"}


def test_a_parameter_may_have_any_name() -> None:
    name = 'qu"ote\\ ü'
    assert fill(Scripted(**{name: "x"}), tool(**{name: TEXT}), "aa, bb, cc").arguments == {name: "x"}


@pytest.mark.parametrize(
    "request_text", ['say \\ "a', "5 5 5 5 5 5 5", "?!", "天気は?", " ".join(map(str, range(99)))]
)
def test_odd_requests_do_no_harm(request_text: str) -> None:
    made = tool(a=NUMBER, b=NUMBER, c=NUMBER, d=NUMBER, e=NUMBER, place=TEXT, u=UNITS)
    captures = {name: "1" for name in "abcde"} | {"place": "x", "u": '"miles"'}
    assert list(fill(Scripted(**captures), made, request_text).arguments) == [*"abcde", "place", "u"]


def test_the_prompt_says_what_there_is_to_know() -> None:
    made = tool(n={"type": "integer", "description": "how many"}, size={"enum": [1, 2]}, free={})
    assert prompt_of(made, "go").splitlines() == [
        "Function do_it: Does it.",
        "Arguments:",
        "- n (integer): how many",
        "- size (any):  One of: 1, 2.",
        "- free (any): ",
        "Request: go",
        "Write the arguments of the function call as JSON.",
    ]

"""Filling with a model that says what the test makes it say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from linnet import Tool
from linnet.calling import fill as filling
from linnet.calling.fill import fill, fill_all
from linnet.calling.ranking.ranker import Belief, Weights, fitted
from linnet.errors import ToolInvalid
from linnet.limits import LIMITS
from linnet.requests import Capabilities, Choice, Done, Event, Generate, Hole, Holes, Request, Score, Usage

MOST = 8_000
"""Characters that the model of these tests takes: more is what a real one refuses."""


class Scripted:
    """Scores by a function of the prompt's end and the continuation, and fills a gap with what is given for the
    label that it stands behind, or with what is given for all."""

    capabilities = Capabilities("scripted", 2048)

    def __init__(self, value: str | None = None, likelihood: Callable[[str, str], float] | None = None) -> None:
        self.value, self.likelihood = value, likelihood or (lambda label, text: 0.0)
        self.scored, self.generated = list[Score](), list[Generate]()

    def stream(self, request: Request) -> Iterator[Event]:
        prompt = "".join(part.text for part in request.prompt)  # type: ignore[union-attr]  # never messages
        assert len(prompt) <= MOST and not any(getattr(part, "trusted", True) for part in request.prompt)
        if isinstance(request, Score):
            self.scored.append(request)
            assert all(len(text) <= MOST for text in request.continuations)
            label = prompt.rpartition("\n")[2]
            scores = tuple((self.likelihood(label, text), 1) for text in request.continuations)
            return iter([Done(usage=Usage(prompt_tokens=1), scores=scores)])
        assert isinstance(request, Generate)
        self.generated.append(request)
        return iter(
            [Done(usage=Usage(generated_tokens=1), captures={} if self.value is None else {"value": self.value})]
        )


def tool(required: tuple[str, ...] | None = None, **own: Any) -> Tool:
    schema = {"properties": own, "required": list(own if required is None else required)}
    return Tool.from_schema("do_it", "Does it.", schema)


NUMBER, TEXT, UNITS = {"type": "number"}, {"type": "string"}, {"type": "string", "enum": ["miles", "feet"]}


# --- by evidence ---------------------------------------------------------------------------------


def test_what_is_certain_needs_no_model() -> None:
    model = Scripted()
    filled = fill(model, tool(n=NUMBER, unit=UNITS, fixed={"const": 7}), "12 miles")
    assert filled.arguments == {"n": 12, "unit": "miles", "fixed": 7} and not model.scored and not model.generated
    assert set(filled.told.values()) == {"evidence"} and filled.usage == Usage()


def test_a_tool_without_parameters_has_no_arguments() -> None:
    assert fill(Scripted(), tool(), "do it").arguments == {}
    bare = fill(Scripted(), Tool.from_schema("bare", "Bare."), "do it")
    assert (bare.arguments, bare.told, bare.sure) == ({}, {}, 1.0)


def test_arguments_come_in_the_schema_s_order_and_nested_as_it_is() -> None:
    inner = {"type": "object", "properties": {"n": NUMBER, "unit": UNITS}, "required": ["n", "unit"]}
    arguments = fill(Scripted('"x"'), tool(who=TEXT, size=inner), "5 feet").arguments
    assert list(arguments) == ["who", "size"] and arguments["size"] == {"n": 5, "unit": "feet"}


def test_four_levels_deep() -> None:
    schema: dict[str, Any] = {"type": "number"}
    for name in ("d", "c", "b"):
        schema = {"type": "object", "properties": {name: schema}, "required": [name]}
    filled = fill(Scripted(), tool(a=schema), "make it 7")
    assert filled.arguments == {"a": {"b": {"c": {"d": 7}}}} and filled.told == {"a.b.c.d": "evidence"}


def test_what_the_request_does_not_say_is_left_out_where_that_is_allowed() -> None:
    assert fill(Scripted(), tool(required=(), n=NUMBER, who=TEXT), "?!").arguments == {}


def test_how_sure_evidence_is() -> None:
    made = tool(n=NUMBER)
    alone, among = fill(Scripted(), made, "7"), fill(Scripted(), made, "1, or 2, or 3, or 4")
    assert 0 < among.sure < alone.sure <= 1


def test_every_call_that_the_text_asks_for() -> None:
    sides = {"base": {**NUMBER, "description": "The base."}, "height": {**NUMBER, "description": "The height."}}
    made = Tool.from_schema("area", "The area of a triangle.", {"properties": sides, "required": list(sides)})
    text = "the base is 10 and the height is 5, and for the second the base is 4 and the height is 3"
    found = [filled.arguments for filled in fill_all(Scripted(), made, text)]
    assert found == [{"base": 10, "height": 5}, {"base": 4, "height": 3}]
    assert [filled.arguments for filled in fill_all(Scripted(), made, text[:35])] == found[:1]


def test_what_a_part_of_a_request_does_not_say_stands_around_it() -> None:
    """`its population` is the whole of what this tool is asked; which town is said in the other half."""
    people = {"city": {**TEXT, "description": "The name of the city."}}
    own = {"properties": people, "required": ["city"]}
    made = Tool.from_schema("get_population", "How many people live in a city.", own)
    whole = "What's the weather in Oslo? And what is its population?"
    (filled,) = fill_all(Scripted(), made, "And what is its population?", whole)
    assert filled.arguments == {"city": "Oslo"} and filled.told == {"city": "evidence"}


# --- where evidence leaves doubt -----------------------------------------------------------------


@pytest.fixture
def undecided(monkeypatch: pytest.MonkeyPatch) -> Weights:
    """No candidate is better than another, and the model's judgement counts in full."""
    weights = Weights({}, dict.fromkeys(("string", "number", "array"), Belief(1.0, 1.0)), {"n=1": 9.0}, {}, {})
    monkeypatch.setattr(filling, "fitted", lambda: weights)
    return weights


def test_the_model_decides_what_evidence_leaves_open(undecided: Weights) -> None:
    model = Scripted(likelihood=lambda label, text: 9.0 if label.startswith("a ") and text == " 2\n" else 0.0)
    filled = fill(model, tool(a=NUMBER, b=NUMBER), "do 1 with 2")
    assert filled.arguments == {"a": 2, "b": 1} and filled.told == {"a": "model", "b": "model"}
    assert filled.usage == Usage(prompt_tokens=3) and not model.generated
    assert {score.continuations for score in model.scored} == {(" 1\n", " 2\n")}


def test_what_is_likely_under_any_label_counts_for_none(undecided: Weights) -> None:
    """The order of the parameters decides then, as if the model had not been asked."""
    model = Scripted(likelihood=lambda label, text: 9.0 if text == " 2\n" else 0.0)
    assert fill(model, tool(a=NUMBER, b=NUMBER), "do 1 with 2").arguments == {"a": 1, "b": 2}


@pytest.mark.parametrize(("absent", "left"), [(0.0, {"a": 1}), (1.0, {})])
def test_what_the_model_calls_nobodys_value_is_left_out_where_that_is_believed(
    undecided: Weights, monkeypatch: pytest.MonkeyPatch, absent: float, left: dict[str, Any]
) -> None:
    """Of two candidates neither is likely under the label; without `absent` only which of them counts."""
    weights = replace(undecided, model={"number": Belief(0.1, 1.0, absent)})
    monkeypatch.setattr(filling, "fitted", lambda: weights)
    model = Scripted(likelihood=lambda label, text: -9.0 - (text == " 2\n") if label.startswith("a ") else 0.0)
    assert fill(model, tool((), a=NUMBER), "do 1 with 2").arguments == left


def test_types_that_the_model_has_no_say_in_are_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "fitted", lambda: Weights({}, {}, {"n=1": 9.0}, {}, {}))
    model = Scripted()
    assert fill(model, tool(a=NUMBER, b=NUMBER), "do 1 with 2").arguments == {"a": 1, "b": 2} and not model.scored


def test_no_more_is_judged_than_one_request_may_score(undecided: Weights) -> None:
    """Each parameter has a default of its own, and so they are more texts than `LIMITS.continuations`."""
    count = LIMITS.continuations + 6
    own: dict[str, Any] = {f"p{i}": {**TEXT, "default": f"v{i}"} for i in range(count)}
    model = Scripted(likelihood=lambda label, text: 9.0 if label.startswith("p7 ") and text == " v7\n" else 0.0)
    filled = fill(model, tool(**own), "zzz")
    assert len(model.scored[0].continuations) == LIMITS.continuations == len(set(model.scored[0].continuations))
    assert len(filled.arguments) == count and filled.arguments["p7"] == "v7"


def test_a_candidate_beyond_reason_is_not_judged(undecided: Weights) -> None:
    model = Scripted()
    assert fill(model, tool(who=TEXT), f"Ann or {'x' * 50_000}").arguments["who"]
    assert all(len(text) < 2_000 for score in model.scored for text in score.continuations)


# --- what the model writes -----------------------------------------------------------------------


def test_what_has_no_candidate_is_written_under_its_schema() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": {"type": "integer"}}
    model = Scripted('{"a": 1}')
    filled = fill(model, tool(n=NUMBER, more=schema), "5")
    assert filled.arguments == {"n": 5, "more": {"a": 1}} and filled.told == {"n": "evidence", "more": "invented"}
    (asked,) = model.generated
    assert isinstance(asked.constraint, Holes) and isinstance(asked.constraint.parts[0], Hole)
    assert filled.usage == Usage(generated_tokens=1)


@pytest.mark.parametrize("value", [None, "", "rubbish", '{"a": ', "[" * 10_000, "1" * 10_000, '"\\ud8'])
@pytest.mark.parametrize("schema", [NUMBER, TEXT, {"type": "object"}, {"type": "array", "items": {"type": "object"}}])
def test_rubbish_is_no_value(value: str | None, schema: dict[str, Any]) -> None:
    """Cut off, or without the capture: there is no value, it stays out, and whoever checks the arguments says so."""
    filled = fill(Scripted(value), tool(p=schema), "?!")
    assert filled.arguments == {} and filled.told == {}


PLACE = {**TEXT, "description": "The city and state, e.g. San Francisco, CA"}


def test_a_town_is_completed_with_what_its_parameter_wants() -> None:
    """A town of a few hundred, that no table knows."""
    model = Scripted("TX")
    filled = fill(model, tool(location=PLACE), "What's the weather like in Terlingua?")
    assert filled.arguments == {"location": "Terlingua, TX"} and filled.told == {"location": "model"}
    (asked,) = model.generated
    assert isinstance(asked.constraint, Holes) and isinstance(asked.constraint.parts[0], Hole)
    choice = asked.constraint.parts[0].constraint
    assert isinstance(choice, Choice) and {"TX", "CA", "DC"} <= set(choice.options)


@pytest.mark.parametrize("value", [None, ""])
def test_a_town_that_the_model_does_not_complete_stays_as_it_is(value: str | None) -> None:
    filled = fill(Scripted(value), tool(location=PLACE), "What's the weather like in Terlingua?")
    assert filled.arguments == {"location": "Terlingua"} and filled.told == {"location": "evidence"}


def test_a_known_town_is_completed_without_the_model() -> None:
    model = Scripted("XX")
    filled = fill(model, tool(location=PLACE), "What's the weather like in Austin?")
    assert filled.arguments == {"location": "Austin, TX"} and filled.told == {"location": "evidence"}
    assert not model.generated


# --- odd requests and schemas --------------------------------------------------------------------

NESTED = {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "object"}}}}}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"enum": [1, 2.5, None, True]},
        {"enum": [[1], {"a": 2}]},
        {"enum": []},
        {"const": None},
        {"const": {"a": [1]}},
        NESTED,
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": True}, "required": ["a"]},
        {"type": "array"},
        {"type": "array", "items": True},
        {"type": "array", "items": {"type": "object", "properties": {"a": TEXT}}},
        {"type": "array", "items": {"enum": [1, "two"]}},
        {"type": "array", "prefixItems": [TEXT, NUMBER]},
        {"type": "null"},
        {"type": ["integer", "null", "string"]},
        {"anyOf": [TEXT, {"type": "integer"}]},
        {"type": "integer", "default": "x"},
        {"type": "string", "default": 5},
        {"type": "string", "description": ""},
    ],
    ids=str,
)
@pytest.mark.parametrize("request_text", ["", "?!", "do it 5 times", '[1, {"a": 2}] red', "天気は「5」", "'" * 99])
def test_odd_schemas_and_requests_do_no_harm(schema: Any, request_text: str) -> None:
    for name in ("p", "日本", "the", "", 'qu"ote\\'):
        filled = fill(Scripted("1"), tool(**{name: schema, "n": NUMBER}), request_text)
        assert "n" in filled.arguments and 0 < filled.sure <= 1
        assert fill_all(Scripted(), tool(required=(), **{name: schema}), request_text)


@pytest.mark.parametrize("schema", [False, 5, {"type": "string", "description": 5}, {"type": []}, {"enum": 5}])
def test_what_is_no_schema_makes_no_tool(schema: Any) -> None:
    with pytest.raises(ToolInvalid, match="do_it"):
        tool(p=schema)


@pytest.mark.parametrize(
    "piece", ["a", "7", "5 ", "Ann and Bob, ", "[", "{'a': 1} ", '"x" ', "'", "\n", "1+", "at 5 "]
)
def test_a_long_request_is_filled_from(piece: str) -> None:
    """Whoever takes quadratic time here takes minutes, and the runner's own deadline ends it."""
    made = tool(n=NUMBER, who=TEXT, place=PLACE, all={"type": "array", "items": NUMBER}, more={"type": "object"})
    filled = fill_all(Scripted("1"), made, (piece * 100_000)[:100_000])
    assert 1 <= len(filled) <= LIMITS.calls_per_request
    assert all(list(one.arguments) == ["n", "who", "place", "all", "more"] for one in filled)


def test_the_weights_that_ship_know_what_the_model_is_asked_about() -> None:
    assert fitted().model.keys() <= {"string", "number", "options", "array", "boolean", "object", "tool"}

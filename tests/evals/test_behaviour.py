"""The behaviour probe: its suite, which ways are open, when one is given up, and which is taken. The models are
doubles that know the answers, in one notation or another: none that has a notation can be had here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from linnet.calling.dialects.families import FAMILIES
from linnet.calling.profile import JSON, Way
from linnet.errors import InputInvalid
from linnet.evals import behaviour
from linnet.evals.behaviour import Tried, arms, chosen, kinds, probe, profile, scores, suite, why_unstored
from linnet.evals.harness import Case, Outcome
from linnet.evals.judge import judge
from linnet.messages import Message, ToolCall
from linnet.models.families import Advice
from linnet.models.family import Family
from linnet.models.template import Thinking
from linnet.requests import Capabilities, Done, Event, Generate, Request, Score, Usage

_, CASES = suite()
SWITCHED = Thinking("<think>", "</think>", "enable_thinking", "off")


def answer(case: Case) -> list[ToolCall]:
    """The first of the values that are allowed."""
    return [
        ToolCall(call["name"], {name: values[0] for name, values in call["arguments"].items() if values[0] != ""})
        for call in case.expected
    ]


class Fluent:
    """Knows the right calls of the suite and writes them in its notation; of those in `misses` it writes none."""

    capabilities = Capabilities("fluent", 4096)

    def __init__(self, notation: str, *, misses: tuple[str, ...] = (), thinking: Thinking | None = None) -> None:
        texts: dict[str, Any] = dict.fromkeys(("name", "title", "template", "bos", "eos", "joint"), "")
        rest: dict[str, Any] = {"advice": Advice(), "thoughtful": None, "origins": {}, "context": 4096, "stops": ()}
        self.family = Family(
            **texts, **rest, detected=(), takes_system=True, thinking=thinking, tools="tools", dialect=notation
        )
        self._render, self._misses = FAMILIES[notation].dialect.render, misses

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Score):
            return iter([Done(scores=tuple((0.0, 1) for _ in request.continuations))])
        assert isinstance(request, Generate)
        if not request.tools:
            return iter([Done("I cannot say.", usage=Usage(9, 0, 9))])
        said = next(part.content for part in request.prompt if isinstance(part, Message) and part.role == "user")
        case = next(case for case in CASES if case.request == said)
        told = {spec.name for spec in request.tools}
        calls = [call for call in answer(case) if call.name in told and case.id not in self._misses]
        return iter([Done(self._render(calls) if calls else "No.", usage=Usage(9, 0, 9))])


# --- the suite -----------------------------------------------------------------------------------


def test_the_suite_is_what_it_says() -> None:
    assert len(CASES) == 40 and len({tool.name for case in CASES for tool in case.tools}) == 12
    assert len({case.id for case in CASES}) == len({case.request for case in CASES}) == 40
    by = {kind: [case for case in CASES if case.category == kind] for kind in ("one", "four", "eight", "two", "none")}
    assert sum(map(len, by.values())) == 40 and set(by) == {case.category for case in CASES[:8]}
    assert {len(case.tools) for kind in ("one", "four", "eight") for case in by[kind]} == {1, 4, 8}
    assert all(len(case.expected) == 2 for case in by["two"]) and all(case.want == "none" for case in by["none"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_each_case_can_be_answered(case: Case) -> None:
    calls = answer(case)
    tools = {tool.name: tool for tool in case.tools}
    for call in calls:
        tools[call.name].validate(call.arguments)
    made = [{"name": call.name, "arguments": call.arguments} for call in calls]
    assert judge(made, case.expected, {name: tool.parameters["properties"] for name, tool in tools.items()}) == ""


# --- which ways are open -------------------------------------------------------------------------


def test_a_model_without_a_notation_is_guided_or_asked_for_json() -> None:
    ways, closed = arms(object())  # type: ignore[arg-type]
    assert list(ways) == ["guided", "json free", "json constrained"]
    assert set(closed) == {"native free", "native constrained", "native thinking"}


@pytest.mark.parametrize(
    ("notation", "thinking", "native"),
    [
        ("hermes", SWITCHED, ["native free", "native constrained", "native thinking"]),
        ("hermes", None, ["native free", "native constrained"]),
        ("llama3", None, ["native free", "native constrained"]),
        ("pythonic", None, ["native free"]),
    ],
)
def test_each_arm_only_where_the_family_allows(notation: str, thinking: Thinking | None, native: list[str]) -> None:
    ways, closed = arms(Fluent(notation, thinking=thinking))
    assert [name for name in ways if name.startswith("native")] == native and all(closed.values())
    assert all(ways[name].notation == notation for name in native)


def test_named_arms_and_no_others() -> None:
    ways, closed = arms(Fluent("pythonic"), ["guided", "native constrained"])
    assert list(ways) == ["guided"] and "are not JSON" in closed["native constrained"]
    with pytest.raises(InputInvalid, match="no arm 'magic'"):
        arms(Fluent("pythonic"), ["magic"])


# --- trying --------------------------------------------------------------------------------------


@pytest.mark.parametrize("notation", ["hermes", "llama3", "pythonic"])
def test_a_model_that_is_fluent_calls_natively(notation: str) -> None:
    model = Fluent(notation)
    ways, _ = arms(model, ["native free", "json free"])
    tried = list(probe(model, CASES, ways))
    found = {score.arm: score for score in scores(tried)}
    assert found["native free"].right == 40 and found["native free"].errors == 0
    assert found["json free"].of == 8 and found["json free"].stopped == "clearly worse after 8 of 40"
    assert {"native free, 2 tools", "native free, 8 tools"} <= set(found)
    way, arm = chosen(tried)
    assert way.by == "native" and way.notation == notation and arm.startswith("native free")
    assert kinds(tried)["native free"] == {"none": "10/10", "one": "8/8", "four": "8/8", "eight": "8/8", "two": "6/6"}
    assert len(tried) <= behaviour.most(CASES, ways)


def test_errors_are_counted_and_end_nothing() -> None:
    class Broken(Fluent):
        def stream(self, request: Request) -> Iterator[Event]:
            raise ZeroDivisionError

    model = Broken("hermes")
    (score,) = scores(list(probe(model, CASES[:3], {"native free": Way("native", "hermes")})))[:1]
    assert (score.right, score.of, score.errors) == (0, 3, 3)


# --- choosing ------------------------------------------------------------------------------------


def tried(arm: str, way: Way, right: int, of: int, seconds: float, stopped: str = "") -> list[Tried]:
    case = Case("c", "one", want="none")
    return [
        Tried(arm, way, Outcome(case, (), "" if n < right else "wrong", seconds), stopped if n == of - 1 else "")
        for n in range(of)
    ]


NATIVE, PLAIN = Way("native", "hermes"), Way("native", JSON)


@pytest.mark.parametrize(
    ("right", "seconds", "arm"),
    [((36, 20), (1.0, 0.1), "guided"), ((36, 34), (1.0, 0.1), "native free"), ((34, 36), (0.1, 1.0), "guided")],
    ids=["clearly better", "as good and quicker", "as good and slower"],
)
def test_the_best_and_of_equals_the_quickest(right: tuple[int, int], seconds: tuple[float, float], arm: str) -> None:
    both = [
        *tried("guided", Way(), right[0], 40, seconds[0]),
        *tried("native free", NATIVE, right[1], 40, seconds[1]),
    ]
    assert chosen(both) == (Way() if arm == "guided" else NATIVE, arm)


def test_an_arm_that_was_given_up_is_never_taken() -> None:
    both = [*tried("guided", Way(), 10, 40, 1.0), *tried("json free", PLAIN, 8, 8, 0.1, "clearly worse")]
    assert chosen(both) == (Way(), "guided") == chosen([])


def test_what_is_no_ground_for_a_profile() -> None:
    guided = tried("guided", Way(), 3, 4, 1.0)
    assert why_unstored(guided, behaviour.LEAST) == "" and "too few" in why_unstored(guided, behaviour.LEAST - 1)
    assert "not tried" in why_unstored(tried("json free", PLAIN, 3, 4, 1.0), 40)


def test_the_profile_says_what_it_was_chosen_by() -> None:
    found = profile(tried("guided", Way(), 30, 40, 0.5), date="2026-11-22", engine="e", model="m")
    assert (found.way, found.arm, found.suite, found.date, found.model) == (Way(), "guided", "1", "2026-11-22", "m")
    (score,) = found.scores
    assert (score.right, score.of, score.seconds) == (30, 40, 0.5) and score.low < 0.75 < score.high

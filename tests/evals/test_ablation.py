"""Several arms on the same cases: in which order, and how they are held against each other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from linnet import Tool
from linnet.errors import InputInvalid
from linnet.evals.ablation import ablate, chosen, compare
from linnet.evals.arms import ARMS
from linnet.evals.harness import Arm, Case, Made, Outcome
from linnet.messages import ToolCall
from linnet.requests import Capabilities, Event, Model, Request


class Deaf:
    capabilities = Capabilities("deaf", 10)

    def stream(self, request: Request) -> list[Event]:
        raise AssertionError(request)


def knows(*requests: str) -> Arm:
    """An arm that is right for these requests."""

    def arm(model: Model, tools: Sequence[Tool], request: str) -> Made:
        return Made((ToolCall("f", {}),)) if request in requests else Made()

    return arm


CASES = [Case(name, "simple", name, (), "calls", ({"name": "f", "arguments": {}},)) for name in "abcdef"]
ARMS_HERE = {"first": knows("a", "b"), "second": knows(*"bcdef"), "third": knows(*"bcdef")}


def done(cases: Sequence[Case]) -> dict[str, list[Outcome]]:
    outcomes: dict[str, list[Outcome]] = {name: [] for name in ARMS_HERE}
    for name, outcome in ablate(Deaf(), cases, ARMS_HERE):
        outcomes[name].append(outcome)
    return outcomes


def test_case_by_case_every_arm() -> None:
    order = [(name, outcome.case.id) for name, outcome in ablate(Deaf(), CASES[:2], ARMS_HERE)]
    assert order == [(name, case) for case in "ab" for name in ARMS_HERE]


def test_each_arm_against_the_one_before() -> None:
    first, second, third = compare(done(CASES))
    assert [row.totals["right"] for row in (first, second, third)] == [2, 5, 5]
    assert (first.gained, first.lost, first.p) == (None, None, None)
    assert (second.gained, second.lost, second.p) == (4, 1, 0.375)
    assert (third.gained, third.lost, third.p) == (0, 0, 1.0)
    told = second.describe()
    assert (told["arm"], told["right"], told["p"]) == ("second", 5, 0.375)


def test_cases_that_nobody_judges_are_no_evidence() -> None:
    rows = compare(done([*CASES, Case("b", "simple", "b")]))
    assert [row.totals["of"] for row in rows] == [6, 6, 6] and rows[1].gained == 4


def test_arms_by_name() -> None:
    assert list(chosen(())) == list(ARMS)
    assert list(chosen(["grammar", "no model"])) == ["no model", "grammar"]
    with pytest.raises(InputInvalid, match="no arm 'gramar'") as caught:
        chosen(["gramar"])
    assert "'grammar'" in caught.value.hint

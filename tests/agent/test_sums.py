"""Word problems: the numbers of a question, what a calculation may be, and what code makes of it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from linnet.agent.checks import held
from linnet.agent.sums import (
    Reachable,
    by_words,
    calculated,
    calculation,
    direct,
    given,
    reach,
    running,
    word_problem,
)
from linnet.errors import ToolFailed
from linnet.requests import Hole, Holes, Pattern

EGGS = "Ducks lay 16 eggs. Ann eats 3 and bakes with 4. She sells the rest at $2.50 per egg. How much does she make?"


def pattern(question: str) -> str:
    constraint = calculation({"question": question})
    assert isinstance(constraint, Holes)
    hole = constraint.parts[0]
    assert isinstance(hole, Hole) and isinstance(hole.constraint, Pattern)
    return hole.constraint.regex


@pytest.mark.parametrize(
    ("question", "found"),
    [
        (EGGS, ("16", "3", "4", "2.5")),
        ("One of twelve boys has 1,250 coins.", ("12", "1250")),
        ("It costs 20% of 80 dollars.", ("0.2", "80")),
        ("Nothing here.", ()),
        (" ".join(map(str, range(10, 30))), tuple(map(str, range(10, 18)))),
    ],
)
def test_numbers_of_a_question(question: str, found: tuple[str, ...]) -> None:
    assert given(question) == found


def test_a_calculation_is_the_questions_numbers_in_order() -> None:
    form = pattern("5 bags with 8 pens and 3 caps")
    for fits in ("5 * 8", "5 - 3", "8 + 3", "5 * 8 - 3"):
        assert re.fullmatch(form, fits), fits
    for other in ("5", "8 * 5", "5 * 5", "5 * 9", "5*8", "5 * 8 - 3 + 3", "5 ** 8", ""):
        assert not re.fullmatch(form, other), other


def test_dots_are_dots() -> None:
    assert not re.fullmatch(pattern("2.5 and 4"), "2x5 * 4")


def test_without_two_numbers_any_will_do() -> None:
    assert re.fullmatch(pattern("a dozen"), "12 * 3") and re.fullmatch(pattern(""), "1 + 1")


def test_a_pattern_stays_small() -> None:
    assert len(pattern(" ".join(map(str, range(1000, 1100))))) < 4_000


@pytest.mark.parametrize(
    ("said", "value"), [("16 - 3 - 4 * 2", 18), ("7 / 2", 3.5), ("0.1 + 0.2", 0.3), ("5 - 9 * 2", -8)]
)
def test_it_is_worked_out_from_left_to_right(said: str, value: float) -> None:
    assert running(said) == value


def test_what_cannot_be_calculated_is_a_reason(saying: Any) -> None:
    with pytest.raises(ToolFailed, match="division by zero"):
        running("5 / 0")
    done = calculated.run(saying("5 / 0"), question="5 and 0")
    assert (done.failed, done.reason) == ("value", "tool_failed")
    assert calculated.run(saying("16 - 3 - 4"), question=EGGS).value == 9


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("There are 7 boxes with 6 pens each.", 42),
        ("Tom has 9 pens and gives 4 away. How many are left?", 5),
        ("They share 12 pens among 4 friends.", 3),
        ("Tom has 9 pens. Ann has 4.", 13),
        ("Tom has 9 pens.", None),
    ],
)
def test_what_words_say(question: str, value: float | None) -> None:
    assert by_words(question) == value


def test_what_numbers_can_give() -> None:
    assert reach(("6", "3")) == {9.0, 3.0, 18.0, 2.0} and reach(("6",)) == frozenset()
    assert held(Reachable(("16", "3", "4", "2")), "18").ok
    assert held(Reachable(("6", "3")), "7").reason == "out_of_reach"
    assert held(Reachable(("6", "3")), "none").reason == "no_number"
    assert len(reach(tuple(str(n) for n in (17, 23, 29, 31, 37, 41, 43, 47)))) < 5_000
    assert reach(("6", "0")) == {6.0, 0.0}


def test_a_direct_answer_out_of_reach_gives_way_to_a_calculation(saying: Any) -> None:
    question = {"question": "7 boxes with 6 pens each"}
    assert word_problem.take(saying("42"), question).how == "model"
    done = word_problem.take(saying("100", "7 * 6"), question)
    assert (done.value, done.how, done.tries[0].reason) == (42, "fallback:calculated", "out_of_reach")
    ruled = word_problem.take(saying("100", "7 / 0"), question)
    assert (ruled.value, ruled.how) == (42, "rule")


def test_the_real_model_calculates_with_the_questions_numbers(real: Any) -> None:
    question = "Dora fills 12 bags with 35 marbles each. How many marbles is that?"
    done = calculated.run(real, question=question)
    assert re.fullmatch(pattern(question), done.values["calculation"])
    assert done.value == running(done.values["calculation"])
    assert direct.take(real, {"question": question}).tries[0].text.strip("-").replace(".", "").isdigit()

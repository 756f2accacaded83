"""Checks from outside: what each holds, and by which name it refuses."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from linnet.agent.checks import (
    All,
    Check,
    IsChoice,
    IsDate,
    IsNumber,
    IsPython,
    IsQuantity,
    IsSchema,
    IsText,
    Satisfies,
    Verdict,
    held,
)
from linnet.limits import LIMITS

DAY = datetime.date
POINT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
BLUE = IsChoice(("dark blue", "blue-green", "red"))


@pytest.mark.parametrize(
    ("check", "text", "value"),
    [
        (IsText(), " two words ", "two words"),
        (IsNumber(), "The answer is 1,250.", 1250),
        (IsNumber(), "about twenty-one apples", 21),
        (IsNumber(), "$3.50", 3.5),
        (IsNumber(), "5 + nothing, so 5", 5),
        (IsNumber(least=1, most=5, integer=True), "5", 5),
        (IsNumber(of=(2.0, 3.0)), "3", 3),
        (IsQuantity("km"), "It is 1,500 m long.", 1.5),
        (IsQuantity("m/s"), "36 km/h", 10.0),
        (IsQuantity("kg"), "2.5kg", 2.5),
        (IsDate(), "2026-02-28", DAY(2026, 2, 28)),
        (IsDate(), "March 3, 2025.", DAY(2025, 3, 3)),
        (IsDate(today=DAY(2026, 11, 28)), "tomorrow", DAY(2026, 11, 29)),
        (BLUE, "Red!", "red"),
        (BLUE, "I would say blue green.", "blue-green"),
        (IsSchema(POINT), 'Sure: {"x": 3} is it', {"x": 3}),
        (IsSchema({"type": "integer"}), " 7", 7),
        (IsPython(), " a + b[0] ", "a + b[0]"),
        (IsPython("statements"), "x = 1\nprint(x)", "x = 1\nprint(x)"),
        (IsPython("function"), "def f(x):\n    return x", "def f(x):\n    return x"),
        (Satisfies(lambda n: n % 2 == 0, "odd", IsNumber()), "4", 4),
        (All((IsText(1, 3), IsNumber())), "it is 4", 4),
    ],
)
def test_what_holds(check: Check, text: str, value: Any) -> None:
    verdict = held(check, text)
    assert verdict == Verdict(pytest.approx(value) if isinstance(value, float) else value)
    assert verdict.ok and type(verdict.value) is type(value)


@pytest.mark.parametrize(
    ("check", "text", "reason"),
    [
        (IsText(), " \n ", "empty"),
        (IsText(2), "one", "too_short"),
        (IsText(1, 2), "one two three", "too_long"),
        (IsNumber(), "many", "no_number"),
        (IsNumber(), "4 or 5", "several_numbers"),
        (IsNumber(integer=True), "4.5", "not_whole"),
        (IsNumber(least=1), "0", "too_small"),
        (IsNumber(most=5), "6", "too_large"),
        (IsNumber(of=(2.0, 3.0)), "4", "not_given"),
        (IsQuantity("km"), "far away", "no_quantity"),
        (IsQuantity("km"), "5 blargs", "unknown_unit"),
        (IsQuantity("km"), "5 kg", "other_unit"),
        (IsDate(), "2026-02-30", "no_date"),
        (IsDate(), "soon", "no_date"),
        (IsDate(first=DAY(2026, 1, 1)), "2025-12-31", "too_early"),
        (IsDate(last=DAY(2026, 1, 1)), "2026-01-02", "too_late"),
        (BLUE, "green", "no_choice"),
        (BLUE, "red or dark blue", "several_choices"),
        (IsSchema(POINT), "none", "no_json"),
        (IsSchema(POINT), '{"x": "3"}', "other_schema"),
        (IsSchema(POINT), "{" * 50_000, "no_json"),
        (IsPython(), "a +", "not_python"),
        (IsPython(), "import os", "not_python"),
        (IsPython("function"), "x = 1", "no_function"),
        (IsPython(), "(" * 5_000, "not_python"),
        (Satisfies(lambda n: n % 2 == 0, "odd", IsNumber()), "5", "odd"),
        (Satisfies(lambda n: n % 2 == 0, "odd", IsNumber()), "five or six", "several_numbers"),
        (All((IsText(1, 3), IsNumber())), "4 words are too many", "too_long"),
        (lambda text: 1 / 0, "x", "check_failed"),
    ],
)
def test_what_is_refused_and_why(check: Check, text: str, reason: str) -> None:
    verdict = held(check, text)
    assert (verdict.reason, verdict.value, verdict.ok) == (reason, None, False)
    assert verdict.detail


def test_python_is_parsed_and_never_run(tmp_path: Any) -> None:
    mark = tmp_path / "mark"
    assert held(IsPython("statements"), f"open({str(mark)!r}, 'w')").ok
    assert not mark.exists()


def test_odd_escapes_warn_nobody() -> None:
    assert held(IsPython(), r"'\d'").ok


def test_one_past_each_limit() -> None:
    assert held(IsText(most=10**6), "x" * LIMITS.checked_chars).ok
    assert held(IsText(most=10**6), "x" * (LIMITS.checked_chars + 1)).reason == "too_long"
    name = "x" * LIMITS.python_chars
    assert held(IsPython(), name).ok
    assert held(IsPython(), f"{name}x").reason == "too_long"
    deepest = (
        "-" * (LIMITS.python_depth - 3) + "x"
    )  # Expression, Name and Load are levels too, and a sign is two wide
    assert held(IsPython(), deepest).ok
    assert held(IsPython(), "-" + deepest).reason == "too_deep"


def test_a_hostile_unit_is_not_worked_out() -> None:
    assert held(IsQuantity("m"), "5 m**999999999").reason in ("", "other_unit", "unknown_unit")
    assert held(IsQuantity("m"), "5 " + "m*" * 10_000 + "m").reason in ("other_unit", "unknown_unit", "")


def test_checks_are_values() -> None:
    assert IsNumber(most=5) == IsNumber(most=5) and hash(BLUE) == hash(IsChoice(BLUE.options))
    assert hash(IsSchema(POINT)) == hash(IsSchema({}))

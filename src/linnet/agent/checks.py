"""Checks of a text from outside: each is a value, `check(text) -> Verdict`, which holds a value or a reason why not.

Hides how numbers, units, dates, JSON and Python are read out of what a small model says. No check asks a model,
and none runs what it is given.

Covered: texts over `LIMITS.checked_chars` are refused unread; Python is parsed with its own parser, never run,
and nested too deeply it is refused. Not covered: whether a text that has the right form is right.
"""

from __future__ import annotations

import ast
import datetime
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from linnet.limits import LIMITS


@dataclass(frozen=True)
class Verdict:
    """Either a `value`, or a `reason` in a word (`no_number`, `too_large`) with its `detail` in full."""

    value: Any = None
    reason: str = ""
    detail: str = ""

    @property
    def ok(self) -> bool:
        return not self.reason


Check = Callable[[str], Verdict]


def refused(reason: str, detail: str) -> Verdict:
    return Verdict(None, reason, detail)


def held(check: Check, text: str) -> Verdict:
    """What a check says of a text. One that raises has refused, and the reason is told."""
    if not text.strip():
        return refused("empty", "there is nothing but space")
    if len(text) > LIMITS.checked_chars:
        return refused("too_long", f"it is {len(text):,} characters long, over {LIMITS.checked_chars:,}")
    try:
        return check(text)
    except Exception as error:
        return refused("check_failed", f"{type(error).__name__}: {error}")


# --- the checks ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class IsText:
    """Text of some length; the value is the text without space at its edges. Lengths are in words."""

    least: int = 1
    most: int = 1_000

    def __call__(self, text: str) -> Verdict:
        words = len(text.split())
        if words < self.least:
            return refused("too_short", f"{words} words, at least {self.least} are wanted")
        if words > self.most:
            return refused("too_long", f"{words} words, at most {self.most} are wanted")
        return Verdict(text.strip())


ANY_TEXT = IsText()


@dataclass(frozen=True)
class IsNumber:
    """Exactly one number, in digits or in words, with nothing said beside it that is a number too.

    The value is an int where it is whole. Bounds are inclusive; `of` are the only numbers that it may be.
    """

    least: float | None = None
    most: float | None = None
    integer: bool = False
    of: tuple[float, ...] = ()

    def __call__(self, text: str) -> Verdict:
        from linnet.calling.evidence.quantities import numbers

        found = [number.value for number in numbers(text)]
        if not found:
            return refused("no_number", f"there is no number in {_shown(text)}")
        if len(set(found)) > 1:
            return refused("several_numbers", f"there are several numbers in {_shown(text)}")
        return self.of_value(found[0])

    def of_value(self, value: float) -> Verdict:
        """The verdict on a number that was read already."""
        if self.integer and not value.is_integer():
            return refused("not_whole", f"{value:g} is not a whole number")
        if self.least is not None and value < self.least:
            return refused("too_small", f"{value:g} is below {self.least:g}")
        if self.most is not None and value > self.most:
            return refused("too_large", f"{value:g} is above {self.most:g}")
        if self.of and value not in self.of:
            return refused("not_given", f"{value:g} is none of the numbers given")
        return Verdict(int(value) if value.is_integer() and abs(value) < 1e15 else value)


@dataclass(frozen=True)
class IsQuantity:
    """A number with a unit of the same kind as `unit`; the value is the number in that unit, as a float.

    Units are pint's, by name or symbol, with prefixes, joined by `/`, `*` and powers: `km/h`, `m^2`.
    """

    unit: str

    def __call__(self, text: str) -> Verdict:
        match = _QUANTITY.search(text)
        if match is None:
            return refused("no_quantity", f"there is no number with a unit in {_shown(text)}")
        given = match["unit"].rstrip(".")
        unit = _unit(given)
        if unit is None:
            return refused("unknown_unit", f"{given!r} is not a known unit")
        wanted = _unit(self.unit)
        if wanted is None or not unit.is_compatible_with(wanted):
            return refused("other_unit", f"{given} does not measure what {self.unit} does")
        number = float(match["number"].replace(",", ""))
        return Verdict(float(_registry().Quantity(number, unit).to(wanted).magnitude))


_QUANTITY = re.compile(
    r"(?<![\w.])(?P<number>[-+]?\d{1,15}(?:,\d{3}){0,4}(?:\.\d{1,15})?)\s?"
    r"(?P<unit>[A-Za-zµ°Ω]{1,24}(?:[/*·][A-Za-zµ°Ω]{1,24}){0,2}(?:\^-?\d)?)"
)


@cache
def _registry() -> Any:
    from pint import UnitRegistry

    return UnitRegistry()


def _unit(text: str) -> Any:
    """None for what pint does not know. Its parser reads expressions: nothing but names and few signs reaches it."""
    from pint.errors import PintError

    try:
        return _registry().Unit(text)
    except (PintError, ValueError, TypeError, AttributeError):
        return None


@dataclass(frozen=True)
class IsDate:
    """A day of the calendar, as `2026-11-28` or as people say it; the value is a `datetime.date`.

    `first` and `last` bound it, inclusive. What is said relative to today (`tomorrow`) is taken from `today`.
    """

    first: datetime.date | None = None
    last: datetime.date | None = None
    today: datetime.date | None = None

    def __call__(self, text: str) -> Verdict:
        day = self._read(text.strip().rstrip("."))
        if day is None:
            return refused("no_date", f"{_shown(text)} is not a date")
        if self.first is not None and day < self.first:
            return refused("too_early", f"{day} is before {self.first}")
        if self.last is not None and day > self.last:
            return refused("too_late", f"{day} is after {self.last}")
        return Verdict(day)

    def _read(self, text: str) -> datetime.date | None:
        from linnet.calling.evidence.dates import written

        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):  # a day that is none must not become another one
            try:
                return datetime.date.fromisoformat(text)
            except ValueError:
                return None
        now = datetime.datetime.combine(self.today, datetime.time()) if self.today else None
        said = written(text, "%Y-%m-%d", text, now)
        return datetime.date.fromisoformat(said) if said else None


@dataclass(frozen=True)
class IsChoice:
    """One of some options, told apart without case and punctuation; the value is the option as it was given.

    A longer text counts if it names exactly one of them.
    """

    options: tuple[str, ...]

    def __call__(self, text: str) -> Verdict:
        said = _words(text)
        same = [option for option in self.options if _words(option) == said]
        named = same or [option for option in self.options if f" {_words(option)} " in f" {said} "]
        if len(named) == 1:
            return Verdict(named[0])
        reason = "several_choices" if named else "no_choice"
        return refused(reason, f"{_shown(text)} is none of {', '.join(self.options)}, or not clearly one")


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


@dataclass(frozen=True)
class IsSchema:
    """JSON that a JSON Schema accepts, alone or the first in a text; the value is what it stands for."""

    schema: Mapping[str, Any] = field(hash=False)

    def __call__(self, text: str) -> Verdict:
        from linnet.schema import problems

        value, found = _first_json(text)
        if not found:
            return refused("no_json", f"there is no JSON in {_shown(text)}")
        wrong = next(problems(value, _plain(self.schema)), None)
        return refused("other_schema", f"{wrong[0] or 'it'} {wrong[1]}") if wrong else Verdict(value)


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Written out; what is no object's schema is, as that of a property of one."""
    from linnet.schema import plain

    if schema.get("type") == "object":
        return plain(schema, "check")
    beside = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    whole = plain({"type": "object", "properties": {"value": schema}, **beside}, "check")
    return dict(whole["properties"]["value"])


def _first_json(text: str) -> tuple[Any, bool]:
    """The first object or array that can be read, tried at few beginnings; or the whole text as one value."""
    import json

    decoder = json.JSONDecoder()
    places = [match.start() for match in re.finditer(r"[{\[]", text)][:_BEGINNINGS]
    for place in (*places, len(text) - len(text.lstrip())):
        try:
            return decoder.raw_decode(text, place)[0], True
        except (ValueError, RecursionError):
            continue
    return None, False


_BEGINNINGS = 8


@dataclass(frozen=True)
class IsPython:
    """Python that can be parsed; the value is its text. It is never run.

    `kind` says what it has to be: an `expression`, `statements`, or a `function` (statements that define one).
    """

    kind: Literal["expression", "statements", "function"] = "expression"

    def __call__(self, text: str) -> Verdict:
        text = text.strip() if self.kind == "expression" else text.strip("\n")
        if len(text) > LIMITS.python_chars:
            return refused("too_long", f"it is {len(text):,} characters long, over {LIMITS.python_chars:,}")
        try:
            with warnings.catch_warnings(action="ignore"):  # of a text that nobody here has written
                tree = ast.parse(text, mode="eval" if self.kind == "expression" else "exec")
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            return refused("not_python", f"it cannot be parsed: {error.args[0] if error.args else error}")
        if _depth(tree) > LIMITS.python_depth:
            return refused("too_deep", f"it nests deeper than {LIMITS.python_depth} levels")
        if self.kind == "function" and not any(isinstance(n, ast.FunctionDef) for n in ast.walk(tree)):
            return refused("no_function", "it defines no function")
        return Verdict(text)


def _depth(tree: ast.AST) -> int:
    """Levels of a tree, one generation after the other."""
    level, depth = [tree], 0
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


@dataclass(frozen=True)
class Satisfies:
    """What a function of your own says of what another check has read: true, or it does not hold for `reason`."""

    function: Callable[[Any], bool]
    reason: str = "not_satisfied"
    of: Check = ANY_TEXT

    def __call__(self, text: str) -> Verdict:
        read = self.of(text)
        if read.ok and not self.function(read.value):
            return refused(self.reason, f"{_shown(text)} does not satisfy it")
        return read


@dataclass(frozen=True)
class All:
    """Several checks, in order: the first that refuses decides, the value is the last one's."""

    checks: tuple[Check, ...]

    def __call__(self, text: str) -> Verdict:
        verdict = Verdict(text)
        for check in self.checks:
            verdict = check(text)
            if not verdict.ok:
                break
        return verdict


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")

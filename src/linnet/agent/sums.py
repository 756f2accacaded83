"""Word problems: the model writes the calculation, out of the question's own numbers; the calculator computes it.

Hides what a calculation may look like. A small model that is asked for the answer invents a number; asked for the
calculation it can only choose operators, and whether the next number of the question takes part.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from linnet.agent.ask import Ask
from linnet.agent.chain import Chain, Do
from linnet.agent.checks import IsNumber, IsText, Verdict, refused
from linnet.agent.step import Values
from linnet.agent.tools.calculator import evaluate
from linnet.agent.verify import Verified
from linnet.calling.evidence.quantities import Quantity, numbers
from linnet.requests import Constraint, Fixed, Hole, Holes, Pattern

_MOST = 8
"""Numbers of a question that a calculation may use, the first ones."""


def given(question: str) -> tuple[str, ...]:
    """The numbers of a question as they are written in a calculation, in order; per cents as fractions."""
    found = (number.value / 100 if number.percent else number.value for number in _counted(question))
    return tuple(f"{value:.12g}" for value in found)


def _counted(question: str) -> list[Quantity]:
    """Not `one`, which is seldom a number in a story."""
    return [number for number in numbers(question) if not (number.spelled and number.value == 1)][:_MOST]


# --- by the model --------------------------------------------------------------------------------


def calculation(values: Values) -> Constraint:
    """A line: numbers of the question in their order, each at most once, with an operator between two of them. A
    question with fewer than two of them lets the model choose the numbers."""
    found = given(str(values["question"]))
    return Holes((Hole("calculation", Pattern(_pattern(found))), Fixed("\n")))


def _pattern(found: tuple[str, ...]) -> str:
    """For numbers a, b, c: `a op b`, `a op c`, `b op c`, or `a op b op c`."""
    ways = (f"{re.escape(found[at])}{_rest(found[at + 1 :])}" for at in range(len(found) - 1))
    return "|".join(ways) or r"\d{1,6} [-+*/] \d{1,6}"


def _rest(found: tuple[str, ...]) -> str:
    """At least one of these numbers, each behind an operator."""
    first, others = rf" [-+*/] {re.escape(found[0])}", found[1:]
    after = "".join(rf"( [-+*/] {re.escape(number)})?" for number in others)
    return f"({first}{after}|{_rest(others)})" if others else first


def running(calculation: str) -> int | float:
    """The value of a calculation worked out from left to right, as it is told: `16 - 3 - 4 * 2` is 18.

    Raises ToolFailed for what cannot be calculated.
    """
    total, *rest = calculation.split()
    for operator, number in zip(rest[::2], rest[1::2], strict=True):
        total = str(evaluate(f"({total}) {operator} {number}"))
    return evaluate(total)


# --- by rules ------------------------------------------------------------------------------------

_OPERATORS = (
    ("*", r"\beach\b|\bevery\b|\bper\b|\btimes\b|\bdozen|\ba (?:day|week|month|year|hour|piece)\b"),
    ("/", r"\bshare[sd]?\b|\bsplit\b|\bequally\b|\bdivide[sd]?\b|\bequal\b|\bamong\b"),
    (
        "-",
        r"\bleft\b|\bremain|\bfewer\b|\bless\b|\bga(?:ve|ves)\b|\bgives?\b|\blos[et]|\bspen[dt]|\bsold\b|\bsells?\b",
    ),
)
"""Words that tell of an operation, the more telling ones first; without any it is a sum."""


def by_words(question: str) -> int | float | None:
    """The numbers of a question, with the operators that the words of the sentence around each one say, or else
    those of the whole question. None for a question with fewer than two numbers."""
    found = _counted(question)
    if len(found) < 2:
        return None
    parts = list(given(question))
    sentences = [_sentence(question, number.start) for number in found]
    line = [parts[0]]
    for part, sentence, before in zip(parts[1:], sentences[1:], sentences, strict=False):
        line += [_operator(sentence) or (_operator(question) if sentence == before else "") or "+", part]
    return running(" ".join(line))


def _sentence(text: str, at: int) -> str:
    start = max(text.rfind(mark, 0, at) for mark in (". ", "? ", "! ")) + 1
    ends = [end for mark in (". ", "? ", "! ") if (end := text.find(mark, at)) >= 0]
    return text[start : min(ends, default=len(text))]


def _operator(text: str) -> str:
    return next((sign for sign, words in _OPERATORS if re.search(words, text, re.IGNORECASE)), "")


# --- an answer from outside ---


@dataclass(frozen=True)
class Reachable:
    """A number that can be calculated from the numbers given, in their order, by any operators, from left to right.

    A wrong one can be reached too; one that cannot is certainly no answer to a question whose numbers are all said.
    """

    numbers: tuple[str, ...]

    def __call__(self, text: str) -> Verdict:
        read = IsNumber()(text)
        if not read.ok:
            return read
        near = any(abs(value - read.value) < 1e-6 * max(1.0, abs(value)) for value in reach(self.numbers))
        return read if near else refused("out_of_reach", f"{read.value} cannot come of {', '.join(self.numbers)}")


def reach(numbers: tuple[str, ...]) -> frozenset[float]:
    """What calculations with at least one operator can give; of the first six numbers, some 4,000 of them."""
    begun: set[float] = set()
    whole: set[float] = set()
    for number in map(float, numbers[:_REACHED]):
        grown = {value for first in begun | whole for value in _all(first, number)}
        begun.add(number)
        whole |= grown
    return frozenset(whole)


def _all(first: float, second: float) -> tuple[float, ...]:
    ratio = (first / second,) if second else ()
    return (first + second, first - second, first * second, *ratio)


_REACHED = 6

# --- together ------------------------------------------------------------------------------------

calculated = Chain(
    "calculated",
    (
        Ask(
            "calculation", "Question: {question}\nCalculation: ", calculation, check=IsText(3), max_tokens=80, stop=()
        ),
        Do("value", running, ("calculation",)),
    ),
)
"""`calculated.run(model, question=...)`: the model's calculation, computed."""

ANSWER = Holes((Hole("answer", Pattern(r"-?\d{1,9}(\.\d{1,2})?")), Fixed("\n")))
"""A number and nothing else: as constrained as a calculation is."""

direct = Ask(
    "direct",
    "Question: {question}\nAnswer: ",
    ANSWER,
    check=IsNumber(),
    max_tokens=16,
    stop=(),
    against=lambda values: Reachable(given(str(values["question"]))),
)

word_problem = Verified("word_problem", (direct, calculated), rules=by_words)
"""The direct answer, if the question's numbers can give it; else their calculation; else what its words say."""

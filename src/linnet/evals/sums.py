"""Word problems in several ways: asked for the answer, for the calculation, and without any model.

A case is right if the number is. The ways are the whole table: what a way costs and gains is told against the
first one, on the same cases.
"""

from __future__ import annotations

import difflib
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from linnet.agent.step import Step
from linnet.agent.sums import by_words, calculated, direct, word_problem
from linnet.errors import InputInvalid
from linnet.evals.statistics import mcnemar, wilson
from linnet.evals.wordtasks import Task
from linnet.requests import Model, Usage

ask = replace(direct, name="ask", against=None)
agree = replace(ask, name="agree", samples=5)

WAYS: Mapping[str, Step | None] = {
    "ask": ask,
    "agree": agree,
    "calculate": calculated,
    "verified": word_problem,
    "rules": None,
}
"""In the order of the table. `rules` has no model at all: any use of the model has to beat it."""


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Ways by name, in the order of the table; all when none is named. Raises InputInvalid for a stranger."""
    for name in names:
        if name not in WAYS:
            near = difflib.get_close_matches(name, WAYS, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(WAYS)}."
            raise InputInvalid(f"there is no way {name!r}", hint=hint)
    return tuple(way for way in WAYS if not names or way in names)


@dataclass(frozen=True)
class Outcome:
    """What a way made of a task; `value` is None where it had no answer."""

    task: Task
    way: str
    value: float | None
    how: str
    seconds: float
    usage: Usage = Usage()
    text: str = ""
    error: str = ""

    @property
    def right(self) -> bool:
        return self.value is not None and abs(self.value - self.task.answer) < 1e-4

    def describe(self) -> dict[str, Any]:
        """The one JSON form, flat, for a line of a file."""
        return {
            "id": self.task.id,
            "kind": self.task.kind,
            "way": self.way,
            "right": self.right,
            "value": self.value,
            "expected": self.task.answer,
            "how": self.how,
            "text": self.text,
            "seconds": round(self.seconds, 4),
            **asdict(self.usage),
            "error": self.error,
        }


def evaluate(model: Model, tasks: Iterable[Task], ways: Sequence[str] = ()) -> Iterator[Outcome]:
    """Task by task every way, so that what is done when it is interrupted can be compared."""
    for task in tasks:
        for way in ways or WAYS:
            yield _outcome(model, task, way)


def _outcome(model: Model, task: Task, way: str) -> Outcome:
    started = time.monotonic()
    step = WAYS[way]
    if step is None:
        return Outcome(task, way, by_words(task.text), "rule", time.monotonic() - started)
    answered = step.take(model, {"question": task.text})
    said = [each.text for each in answered.looked]
    value = float(answered.value) if answered.ok else None
    seconds = time.monotonic() - started
    return Outcome(task, way, value, answered.how, seconds, answered.usage, " | ".join(said), answered.detail)


# --- totals --------------------------------------------------------------------------------------


def totals(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """`{way: {kind: numbers}}`, with `all` for the kinds together; `gained`, `lost` and `p` (McNemar's exact test)
    are against the first way on the same cases."""
    ways = list(dict.fromkeys(outcome.way for outcome in outcomes))
    kinds = list(dict.fromkeys(outcome.task.kind for outcome in outcomes))
    groups = {kind: (kind,) for kind in kinds} | ({"all": tuple(kinds)} if len(kinds) > 1 else {})
    table: dict[str, Any] = {way: {} for way in ways}
    for group, members in groups.items():
        first = [o.right for o in outcomes if o.way == ways[0] and o.task.kind in members]
        for way in ways:
            mine = [o for o in outcomes if o.way == way and o.task.kind in members]
            table[way][group] = _numbers(mine, first)
    return table


def _numbers(mine: Sequence[Outcome], first: Sequence[bool]) -> dict[str, Any]:
    right = [outcome.right for outcome in mine]
    pairs = list(zip(first, right, strict=True))
    return {
        "right": sum(right),
        "of": len(right),
        "share": sum(right) / len(right) if right else None,
        "interval": list(wilson(sum(right), len(right))),
        "abstained": sum(outcome.value is None for outcome in mine),
        "gained": pairs.count((False, True)),
        "lost": pairs.count((True, False)),
        "p": mcnemar(first, right),
        "median_seconds": statistics.median(o.seconds for o in mine) if mine else 0.0,
        "usage": asdict(sum((o.usage for o in mine), Usage())),
    }

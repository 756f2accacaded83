"""Verified: an answer that a check from outside holds, or a simpler question's, or a rule's, or none.

A small model is not asked to reason about its own answer: code looks at it, and what does not hold is asked for in
a simpler way, and at last worked out without a model. Every answer on the way is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from linnet.agent.step import Answered, Step, Try, Values, used
from linnet.errors import LinnetError, RequestError
from linnet.limits import LIMITS
from linnet.requests import Model, Usage

Rules = Callable[..., Any]
"""A function that takes the values as keywords, and gives an answer, or None where no rule knows one."""


@dataclass(frozen=True)
class Verified:
    """`steps` are asked in turn until one holds; `rules` has the last word, `rules_first` the first.

    The steps are `Ask`s, the plainest question first and simpler ones behind it, or anything else that is a step.
    `how` of what comes back is `model` for the first, `fallback:NAME` for a later one, `rule`, or `abstained`.
    """

    name: str
    steps: Sequence[Step]
    rules: Rules | None = None
    rules_first: bool = False
    needs: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        if not 1 <= len(self.steps) <= LIMITS.chain_steps:
            raise RequestError(f"{self.name!r} has {len(self.steps)} steps; 1 to {LIMITS.chain_steps} can be taken")
        object.__setattr__(self, "needs", frozenset[str]().union(*(step.needs for step in self.steps)))

    def take(self, model: Model, values: Values) -> Answered:
        started = time.monotonic()
        taken: list[Answered] = []
        tries: tuple[Try, ...] = ()
        found: Answered | None = None
        if self.rules_first:
            found, tries = self._ruled(values)
        for number, step in enumerate(self.steps if found is None else ()):
            answer = step.take(model, values)
            taken.append(answer)
            tries += answer.tries
            if answer.ok:
                found = replace(answer, how=answer.how if number == 0 else f"fallback:{step.name}")
                break
        if found is None and not self.rules_first:
            found, looked = self._ruled(values)
            tries += looked
        last = found or taken[-1]
        return replace(
            last,
            name=self.name,
            how=last.how if found else "abstained",
            tries=tries,
            steps=(),
            usage=used(taken),
            seconds=time.monotonic() - started,
            degraded=tuple(dict.fromkeys(each for answer in taken for each in answer.degraded)),
        )

    def _ruled(self, values: Values) -> tuple[Answered | None, tuple[Try, ...]]:
        """What the rules know, if anything, and that they were asked."""
        if self.rules is None:
            return None, ()
        try:
            value, detail = self.rules(**values), "no rule knows it"
        except LinnetError as error:
            value, detail = None, error.message
        except Exception as error:
            value, detail = None, f"{type(error).__name__}: {error}"
        if value is None:
            return None, (Try("rules", "", "no_rule", detail),)
        return Answered(self.name, value, "rule", usage=Usage()), (Try("rules", str(value)),)

"""Verified: an answer that a check from outside holds, or a simpler question's, or a rule's, or none.

A small model is not asked to reason about its own answer: code looks at it, and what does not hold is asked for in
a simpler way, and at last worked out without a model. Every answer on the way is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from linnet.agent.chain import Do
from linnet.agent.step import Answered, Step, Try, Values, demand, used
from linnet.errors import RequestError
from linnet.limits import LIMITS
from linnet.requests import Model

Rules = Callable[..., Any]
"""A function that takes values by the names of its parameters, and gives an answer, or None where it knows none."""


@dataclass(frozen=True)
class Verified:
    """`steps` are asked in turn until one holds; `rules` has the last word, `rules_first` the first.

    The steps are `Ask`s, the plainest question first and simpler ones behind it, or anything else that is a step.
    `how` of what comes back is the first one's own (`model` for a question), `fallback:NAME` for a later one, `rule`,
    or `abstained`.
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
        object.__setattr__(self, "needs", frozenset[str]().union(*(step.needs for step in self._all)))

    @property
    def _all(self) -> tuple[Step, ...]:
        return (*self.steps, *([Do("rules", self.rules)] if self.rules else []))

    def run(self, model: Model, **values: Any) -> Answered:
        """Raises RequestError for a value that a step needs and that is not there; all else is in the result."""
        demand(self.name, self.needs, values)
        return self.take(model, values)

    def take(self, model: Model, values: Values) -> Answered:
        started = time.monotonic()
        found, tries = self._ruled(model, values) if self.rules_first else (None, ())
        taken = [] if found else self._asked(model, values)
        tries += tuple(each for answer in taken for each in answer.looked)
        if taken and taken[-1].ok:
            found = taken[-1]
        elif not self.rules_first:
            found, ruled = self._ruled(model, values)
            tries += ruled
        return replace(
            found or replace(taken[-1], how="abstained"),
            name=self.name,
            tries=tries,
            steps=(),
            usage=used(taken),
            seconds=time.monotonic() - started,
            degraded=tuple(dict.fromkeys(each for answer in taken for each in answer.degraded)),
        )

    def _asked(self, model: Model, values: Values) -> list[Answered]:
        """What came of the steps, up to the first that holds."""
        taken: list[Answered] = []
        for step in self.steps:
            answer = step.take(model, values)
            taken.append(replace(answer, how=f"fallback:{step.name}") if taken and answer.ok else answer)
            if answer.ok:
                break
        return taken

    def _ruled(self, model: Model, values: Values) -> tuple[Answered | None, tuple[Try, ...]]:
        """What the rules know, if anything, and that they were asked."""
        if self.rules is None:
            return None, ()
        answer = Do("rules", self.rules).take(model, values)
        if not answer.ok:
            return None, (Try("rules", "", "no_rule", answer.detail),)
        return replace(answer, how="rule"), (Try("rules", str(answer.value)),)

"""Chain: single-purpose steps one after the other, each verified before its value goes into the next.

A step that fails ends the chain: the result says which and why, and keeps what came before it.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from linnet.agent.checks import Verdict, refused
from linnet.agent.step import Answered, Step, Values, demand, used
from linnet.errors import LinnetError, RequestError
from linnet.limits import LIMITS
from linnet.requests import Model


@dataclass(frozen=True)
class Do:
    """A step without a model: `Do("total", add, ("price", "tip"))` calls `add(price, tip)` with earlier values.

    Without `of`, values are handed over by the names of the function's parameters. What it raises, and None, is
    the reason that the step failed.
    """

    name: str
    function: Callable[..., Any]
    of: tuple[str, ...] = ()

    @property
    def needs(self) -> frozenset[str]:
        return frozenset(name for name, wanted in self._names() if wanted)

    def _names(self) -> list[tuple[str, bool]]:
        """What the function takes, and whether it has to be there: what has a default is given where it is known."""
        if self.of:
            return [(name, True) for name in self.of]
        parameters = inspect.signature(self.function).parameters.values()
        return [(p.name, p.default is p.empty) for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]

    def take(self, model: Model, values: Values) -> Answered:
        started = time.monotonic()
        verdict = self._verdict(values)
        how = "function" if verdict.ok else "abstained"
        seconds = time.monotonic() - started
        return Answered(self.name, verdict.value, how, verdict.reason, verdict.detail, seconds=seconds)

    def _verdict(self, values: Values) -> Verdict:
        try:
            given = {name: values[name] for name, wanted in self._names() if wanted or name in values}
            value = self.function(*given.values()) if self.of else self.function(**given)
        except LinnetError as error:
            return refused(error.code, error.message)
        except Exception as error:
            return refused("raised", f"{type(error).__name__}: {error}")
        return Verdict(value) if value is not None else refused("nothing", "the function returned nothing")


@dataclass(frozen=True)
class Chain:
    """`Chain("trip", (Ask(...), Do(...))).run(model, request="...")`: the last step's value, or the step that failed.

    Every step may use the values given to `run` and those of all steps before it, by name. A chain is a step too: in
    another one, its value is its last step's. What a step needs and nobody gives is an error before the first step.
    """

    name: str
    steps: Sequence[Step]
    needs: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        if not 1 <= len(self.steps) <= LIMITS.chain_steps:
            most = LIMITS.chain_steps
            raise RequestError(f"chain {self.name!r} has {len(self.steps)} steps; 1 to {most} can be taken")
        object.__setattr__(self, "needs", _open(self.steps))

    def run(self, model: Model, **values: Any) -> Answered:
        """Raises RequestError for a value that a step needs and that is not there; all else is in the result."""
        demand(self.name, self.needs, values)
        return self.take(model, values)

    def take(self, model: Model, values: Values) -> Answered:
        started = time.monotonic()
        known = dict(values)
        taken: list[Answered] = []
        for step in self.steps:
            taken.append(step.take(model, known))
            if not taken[-1].ok:
                break
            known[step.name] = taken[-1].value
        last = taken[-1]
        return Answered(
            name=self.name,
            value=last.value,
            how=last.how,
            reason=last.reason,
            detail=last.detail,
            steps=tuple(taken),
            usage=used(taken),
            seconds=time.monotonic() - started,
            degraded=tuple(dict.fromkeys(each for step in taken for each in step.degraded)),
        )


def _open(steps: Sequence[Step]) -> frozenset[str]:
    """What the steps use and no step before them gives. Raises RequestError for two of one name."""
    given: set[str] = set()
    wanted: set[str] = set()
    for step in steps:
        if step.name in given:
            raise RequestError(f"two steps are named {step.name!r}", hint="Give one of them another name.")
        wanted |= step.needs - given
        given.add(step.name)
    return frozenset(wanted)

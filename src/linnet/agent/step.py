"""One small step and what came of it: the common face of a question, a function, a verified answer, a chain.

Whatever has a name, says which values it needs and gives an `Answered` is a step, so that steps hold steps.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from linnet.errors import RequestError
from linnet.requests import Model, Usage

Values = Mapping[str, Any]
"""What earlier steps found, by their names, beside what the caller gave. Untrusted, wherever it comes from."""


@dataclass(frozen=True)
class Try:
    """One answer, and what was made of it. `reason` names in a word why it does not hold ("" where it does),
    `detail` says it in full; `by` is the step, or the rule, that gave it."""

    by: str
    text: str
    reason: str = ""
    detail: str = ""
    usage: Usage = Usage()
    seconds: float = 0.0


@dataclass(frozen=True)
class Answered:
    """What came of a step.

    `how` names what produced the value: `model`, `fallback:NAME`, `rule`, `function`; or `abstained`, and then
    `reason` and `detail` say why there is none. `tries` tells of every answer that was looked at, `steps` of the
    steps inside a chain, up to the one that failed. `degraded` lists what was not as it should be.
    """

    name: str
    value: Any = None
    how: str = "model"
    reason: str = ""
    detail: str = ""
    tries: tuple[Try, ...] = ()
    steps: tuple[Answered, ...] = ()
    usage: Usage = Usage()
    seconds: float = 0.0
    degraded: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.reason

    @property
    def looked(self) -> tuple[Try, ...]:
        """Every answer that was looked at, those of the steps inside too, in order; at last why there is no value."""
        found = (*self.tries, *(each for step in self.steps for each in step.looked))
        if self.ok or (found and found[-1].reason == self.reason):
            return found
        return (*found, Try(self.name, "", self.reason, self.detail))

    @property
    def values(self) -> dict[str, Any]:
        """What the steps inside found, by name: the whole ones, if a later one failed."""
        return {step.name: step.value for step in self.steps if step.ok}

    @property
    def failed(self) -> str:
        """The step inside that failed, "" if none did: a path such as `check.simpler` where it is deeper."""
        last = self.steps[-1] if self.steps else None
        if last is None or last.ok:
            return ""
        return f"{last.name}.{last.failed}" if last.failed else last.name

    def describe(self) -> dict[str, Any]:
        """The one JSON form; a value that JSON does not know is told as text."""
        return {
            "name": self.name,
            "value": _plain(self.value),
            "how": self.how,
            "reason": self.reason,
            "detail": self.detail,
            "failed": self.failed,
            "tries": [asdict(each) for each in self.tries],
            "steps": [each.describe() for each in self.steps],
            "usage": asdict(self.usage),
            "seconds": round(self.seconds, 4),
            "degraded": list(self.degraded),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


class Step(Protocol):
    """`take` never raises for what a model says: that is an `Answered` without a value."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> frozenset[str]: ...

    def take(self, model: Model, values: Values) -> Answered: ...


def demand(name: str, needs: Iterable[str], values: Values) -> None:
    """Raises RequestError for the first value that is needed and not there, with one of a similar name."""
    for need in sorted(set(needs) - set(values)):
        close = difflib.get_close_matches(need, values, 1)
        hint = f"Did you mean {close[0]!r}?" if close else f"Give it: run(model, {need}=...)."
        raise RequestError(f"{name!r} needs a value {need!r}", hint=hint)


def used(tries: Iterable[Try | Answered]) -> Usage:
    """Tokens of several together."""
    return sum((each.usage for each in tries), Usage())

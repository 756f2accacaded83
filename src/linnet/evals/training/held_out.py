"""Held-out examples through the engine, as requests are in use: the model as it is against the model with an adapter.

Each is asked in every way that the adapter was taught; the best way of each side counts, so that an adapter is held
against the best that there is without it.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from linnet.calling import profile as profiles
from linnet.calling.guided import Guide
from linnet.calling.profile import Profile, Score, Way
from linnet.calling.trust import Trust
from linnet.calling.way import caller_for
from linnet.evals.harness import Case, Made, Outcome, run
from linnet.evals.statistics import mcnemar, wilson
from linnet.evals.training.asking import CALLING
from linnet.evals.training.example import Example
from linnet.evals.training.lesson import Kind
from linnet.requests import Model
from linnet.tools import Tool

Told = Callable[[str, float], None]
"""What is being done, and the share of it that is done."""


@dataclass(frozen=True)
class Side:
    """What became of the examples on one side, asked in one way. `restraint` counts those that want no call."""

    way: Way
    outcomes: tuple[Outcome, ...]

    @property
    def marks(self) -> list[bool]:
        return [outcome.right for outcome in self.outcomes]

    @property
    def right(self) -> int:
        return sum(self.marks)

    @property
    def restraint(self) -> tuple[int, int]:
        none = [outcome for outcome in self.outcomes if outcome.case.want == "none"]
        return sum(outcome.right for outcome in none), len(none)

    def describe(self) -> dict[str, Any]:
        low, high = wilson(self.right, len(self.outcomes))
        held, none = self.restraint
        return {
            "way": str(self.way),
            "right": self.right,
            "of": len(self.outcomes),
            "interval": [low, high],
            "no_call_right": held,
            "no_call_of": none,
            "seconds": _median([outcome.seconds for outcome in self.outcomes]),
        }


@dataclass(frozen=True)
class Comparison:
    """Both sides in all ways, the best first. `p` is McNemar's, of the two best sides being equally good. `trust` is
    what the adapter was believed, None for what ships."""

    before: tuple[Side, ...]
    after: tuple[Side, ...]
    trust: Trust | None = None

    @property
    def p(self) -> float:
        return mcnemar(self.before[0].marks, self.after[0].marks)

    @property
    def why_not(self) -> str:
        """Why the adapter is not better; "" if it is."""
        before, after = self.before[0], self.after[0]
        if after.right <= before.right:
            return (
                f"it is right on {after.right} of {len(after.outcomes)} held-out requests, {before.right} without it"
            )
        (held, none), (holds, _) = before.restraint, after.restraint
        if holds < held:
            return f"it keeps from calling on {holds} of {none} requests that want no call, {held} without it"
        return ""

    def describe(self) -> dict[str, Any]:
        return {
            "before": [side.describe() for side in self.before],
            "after": [side.describe() for side in self.after],
            "p": self.p,
            "trust": asdict(self.trust) if self.trust else None,
        }


def compare(
    plain: Model,
    adapted: Model,
    examples: Sequence[Example],
    kinds: Sequence[Kind],
    told: Told,
    trust: Trust | None = None,
) -> Comparison:
    """Both on the same examples, the adapter with a trust of its own. What is wrong with one request is that one's
    outcome."""
    cases = [case_of(number, example) for number, example in enumerate(examples)]
    ways = ways_of(kinds)
    return Comparison(
        _sides(plain, cases, ways, "without the adapter", told),
        _sides(adapted, cases, ways, "with it", told, trust),
        trust,
    )


def ways_of(kinds: Sequence[Kind]) -> tuple[Way, ...]:
    """In what ways an adapter is asked that was taught these kinds of lessons."""
    guided = (Way(),) if set(kinds) - {"call"} else ()
    return (*guided, *((CALLING,) if "call" in kinds else ()))


def case_of(number: int, example: Example) -> Case:
    """The right calls as `judge` wants them: an argument that was left out may as well be its default."""
    tools = {tool.name: tool for tool in example.offered()}
    expected = tuple(
        {"name": call.name, "arguments": _allowed(call.arguments, tools[call.name])} for call in example.calls
    )
    want = "calls" if expected else "none"
    return Case(str(number), example.kind, example.request, tuple(tools.values()), want, expected)  # type: ignore[arg-type]


def _allowed(arguments: Mapping[str, Any], tool: Tool) -> dict[str, list[Any]]:
    left = {name: schema for name, schema in tool.parameters["properties"].items() if name not in arguments}
    defaults = {name: [schema["default"], ""] for name, schema in left.items() if schema.get("default") is not None}
    return {name: [value] for name, value in arguments.items()} | defaults


def _sides(
    model: Model, cases: Sequence[Case], ways: Sequence[Way], what: str, told: Told, trust: Trust | None = None
) -> tuple[Side, ...]:
    sides = []
    for number, way in enumerate(ways):
        outcomes = []
        for done, case in enumerate(cases):
            told(f"held-out requests {what}, {way.by}", (number * len(cases) + done) / (len(ways) * len(cases)))
            outcomes.append(run(model, case, _arm(way, trust)))
        sides.append(Side(way, tuple(outcomes)))
    return tuple(sorted(sides, key=lambda side: -side.right))


def _arm(way: Way, trust: Trust | None) -> Callable[[Model, Sequence[Tool], str], Made]:
    def arm(model: Model, tools: Sequence[Tool], request: str) -> Made:
        guided = way.by == "guided"
        caller = Guide(model, tools, trust=trust) if guided else caller_for(model, tools, way)
        made = caller.call(request)
        return Made(made.calls, made.usage)

    return arm


def remember(fingerprint: str, found: Comparison, *, model: str) -> str:
    """Stores in which way the model with its adapter is best asked, as `linnet models probe` does, and what it is
    believed; returns where.
    Raises OSError."""
    scores = tuple(_score(side) for side in found.after)
    best = found.after[0]
    today = datetime.date.today().isoformat()
    kept = Profile(best.way, best.way.by, scores, "held-out examples", today, "", model, found.trust)
    return str(profiles.save(fingerprint, kept))


def _score(side: Side) -> Score:
    low, high = wilson(side.right, len(side.outcomes))
    errors = sum(outcome.error is not None for outcome in side.outcomes)
    seconds = round(_median([outcome.seconds for outcome in side.outcomes]), 4)
    return Score(side.way.by, side.right, len(side.outcomes), low, high, seconds, errors)


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0

"""Cases with tools, ways to answer them, and what came of it: the part that all measurings of calls share.

A way to answer is an `Arm`: a function of a model, tools and a request. What one case or one arm raises is
that case's outcome and never the end of the run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from linnet.calling.guided import Guide
from linnet.calling.way import own_trust
from linnet.errors import InputInvalid, LinnetError, ToolInvalid
from linnet.evals.judge import judge
from linnet.evals.statistics import wilson
from linnet.messages import ToolCall
from linnet.requests import Model, Usage
from linnet.tools import Tool

# --- arms ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    """The calls that an arm makes of a request, and what that cost."""

    calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()


Arm = Callable[[Model, Sequence[Tool], str], Made]


def guided(model: Model, tools: Sequence[Tool], request: str) -> Made:
    """Linnet's own way, the model believed as its profile says."""
    done = Guide(model, tools, trust=own_trust(model)).call(request)
    return Made(done.calls, done.usage)


# --- cases ---------------------------------------------------------------------------------------

Want = Literal["calls", "none", "some", "unknown"]
"""What is right: the expected calls, no call, at least one call; or nobody says."""


@dataclass(frozen=True)
class Case:
    """A request, the tools on offer, and what is right.

    `expected` are calls as `judge` wants them. `fault` says why a case cannot be run, `notes` which of its
    tools cannot be offered.
    """

    id: str
    category: str
    request: str = ""
    tools: tuple[Tool, ...] = ()
    want: Want = "unknown"
    expected: tuple[Mapping[str, Any], ...] = ()
    fault: str = ""
    notes: tuple[str, ...] = ()

    @property
    def needs_call(self) -> bool:
        return self.want == "some" or (self.want == "calls" and bool(self.expected))


def offered(specs: Iterable[Any]) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """`(tools, notes)`: the tools that `{name, description, parameters}` can be made into, and why others not."""
    tools: dict[str, Tool] = {}
    notes: list[str] = []
    for spec in specs:
        try:
            tool = Tool.from_schema(spec["name"], str(spec.get("description", "")), spec.get("parameters"))
        except (ToolInvalid, KeyError, TypeError, AttributeError) as error:
            notes.append(f"a tool was left out: {error}")
        else:
            tools.setdefault(tool.name, tool)
    return tuple(tools.values()), tuple(notes)


# --- outcomes ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What came of a case: `fault` says what is wrong, and is empty when nothing is.

    `how` is that of the first call (`model`, `evidence`, `rule`), else `abstained`, or `error` with the `error`
    raised.
    """

    case: Case
    calls: tuple[Mapping[str, Any], ...]
    fault: str
    seconds: float
    usage: Usage = Usage()
    how: str = "abstained"
    error: Mapping[str, Any] | None = None

    @property
    def right(self) -> bool:
        return not self.fault and self.judged

    @property
    def judged(self) -> bool:
        return self.case.want != "unknown" or bool(self.case.fault)

    @property
    def named(self) -> bool:
        """Whether the right tools were called, as often as they should, whatever their arguments."""
        names = sorted(call["name"] for call in self.calls)
        return names == sorted(want["name"] for want in self.case.expected)

    @property
    def refused(self) -> bool:
        return self.case.needs_call and not self.calls

    def describe(self) -> dict[str, Any]:
        """The one JSON form, flat, for a line of a file; `right` is null where nobody says what is right."""
        return {
            "id": self.case.id,
            "category": self.case.category,
            "calls": list(self.calls),
            "how": self.how,
            "right": self.right if self.judged else None,
            "fault": self.fault,
            "seconds": round(self.seconds, 4),
            **asdict(self.usage),
            "notes": list(self.case.notes),
            "error": self.error,
        }


def evaluate(model: Model, cases: Iterable[Case], arm: Arm = guided) -> Iterator[Outcome]:
    """Outcomes one by one, as they come about."""
    for case in cases:
        yield run(model, case, arm)


def run(model: Model, case: Case, arm: Arm = guided) -> Outcome:
    """One case by one arm; nothing is raised but what asks the program to stop."""
    if case.fault:
        return _failed(case, case.fault, InputInvalid(case.fault), 0.0)
    started = time.monotonic()
    try:
        made = arm(model, case.tools, case.request)
    except Exception as error:
        told = error if isinstance(error, LinnetError) else LinnetError(f"unexpected {type(error).__name__}: {error}")
        return _failed(case, f"{told.code}: {told.message}", told, time.monotonic() - started)
    seconds = time.monotonic() - started
    calls = tuple({"name": call.name, "arguments": call.arguments} for call in made.calls)
    how = made.calls[0].how if made.calls else "abstained"
    return Outcome(case, calls, fault_of(case, calls), seconds, made.usage, how)


def _failed(case: Case, fault: str, error: LinnetError, seconds: float) -> Outcome:
    return Outcome(case, (), fault, seconds, how="error", error=error.describe())


def fault_of(case: Case, calls: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong with the calls; an empty string for nothing, or when nobody says what is right."""
    match case.want:
        case "calls":
            return judge(calls, case.expected, {tool.name: tool.parameters["properties"] for tool in case.tools})
        case "none":
            return f"{calls[0]['name']} called, no call expected" if calls else ""
        case "some":
            return "" if calls else "no call, at least one expected"
        case _:
            return ""


# --- totals --------------------------------------------------------------------------------------


def totals(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Outcomes in numbers. `interval` is the 95 % Wilson interval of `share`; `of` counts what is judged.

    `refused` is the share of the cases needing a call that got none, null where no case needs one;
    `named` that of the cases with expected calls that got the right tools.
    """
    judged = [outcome for outcome in outcomes if outcome.judged]
    needing = [outcome for outcome in outcomes if outcome.case.needs_call]
    expecting = [outcome for outcome in outcomes if outcome.case.want == "calls"]
    right = sum(outcome.right for outcome in judged)
    return {
        "right": right,
        "of": len(judged),
        "share": right / len(judged) if judged else None,
        "interval": list(wilson(right, len(judged))),
        "named": _share([outcome.named for outcome in expecting]),
        "refused": _share([outcome.refused for outcome in needing]),
        "errors": sum(outcome.error is not None for outcome in outcomes),
        "median_seconds": statistics.median(o.seconds for o in outcomes) if outcomes else 0.0,
        "usage": asdict(sum((outcome.usage for outcome in outcomes), Usage())),
    }


def _share(marks: Sequence[bool]) -> float | None:
    return sum(marks) / len(marks) if marks else None


def by_category(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """`totals` of each category, in the order in which they came."""
    names = dict.fromkeys(outcome.case.category for outcome in outcomes)
    return {name: totals([o for o in outcomes if o.case.category == name]) for name in names}

"""Which way of calling tools suits a model: some forty short requests of our own, asked in every way open to it.

Each way is an arm over the same cases: calls with 1, 4 and 8 tools on offer, two calls, and requests that want none.
Hides when an arm is given up, and how the best is told from those that are as good.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from linnet.calling.native import Speech, speech_of, why_not
from linnet.calling.profile import JSON, Profile, Score, Way
from linnet.calling.way import caller_for
from linnet.errors import InputInvalid
from linnet.evals.harness import Case, Made, Outcome, offered, run, totals
from linnet.evals.statistics import wilson
from linnet.requests import Model
from linnet.tools import Tool

LEAST = 16
"""Cases that all arms must have been tried on before anything is stored: fewer would decide by luck."""

_PATIENCE = 8
"""Cases that an arm is tried on before it can be given up."""

_OTHER_TOOLS = (2, 8)
"""How many tools a native way is told of, when it has won, beside the usual number."""

WAYS: dict[str, Way] = {
    "guided": Way(),
    "native free": Way("native"),
    "native constrained": Way("native", constrained=True),
    "native thinking": Way("native", thinking=True),
    "json free": Way("native", JSON),
    "json constrained": Way("native", JSON, constrained=True),
}
"""By name. Those without a notation are in the model's own."""


@cache
def suite() -> tuple[str, tuple[Case, ...]]:
    """`(version, cases)`, in an order of which any beginning has some of each kind."""
    data = json.loads(Path(__file__).with_name("behaviour.json").read_text(encoding="utf-8"))
    made, notes = offered(data["tools"])
    assert not notes, notes
    tools = {tool.name: tool for tool in made}
    return data["suite"], tuple(_case(row, tools) for row in data["cases"])


def _case(row: Mapping[str, Any], tools: Mapping[str, Tool]) -> Case:
    on_offer, expected = tuple(tools[name] for name in row["tools"]), tuple(row["expected"])
    return Case(row["id"], row["category"], row["request"], on_offer, "calls" if expected else "none", expected)


# --- arms ----------------------------------------------------------------------------------------


def arms(model: Model, names: Sequence[str] = ()) -> tuple[dict[str, Way], dict[str, str]]:
    """`(open, closed)`: the ways that the model can be tried in, and why it cannot in the others; of those named,
    or of all. Raises InputInvalid for an unknown name, and where none of those named is open."""
    for name in names:
        if name not in WAYS:
            raise InputInvalid(f"there is no arm {name!r}", hint=f"There are {', '.join(WAYS)}.", arm=name)
    speech = speech_of(model)
    open_, closed = {}, {}
    for name, way in WAYS.items():
        if names and name not in names:
            continue
        way = _spoken(way, speech)
        reason = _closed(way, speech)
        if reason:
            closed[name] = reason
        else:
            open_[name] = way
    if not open_:
        raise InputInvalid(f"there is nothing to try: {'; '.join(f'{n}: {r}' for n, r in closed.items())}")
    return open_, closed


def spoken_in(way: Way, model: Model) -> Way:
    """The way in the model's own notation, where it names none."""
    return _spoken(way, speech_of(model))


def _spoken(way: Way, speech: Speech) -> Way:
    return replace(way, notation=speech.notation) if way.by == "native" and not way.notation else way


def _closed(way: Way, speech: Speech) -> str:
    if way.by == "native" and not way.notation:
        return "its chat template has no tools, or calls in a notation that is not known"
    return why_not(way, speech)


# --- trying --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tried:
    """One case in one arm; `stopped` says why it was the last of that arm, "" if there may be more."""

    arm: str
    way: Way
    outcome: Outcome
    stopped: str = ""


def probe(model: Model, cases: Sequence[Case], ways: Mapping[str, Way]) -> Iterator[Tried]:
    """Every case in every arm, one by one as they come about; an arm that is clearly worse than the best so far is
    given up. If a native way has won, it is tried with fewer and with more tools as well."""
    done: list[Tried] = []
    for name, way in ways.items():
        yield from _arm(model, cases, name, way, done)
    best, _ = chosen(done)
    if best.by == "native":
        for count in _OTHER_TOOLS:
            yield from _arm(model, cases, f"{_name(best, done)}, {count} tools", replace(best, tools=count), done)


def most(cases: Sequence[Case], ways: Mapping[str, Way]) -> int:
    """How many come of `probe` at most."""
    native = any(way.by == "native" for way in ways.values())
    return len(cases) * (len(ways) + (len(_OTHER_TOOLS) if native else 0))


def _arm(model: Model, cases: Sequence[Case], name: str, way: Way, done: list[Tried]) -> Iterator[Tried]:
    def arm(model: Model, tools: Sequence[Tool], request: str) -> Made:
        made = caller_for(model, tools, way).call(request)
        return Made(made.calls, made.usage)

    bar = max((score.low for score in scores(done)), default=0.0)
    right = 0
    for number, case in enumerate(cases, 1):
        outcome = run(model, case, arm)
        right += outcome.right
        hopeless = number >= _PATIENCE and number < len(cases) and wilson(right, number)[1] < bar
        tried = Tried(name, way, outcome, f"clearly worse after {number} of {len(cases)}" if hopeless else "")
        done.append(tried)
        yield tried
        if hopeless:
            return


# --- what is found -------------------------------------------------------------------------------


def scores(tried: Sequence[Tried]) -> tuple[Score, ...]:
    """One for each arm, in the order in which they were tried."""
    return tuple(_score(name, [t for t in tried if t.arm == name]) for name in dict.fromkeys(t.arm for t in tried))


def _score(name: str, tried: Sequence[Tried]) -> Score:
    numbers = totals([one.outcome for one in tried])
    low, high = numbers["interval"]
    seconds = round(numbers["median_seconds"], 4)
    return Score(name, numbers["right"], numbers["of"], low, high, seconds, numbers["errors"], tried[-1].stopped)


def chosen(tried: Sequence[Tried]) -> tuple[Way, str]:
    """`(way, arm)`: the one with the most right; and of those in whose 95 % interval that share lies, which may be as
    good, the quickest. Guided where nothing was tried."""
    found = [score for score in scores(tried) if not score.stopped and score.of]
    if not found:
        return Way(), "guided"
    share = max(score.right / score.of for score in found)
    best = min((score for score in found if score.low <= share <= score.high), key=lambda score: score.seconds)
    return next(one.way for one in tried if one.arm == best.arm), best.arm


def _name(way: Way, tried: Sequence[Tried]) -> str:
    return next(one.arm for one in tried if one.way == way)


def kinds(tried: Sequence[Tried]) -> dict[str, dict[str, str]]:
    """arm -> kind of case -> `right/of`."""
    right: Counter[tuple[str, str]] = Counter()
    of: Counter[tuple[str, str]] = Counter()
    for one in tried:
        key = (one.arm, one.outcome.case.category)
        right[key] += one.outcome.right
        of[key] += 1
    names = dict.fromkeys(arm for arm, _ in of)
    return {
        name: {kind: f"{right[name, kind]}/{of[name, kind]}" for arm, kind in of if arm == name} for name in names
    }


def why_unstored(tried: Sequence[Tried], cases: int) -> str:
    """Why these results are no ground for a profile; "" if they are."""
    if "guided" not in {one.arm for one in tried}:
        return "the arm `guided` was not tried, against which the others are held"
    return f"{cases} cases are too few to decide by: at least {LEAST} are needed" if cases < LEAST else ""


def profile(tried: Sequence[Tried], *, date: str, engine: str, model: str) -> Profile:
    way, arm = chosen(tried)
    return Profile(way, arm, scores(tried), suite()[0], date, engine, model)

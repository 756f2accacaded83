"""Does this model understand these tools? Asks for each in made-up words, and says what to change.

Three things are looked at: which tool a request led to, what became of each argument that it named, and
the descriptions by themselves (empty ones, and pairs that say the same).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from linnet.calling.guided import Guide
from linnet.calling.way import own_trust
from linnet.evals.harness import Case, Made, Outcome, run, totals
from linnet.evals.judge import fits
from linnet.evals.probes import Probe, probes
from linnet.requests import Model
from linnet.schema import shown
from linnet.tools import Tool

NONE, SEVERAL, ERROR = "(none)", "(several)", "(error)"
"""Where a request led that did not lead to one tool."""

ALIKE = 0.6
"""Shared part of the words of two descriptions (Jaccard) over which they are told as too alike."""

_OFTEN = 0.25
"""Share of a tool's requests over which a fault is worth advice."""


@dataclass(frozen=True)
class Tried:
    """A probe, and what came of it."""

    probe: Probe
    outcome: Outcome

    @property
    def wanted(self) -> str:
        return self.probe.tool.name if self.probe.tool else NONE

    @property
    def called(self) -> str:
        names = [call["name"] for call in self.outcome.calls]
        return ERROR if self.outcome.error else names[0] if len(names) == 1 else SEVERAL if names else NONE

    @property
    def right(self) -> bool:
        """One call of the right tool, with all arguments that are known right; or none where none is wanted."""
        return self.called == self.wanted and not self.outcome.fault

    def describe(self) -> dict[str, Any]:
        return {
            "text": self.probe.request,
            "form": self.probe.form,
            "tool": self.probe.tool.name if self.probe.tool else None,
            "arguments": self.probe.arguments,
            **{key: value for key, value in self.outcome.describe().items() if key in _KEPT},
            "right": self.right,
        }


_KEPT = ("calls", "fault", "seconds", "error")


def check(
    model: Model,
    tools: Sequence[Tool],
    asked: Sequence[Tool] | None = None,
    *,
    per_tool: int = 8,
    seed: int = 0,
    margin: float | None = None,
) -> Iterator[Tried]:
    """Probes of the `asked` tools (all when None), with all `tools` on offer, one by one as they come about."""
    guide = Guide(model, tools, margin=margin, trust=own_trust(model))

    def arm(model: Model, tools: Sequence[Tool], request: str) -> Made:
        done = guide.call(request)
        return Made(done.calls, done.usage)

    for number, probe in enumerate(made := probes(tools if asked is None else asked, per_tool, seed)):
        case = _case(probe, f"{number + 1} of {len(made)}", tools)
        yield Tried(probe, run(model, case, arm))


def _case(probe: Probe, name: str, tools: Sequence[Tool]) -> Case:
    """As a case with expected calls; one whose arguments nobody knows is judged by its name, in `Tried`."""
    if probe.tool is None:
        return Case(name, NONE, probe.request, tuple(tools), "none")
    if probe.arguments is None:
        return Case(name, probe.tool.name, probe.request, tuple(tools), "some")
    expected = ({"name": probe.tool.name, "arguments": _allowed(probe.tool, probe.arguments)},)
    return Case(name, probe.tool.name, probe.request, tuple(tools), "calls", expected)


def _allowed(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What the request names; anything it does not name may be left out, or be its own default."""
    defaults = {n: ["", s["default"]] for n, s in tool.parameters["properties"].items() if "default" in s}
    return {**defaults, **{name: [value] for name, value in arguments.items()}}


# --- what is found -------------------------------------------------------------------------------


def report(tools: Sequence[Tool], tried: Sequence[Tried]) -> dict[str, Any]:
    """All that is found, as JSON values: `share` of right requests with its interval, `matrix` (wanted ->
    called -> how often), `parameters` and `advice`. `tools` are those that were asked for."""
    numbers = totals([one.outcome for one in tried])
    right = sum(one.right for one in tried)
    parameters = [told for tool in tools for told in _parameters(tool, tried)]
    found = {
        "right": right,
        "of": len(tried),
        "share": right / len(tried) if tried else 0.0,
        "matrix": matrix(tried),
        "parameters": parameters,
        "alike": [{"tools": [a.name, b.name], "shared": round(shared, 2)} for a, b, shared in alike(tools)],
        "median_seconds": numbers["median_seconds"],
    }
    return {**found, "advice": [*_of_descriptions(tools), *_of_choices(tried), *_of_parameters(parameters)]}


def matrix(tried: Sequence[Tried]) -> dict[str, dict[str, int]]:
    rows: dict[str, Counter[str]] = {}
    for one in tried:
        rows.setdefault(one.wanted, Counter())[one.called] += 1
    return {wanted: dict(row.most_common()) for wanted, row in rows.items()}


def _parameters(tool: Tool, tried: Sequence[Tried]) -> Iterator[dict[str, Any]]:
    """Of requests that named it and led to its tool: how often a parameter was filled, and rightly."""
    mine = [one for one in tried if one.probe.tool is tool and one.called == tool.name]
    for name, schema in tool.parameters["properties"].items():
        given = [
            (one.outcome.calls[0]["arguments"].get(name), one.probe.arguments[name])
            for one in mine
            if one.probe.arguments and name in one.probe.arguments
        ]
        filled = [(value, wanted) for value, wanted in given if value is not None]
        wrong = [(value, wanted) for value, wanted in filled if not fits(value, [wanted], schema)]
        example = {"got": wrong[0][0], "wanted": wrong[0][1]} if wrong else None
        counts = {"named": len(given), "filled": len(filled), "right": len(filled) - len(wrong)}
        yield {"tool": tool.name, "parameter": name, **counts, "example": example}


def alike(tools: Sequence[Tool]) -> list[tuple[Tool, Tool, float]]:
    """Pairs of tools whose descriptions share most of their words, the closest first."""
    words = {tool.name: set(re.findall(r"\w+", tool.description.lower())) for tool in tools}
    pairs = [(a, b, _jaccard(words[a.name], words[b.name])) for a, b in combinations(tools, 2)]
    return sorted((pair for pair in pairs if pair[2] >= ALIKE), key=lambda pair: -pair[2])


def _jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0


# --- advice --------------------------------------------------------------------------------------


def _of_descriptions(tools: Sequence[Tool]) -> Iterator[str]:
    for tool in tools:
        said = re.findall(r"\w+", tool.description.lower())
        if len(said) < 3 or "".join(said) == "".join(re.findall(r"[a-z0-9]+", tool.name.lower())):
            yield f"{tool.name}: its description says nothing beyond its name. Say in a sentence what it does."
        bare = [n for n, s in tool.parameters["properties"].items() if not s.get("description")]
        if bare:
            yield f"{tool.name}: {_listed(bare)} {'has' if len(bare) == 1 else 'have'} no description."
    for a, b, shared in alike(tools):
        yield (
            f"{a.name} and {b.name} have nearly the same description ({shared:.0%} of the words). "
            "Say in each what the other does not do."
        )


def _of_choices(tried: Sequence[Tried]) -> Iterator[str]:
    for wanted, row in matrix(tried).items():
        of = sum(row.values())
        for called, times in row.items():
            if called != wanted and times > _OFTEN * of:
                yield _mistaken(wanted, called, f"{times} of {of} requests")


def _mistaken(wanted: str, called: str, how_often: str) -> str:
    if wanted == NONE:
        return f"{called} was called for {how_often} that want no tool. Narrow its description."
    match called:
        case _ if called == NONE:
            return f"{wanted}: {how_often} for it led to no call. Use in its description the words that people use."
        case _ if called == ERROR:
            return f"{wanted}: {how_often} for it ended with an error; --json shows it."
        case _ if called == SEVERAL:
            return f"{wanted}: {how_often} for it led to several calls. Say in its description what one call does."
    return f"{wanted}: {how_often} for it led to {called}. Say in both descriptions how they differ."


def _of_parameters(parameters: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for told in parameters:
        name, named, filled = f"{told['tool']}.{told['parameter']}", told["named"], told["filled"]
        wrong = filled - told["right"]
        if named and not filled:
            yield f"{name} was never filled, though {named} requests named it. Describe it in words people use."
        elif wrong > _OFTEN * named:
            example = told["example"]
            such = f"{shown(example['got'])} for {shown(example['wanted'])}"
            yield f"{name} was filled wrongly {wrong} of {named} times, such as {such}. Say what belongs there."


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)

"""Cases with their right calls -> what the fits learn from.

Four questions are asked of a case: which candidates are the right arguments, how many calls a text asks for,
which of the tools on offer are meant, and how well a tool suits the request. What is right is judged as
`judge` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from linnet.calling.choose import CANDIDATES
from linnet.calling.evidence.parameters import Parameter, parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking import counting, relevance, several
from linnet.calling.ranking.candidates import OMITTED, Candidate, candidates
from linnet.calling.ranking.features import Features, Scene
from linnet.calling.ranking.portions import Portions
from linnet.calling.ranking.ranker import Weights
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.ranking.split import Taken
from linnet.calling.retrieve import Retriever
from linnet.evals.fitting.logit import Decision, Row
from linnet.evals.harness import Case
from linnet.evals.judge import fits
from linnet.tools import Tool

SEVERAL = 4.0
"""What a text that asks for several calls counts in the fit of their number: there are few such cases."""

Numbered = Iterable[tuple[int, Case]]
"""Cases with their numbers."""

Arguments = Mapping[str, Sequence[Any]]
"""An expected call's arguments: the values that are right, an empty string for leaving one out."""


# --- arguments -----------------------------------------------------------------------------------


def arguments(cases: Numbered) -> Iterator[Decision]:
    """For each parameter of each expected call: which of its candidates in the whole request are right."""
    for number, case in cases:
        reading = Reading(case.request)
        for tool, expected, others in calls(case):
            own = parameters(tool)
            scene = Scene(tool, own, reading)
            for parameter in own:
                found, right = considered(parameter, candidates(parameter, reading), expected, others)
                yield Decision(number, [scene.features(parameter, candidate) for candidate in found], right)


def calls(case: Case) -> Iterator[tuple[Tool, Arguments, list[Arguments]]]:
    """The expected calls whose tools are on offer: the tool, its arguments, and those of its other calls."""
    tools = {tool.name: tool for tool in case.tools}
    for call in case.expected:
        if call["name"] in tools:
            others = [c["arguments"] for c in case.expected if c["name"] == call["name"] and c is not call]
            yield tools[call["name"]], call["arguments"], others


def considered(
    parameter: Parameter, found: Sequence[Candidate], expected: Arguments, others: Sequence[Arguments]
) -> tuple[list[Candidate], list[bool]]:
    """The candidates of one call's parameter, and which are right. What is right for another call of the
    tool and not for this one is left out: nothing in the features tells the calls apart."""
    rights = [is_right(parameter, candidate, expected) for candidate in found]
    kept = [
        (candidate, right)
        for candidate, right in zip(found, rights, strict=True)
        if right or not any(is_right(parameter, candidate, other) for other in others)
    ]
    return [candidate for candidate, _ in kept], [right for _, right in kept]


def is_right(parameter: Parameter, candidate: Candidate, expected: Arguments) -> bool:
    values = allowed(expected, parameter.path)
    return "" in values if candidate.value is OMITTED else fits(candidate.value, values, parameter.schema)


def allowed(expected: Arguments, path: Sequence[str]) -> Sequence[Any]:
    """The right values at a place, inside nested objects too; `[""]` where nothing may stand."""
    values = expected.get(path[0], [""])
    for part in path[1:]:
        inside = next((value for value in values if isinstance(value, Mapping)), {})
        value = inside.get(part, "")
        values = value if isinstance(value, list) else [value]
    return values


# --- how many calls ------------------------------------------------------------------------------


def counts(cases: Numbered, weights: Weights) -> Iterator[Decision]:
    """For each expected tool and its portion of the request: which hypotheses make the expected calls, or as
    many of them where none makes all of them right."""
    for number, case in cases:
        for tool, text in _portions(case):
            expected = [call["arguments"] for call in case.expected if call["name"] == tool.name]
            sheet = Sheet(tool, parameters(tool), Reading(text), weights, Reading(case.request))
            hypotheses = several.splits(sheet)
            right = [makes(split.calls, sheet.parameters, expected) for split in hypotheses]
            if not any(right):
                right = [len(split.calls) == len(expected) for split in hypotheses]
            options = [counting.features(sheet, split) for split in hypotheses]
            yield Decision(number, options, right, SEVERAL if len(expected) > 1 else 1.0)


def makes(calls: Sequence[Taken], own: Sequence[Parameter], expected: Sequence[Arguments]) -> bool:
    """Whether each call is one of those expected, each once."""
    open_ = list(expected)
    for call in calls:
        meant = next((e for e in open_ if all(_takes_right(call, p, e) for p in own)), None)
        if meant is None:
            return False
        open_.remove(meant)
    return not open_


def _takes_right(call: Taken, parameter: Parameter, expected: Arguments) -> bool:
    """A parameter without any candidate is the model's to write: it tells nothing about the hypothesis."""
    return parameter not in call or is_right(parameter, call[parameter], expected)


def _portions(case: Case) -> Iterator[tuple[Tool, str]]:
    """Each expected tool that is on offer with its portion of the request."""
    wanted = {call["name"] for call in case.expected}
    among = [number for number, tool in enumerate(case.tools) if tool.name in wanted]
    if len(among) < 2:
        texts = dict.fromkeys(among, case.request)
    else:
        texts = Portions(case.tools, Reading(case.request)).deal(among)
    for number, text in texts.items():
        yield case.tools[number], text


# --- which tools ---------------------------------------------------------------------------------


def tools(cases: Numbered) -> Iterator[Row]:
    """For each tool that is looked at, where there are several: whether it is meant."""
    for number, case in cases:
        if len(case.tools) > 1 and case.expected:
            wanted = {call["name"] for call in case.expected}
            found = looked_at(case.tools, case.request)
            for tool, features in zip(found, Portions(found, Reading(case.request)).features(), strict=True):
                yield Row(number, features, tool.name in wanted)


def looked_at(offered: Sequence[Tool], request: str) -> list[Tool]:
    """The tools among which `choose` finds those that are meant."""
    return Retriever(offered).candidates(request, 2 * CANDIDATES)


# --- whether a tool suits ------------------------------------------------------------------------


def suits(case: Case, weights: Weights) -> dict[str, Features]:
    """For each tool that is judged, by name, what the request says by itself for its suiting."""
    portions = Portions(looked_at(case.tools, case.request), Reading(case.request))
    found = relevance.suits(portions, CANDIDATES, len(case.tools), weights)
    return {tool.name: features for tool, features in zip(portions.tools, found, strict=False)}

"""What the model says of the cases: how well each tool goes with a request, and which candidate with a parameter.

It is asked by the functions that ask it in use, so that the weights fit what they will weigh. What is too long
for the model is passed over: there is nothing to learn from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from linnet.calling import fill
from linnet.calling.choose import CANDIDATES, gains_of
from linnet.calling.evidence.parameters import parameters
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.assign import TOP
from linnet.calling.ranking.ranker import EVIDENCE, Weights
from linnet.calling.ranking.sheet import Sheet
from linnet.errors import RequestError
from linnet.evals.fitting.decisions import Arguments, Numbered, calls, is_right, looked_at
from linnet.evals.fitting.logit import Decision
from linnet.evals.harness import Case
from linnet.requests import Model

SAYS = ("own", "model", "absent")
"""Features of a candidate that a `Belief` weighs, in its order."""

TRUSTED = ("string", "number", "array")
"""Types of parameters about which the model is asked. On options and booleans it added nothing to evidence."""


def gains(model: Model, case: Case) -> dict[str, float]:
    """How much likelier each tool that is judged makes the request, in nats, by the tool's name."""
    found = looked_at(case.tools, case.request)[:CANDIDATES]
    try:
        told, _ = gains_of(model, found, case.request)
    except RequestError:
        return {}
    return {tool.name: gain for tool, gain in zip(found, told, strict=True)}


@dataclass(frozen=True)
class Judged:
    """A decision about a parameter of this type. Its options have the features `own`, what evidence says in
    nats, and `model` and `absent`, what the model says (`fill.Judgement`)."""

    type: str
    decision: Decision


def judged(model: Model, cases: Numbered, weights: Weights, types: Sequence[str] = TRUSTED) -> Iterator[Judged]:
    """The parameters of these types that evidence leaves in doubt, in cases that expect one call.

    `weights` must not have been fitted on these cases: then they are as sure here as they are in use.
    """
    asked = replace(weights, model=dict.fromkeys(types, EVIDENCE))
    for number, case in cases:
        if len(case.expected) == 1:
            for tool, expected, _ in calls(case):
                sheet = Sheet(tool, parameters(tool), Reading(case.request), asked)
                yield from _of_call(model, number, sheet, expected)


def _of_call(model: Model, number: int, sheet: Sheet, expected: Arguments) -> Iterator[Judged]:
    doubtful = {p: way for p, way in sheet.ways.items() if fill._doubtful(p, way, sheet.weights)}
    writer = fill._Writer(model, sheet.tool, sheet.reading.text)
    try:
        told = writer.judge(doubtful) if doubtful else {}
    except RequestError:
        return
    for parameter, says in told.items():
        top = doubtful[parameter][:TOP]
        options = [{"own": own, **said._asdict()} for (_, own), said in zip(top, says, strict=False)]
        right = [is_right(parameter, candidate, expected) for candidate, _ in top]
        yield Judged(parameter.type, Decision(number, options, right))

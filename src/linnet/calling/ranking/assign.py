"""One value for each parameter, all together: what the request says once is not given away twice.

A beam search over the parameters' best candidates. Sharing words costs `SHARED` nats a pair, so that a piece
of evidence goes to the parameter that it fits best, and the next best takes its second choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.ranking.candidates import Candidate

SHARED = 4.0
IN_ORDER, SIBLINGS = 0.25, 1.0
"""Nats for two values that stand in the order of their parameters: of any two, and of one of a pair."""
BEAM, TOP = 24, 12
"""Assignments that are kept at each step, and candidates of a parameter that are tried."""

_PART = re.compile(r"[_\W]|(?<=[a-z])(?=[A-Z0-9])")


@dataclass(frozen=True)
class Assignment:
    """A candidate for each parameter, and the nats that speak for all of them together."""

    chosen: tuple[Candidate, ...]
    score: float


Ranked = Sequence[tuple[Candidate, float]]
"""Candidates with their log-probabilities, best first."""


def assign(ranked: Mapping[Parameter, Ranked]) -> Assignment | None:
    """The likeliest assignment; None when some parameter has no candidate at all."""
    if not all(ranked.values()):
        return None
    types = {parameter.index: parameter for parameter in ranked}
    order = sorted(ranked, key=lambda parameter: -ranked[parameter][0][1])
    beam: list[tuple[float, dict[int, Candidate]]] = [(0.0, {})]
    for parameter in order:
        wider = [
            (
                score + own - _shared(candidate, taken.values()) + _order(candidate, parameter, taken, types),
                {**taken, parameter.index: candidate},
            )
            for score, taken in beam
            for candidate, own in ranked[parameter][:TOP]
        ]
        beam = sorted(wider, key=lambda pair: -pair[0])[:BEAM]
    score, taken = beam[0]
    return Assignment(tuple(taken[parameter.index] for parameter in ranked), score)


def _order(
    candidate: Candidate, parameter: Parameter, taken: Mapping[int, Candidate], types: Mapping[int, Parameter]
) -> float:
    """Nats for standing in the same order as the parameters do in the schema, against each one of the same type."""
    if not candidate.covers:
        return 0.0
    total = 0.0
    for index, other in taken.items():
        peer = types[index]
        if peer.type != parameter.type or not other.covers or other.first == candidate.first:
            continue
        weight = SIBLINGS if siblings(parameter, peer) else IN_ORDER
        total += weight if (index < parameter.index) == (other.first < candidate.first) else -weight
    return total


def siblings(one: Parameter, other: Parameter) -> bool:
    """Whether two parameters are one of a pair: `mass1` and `mass2`, `x` and `y`, the same but for one word."""
    a, b = one.path[-1], other.path[-1]
    if len(a) == len(b) == 1:
        return True
    left, right = _PART.split(a), _PART.split(b)
    return len(left) == len(right) > 1 and sum(x != y for x, y in zip(left, right, strict=True)) == 1


def _shared(candidate: Candidate, taken: Iterable[Candidate]) -> float:
    """Nats against taking words that were taken already; only an option's name may stand inside a text."""
    option = candidate.source == "named"
    return SHARED * sum((other.source == "named") == option and candidate.meets(other) for other in taken)

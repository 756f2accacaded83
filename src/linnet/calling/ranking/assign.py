"""One value for each parameter, all together: what the request says once is not given away twice.

A beam search over the parameters' best candidates. Sharing words costs `SHARED` nats a pair, so that a piece
of evidence goes to the parameter that it fits best, and the next best takes its second choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import nlargest

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.ranking.candidate import AWAY, Candidate

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

_Taken = dict[Parameter, Candidate]


def assign(ranked: Mapping[Parameter, Ranked]) -> Assignment | None:
    """The likeliest assignment; None when some parameter has no candidate at all."""
    if not all(ranked.values()):
        return None
    order = sorted(ranked, key=lambda parameter: -ranked[parameter][0][1])
    beam: list[tuple[float, _Taken]] = [(0.0, {})]
    for number, parameter in enumerate(order):
        weights = {peer: _weight(parameter, peer) for peer in order[:number]}
        wider = []
        for score, taken in beam:
            others = [(c, weights[peer]) for peer, c in taken.items() if c.first >= 0]
            for candidate, own in ranked[parameter][:TOP]:
                wider.append((score + own + _among(candidate, others), taken, candidate))
        best = nlargest(BEAM, wider, key=lambda found: found[0])
        beam = [(score, {**taken, parameter: candidate}) for score, taken, candidate in best]
    score, taken = beam[0]
    return Assignment(tuple(taken[parameter] for parameter in ranked), score)


def _weight(parameter: Parameter, peer: Parameter) -> float:
    """Nats for standing behind a value of a peer of the same type, as this parameter does in the schema; less
    than 0 where it stands before it there."""
    if peer.type != parameter.type:
        return 0.0
    weight = SIBLINGS if siblings(parameter, peer) else IN_ORDER
    return weight if peer.index < parameter.index else -weight


def _among(candidate: Candidate, others: Sequence[tuple[Candidate, float]]) -> float:
    """Nats for a candidate beside those that were taken, each with the weight of standing behind it. Words that
    were taken already count against it; only an option's name may stand inside a text."""
    first, last, option = candidate.first, candidate.last, candidate.source == "named"
    if first < 0:
        return 0.0
    nats = 0.0
    for other, weight in others:
        begin = other.first
        if begin <= last and first <= other.last and (other.source == "named") == option:
            nats -= SHARED
        if weight and begin != first and begin < AWAY and first < AWAY:
            nats += weight if begin < first else -weight
    return nats


def siblings(one: Parameter, other: Parameter) -> bool:
    """Whether two parameters are one of a pair: `mass1` and `mass2`, `x` and `y`, the same but for one word."""
    a, b = one.path[-1], other.path[-1]
    if len(a) == len(b) == 1:
        return True
    left, right = _parts(a), _parts(b)
    return len(left) == len(right) > 1 and sum(x != y for x, y in zip(left, right, strict=True)) == 1


@lru_cache(maxsize=1024)
def _parts(name: str) -> tuple[str, ...]:
    return tuple(_PART.split(name))

"""A hypothesis on how many calls of one tool a text asks for, and what each of them takes from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.assign import Ranked, assign
from linnet.calling.ranking.candidate import OMITTED, Candidate

Taken = dict[Parameter, Candidate]

ELSEWHERE = 2.5
"""Nats against taking a value from another call's words."""
CONSIDERED = 14
"""Candidates of a parameter that are tried in a hypothesis."""


NOTHING = Candidate(OMITTED, "omitted")

_FOR_ALL = frozenset(("all", "both", "each", "every", "everything", "same"))
_FOR_ALL_WORDS = 6
"""Words before a value among which one of the above says that it goes for all calls."""


@dataclass(frozen=True)
class Split:
    """What each of its calls takes, and the nats it loses against each argument's best value.

    `stretches` are word numbers `(begin, end)` when the calls stand one after the other; otherwise `listed` are
    the arguments that have a value of their own in each call, or in every few where `product` says that two
    lists meet each with each. `apart` are the nats by which values of one argument look unlike each other, and
    `worst` the greatest cost of one. `common` are optional arguments that have a row's value in all calls, and `told`
    those that some of the calls tell anew.
    """

    calls: tuple[Taken, ...]
    score: float
    stretches: tuple[tuple[int, int], ...] = ()
    listed: tuple[Parameter, ...] = ()
    product: bool = False
    apart: float = 0.0
    worst: float = 0.0
    common: tuple[Parameter, ...] = ()
    told: tuple[Parameter, ...] = ()


def assigned(ways: Mapping[Parameter, Ranked]) -> tuple[Taken, float]:
    """The best assignment among those parameters that have candidates, and its nats."""
    offered = {parameter: way for parameter, way in ways.items() if way}
    best = assign(offered)
    return (dict(zip(offered, best.chosen, strict=True)), best.score) if best else ({}, 0.0)


def considered(
    costs: Sequence[tuple[Candidate, float]], most: float, price: Callable[[Candidate], float | None]
) -> Ranked:
    """The candidates that are best when each pays a price of 0 to `most` nats, or is out if it has none.

    `costs` come best first, so that what is behind those that are good enough need not be looked at.
    """
    found: list[tuple[Candidate, float]] = []
    enough = math.inf
    for candidate, cost in costs:
        if cost > enough:
            break
        own = price(candidate)
        if own is not None:
            found.append((candidate, -cost - own))
            if len(found) == CONSIDERED:
                enough = cost + most
    return sorted(found, key=lambda pair: -pair[1])[:CONSIDERED]


def for_all(reading: Reading, candidate: Candidate) -> bool:
    """Whether the words before a value say that it goes for all calls: `all measured in metres`."""
    before = reading.words[max(0, candidate.first - _FOR_ALL_WORDS) : max(0, candidate.first)]
    return any(word.lower in _FOR_ALL for word in before)


def said(reading: Reading, begin: int, end: int) -> str:
    """The text of words `begin` up to `end`, with what stands behind the last."""
    words = reading.words
    start = words[begin].start if begin else 0
    return reading.text[start : words[end].start if end < len(words) else len(reading.text)].strip()

"""How far evidence must be from the margin for the model's judgement to make no difference.

Cases are judged both ways, and the nearest numbers are taken under which what evidence settles is what the model
would have decided, but for a few of all cases.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from linnet.calling.choose import MARGIN
from linnet.calling.ranking.features import Features
from linnet.calling.ranking.ranker import Doubt, weigh

DIFFERENT = 0.005
"""Of all cases, those that may be decided differently on each side of the margin."""

_AHEAD = tuple(step / 4 for step in range(17))

Odds = tuple[tuple[float, str], ...]
"""Log-odds of the tools, best first, with their names."""


@dataclass(frozen=True)
class Both:
    """One case as evidence has it, and as the model has it."""

    evidence: Odds
    model: Odds

    @property
    def ahead(self) -> float:
        return self.evidence[0][0] - self.evidence[1][0] if len(self.evidence) > 1 else math.inf


def odds(tools: Mapping[str, Features], weights: Mapping[str, float]) -> Odds:
    return tuple(sorted(((weigh(features, weights), name) for name, features in tools.items()), reverse=True))


def doubt(cases: Sequence[Both]) -> Doubt:
    """The band in which most is settled with few cases decided differently; numbers to two digits."""
    few = DIFFERENT * len(cases)
    below = _reach(((MARGIN - case.evidence[0][0], _called(case) != "") for case in cases), few)
    found = []
    for ahead in _AHEAD:
        clear = [
            (case.evidence[0][0] - MARGIN, _called(case) != case.evidence[0][1])
            for case in cases
            if case.ahead >= ahead
        ]
        above = _reach(clear, few)
        found.append((sum(far > above for far, _ in clear), -ahead, above))
    _, behind, above = max(found)
    return Doubt(below, above, -behind)


def _called(case: Both) -> str:
    best, name = case.model[0]
    return name if best > MARGIN else ""


def _reach(cases: Iterable[tuple[float, bool]], few: float) -> float:
    """The least distance from the margin, at least 0, beyond which no more than a few cases differ."""
    far = sorted(cases, reverse=True)
    wrong = list(accumulate((differs for _, differs in far), initial=0))
    most = max(number for number, count in enumerate(wrong) if count <= few)
    return max(0.0, math.ceil(100 * far[most][0]) / 100 if most < len(far) else 0.0)

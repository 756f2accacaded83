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
from linnet.calling.ranking.ranker import Doubt
from linnet.calling.ranking.relevance import Suit

DIFFERENT = 0.005
"""Of all cases, those that may be decided differently on each side of the margin."""

_AHEAD = tuple(step / 4 for step in range(17))


@dataclass(frozen=True)
class Both:
    """One case: how far evidence is above the margin with the tool that it picks, and how far that one is ahead of
    the second; whether the model, if it is asked, calls a tool, and whether it is the same one."""

    above: float
    ahead: float
    called: bool
    same: bool

    @classmethod
    def of(cls, evidence: Mapping[str, Suit], told: Mapping[str, Suit]) -> Both:
        """From the tools by name, as evidence judges them and as they are judged with the model."""
        mine, its = (sorted(suits, key=lambda name: -suits[name].fit) for suits in (evidence, told))
        ahead = evidence[mine[0]].fit - evidence[mine[1]].fit if len(mine) > 1 else math.inf
        return cls(evidence[mine[0]].odds - MARGIN, ahead, told[its[0]].odds > MARGIN, mine[0] == its[0])


def doubt(cases: Sequence[Both]) -> Doubt:
    """The band in which most is settled with few cases decided differently; numbers to two digits."""
    few = DIFFERENT * len(cases)
    below = _reach(((-case.above, case.called) for case in cases), few)
    found = []
    for ahead in _AHEAD:
        clear = [case for case in cases if case.ahead >= ahead]
        above = _reach(((case.above, not (case.called and case.same)) for case in clear), few)
        found.append((sum(case.above > above for case in clear), -ahead, above))
    _, behind, above = max(found)
    return Doubt(below, above, abs(behind))


def _reach(cases: Iterable[tuple[float, bool]], few: float) -> float:
    """The least distance from the margin, at least 0, beyond which no more than a few cases differ."""
    far = sorted(cases, reverse=True)
    wrong = list(accumulate((differs for _, differs in far), initial=0))
    most = max(number for number, count in enumerate(wrong) if count <= few)
    return max(0.0, math.ceil(100 * far[most][0]) / 100 if most < len(far) else 0.0)

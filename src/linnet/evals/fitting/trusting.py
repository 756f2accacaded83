"""What a model deserves to be believed beside evidence: found on requests, held against what ships, told in numbers.

Everything is pulled towards the weights that ship, so that few requests change little. Asking more than they do has
to pay: each request or argument that is asked about in addition costs a part of one that comes out right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product

import numpy as np

from linnet.calling.ranking.ranker import EVIDENCE, SURE, Belief, Doubt, Weights
from linnet.calling.trust import Trust
from linnet.errors import LinnetError
from linnet.evals.fitting.asking import SAYS, Judged
from linnet.evals.fitting.fit import parts
from linnet.evals.fitting.heard import Heard, hear, is_right, sureness
from linnet.evals.fitting.logit import Choices, Decision, binary
from linnet.evals.fitting.wide import FURTHER, TYPES
from linnet.evals.fitting.wide import SURE as WIDEST
from linnet.evals.harness import Case
from linnet.requests import Model

Told = Callable[[str, float], None]
"""What is being done, and the share of it that is done."""

BELIEF_RIDGE, RELEVANCE_RIDGE = 4.0, 2e-2
"""How hard numbers are pulled to those that ship."""

FEWEST = 8
"""Decisions under which what ships is kept."""

ASKING = 0.02
"""Of a right decision, what asking once more may cost: fifty askings are worth one."""

TOOL = "tool"
EVERYTHING = frozenset((TOOL, *TYPES))
"""What a model decides about: which tool, if any, and parameters by their type."""

FOLDS = 5
"""Parts in which a trust is held against what ships: found on the others each time."""

BETTER = 3
"""Decisions by which sections must be better, held out: fewer are luck."""

_REACHES = (1.0, 1.25, 1.5, FURTHER)
_SURE = (0.9, 0.95, WIDEST)


def learned(model: Model, cases: Sequence[Case], weights: Weights, told: Told) -> Trust | None:
    """Asks the model about each case, none of which these weights were fitted on; see `trust`. One that fails is left
    out."""
    heard = []
    for number, case in enumerate(cases):
        told("finding out what to believe of it", number / len(cases))
        with suppress(LinnetError):
            heard.append(hear(model, number, case, weights))
    return trust([each for each in heard if each is not None], weights)


def trust(heard: Sequence[Heard], before: Weights) -> Trust | None:
    """Of the sections found on all of these those that are better, held out, than those of `before`; None where none
    is. Raises ValueError for weights by which everything is asked."""
    tallies = _held_out(heard, before)
    better = frozenset(about for about, (right, shipped, _) in tallies.items() if right >= shipped + BETTER)
    if not better:
        return None
    return replace(
        Trust.of(found(heard, before, better)),
        requests=len(heard),
        decisions=sum(of for _, _, of in tallies.values()),
        right=sum(right if about in better else shipped for about, (right, shipped, _) in tallies.items()),
        shipped=sum(shipped for _, shipped, _ in tallies.values()),
    )


def _held_out(heard: Sequence[Heard], before: Weights) -> dict[str, tuple[int, int, int]]:
    """By what is decided: how many decisions come out right with sections found on the other requests, how many with
    those of `before`, and of how many."""
    cuts = parts(max((each.number for each in heard), default=0) + 1, FOLDS)
    tallies = {about: (0, 0, 0) for about in EVERYTHING}
    for own in range(FOLDS):
        held = [each for each in heard if cuts[each.number] == own]
        weights = found([each for each in heard if cuts[each.number] != own], before)
        for (about, mark), (_, was) in zip(_marks(held, weights), _marks(held, before), strict=True):
            right, shipped, of = tallies[about]
            tallies[about] = (right + mark, shipped + was, of + 1)
    return tallies


def found(heard: Sequence[Heard], before: Weights, about: frozenset[str] = EVERYTHING) -> Weights:
    """These weights with the sections that hang on the model found anew: those `about` tools, and types of
    parameters."""
    weights = _about_tools(heard, before) if TOOL in about else before
    model, sure = dict(weights.model), dict(before.doubt.sure)
    for kind in (kind for kind in TYPES if kind in about):
        mine = [judged for each in heard for judged in each.judged if judged.type == kind]
        belief = _belief([judged.decision for judged in mine], before.model.get(kind, EVIDENCE))
        if (reach := _sure(mine, belief, before, kind)) is not None:
            model[kind] = belief
            sure |= {kind: reach} if reach > SURE else {}
    return replace(weights, model=model, doubt=replace(weights.doubt, sure=sure))


def _about_tools(heard: Sequence[Heard], before: Weights) -> Weights:
    asked = [each for each in heard if each.gains]
    if len(asked) < FEWEST:
        return before
    choices = [choice for each in asked if (choice := each.choice()) is not None]
    belief = _belief(choices, before.model.get(TOOL, EVIDENCE))
    weights = replace(before, model={**before.model, TOOL: belief})
    rows = [each.relevance(weights) for each in asked]
    weights = replace(weights, relevance=binary(rows, RELEVANCE_RIDGE, start=before.relevance))
    return replace(weights, doubt=_doubt(asked, weights))


def _belief(decisions: Sequence[Decision], start: Belief) -> Belief:
    if len(decisions) < FEWEST:
        return start
    among = np.ones(1 + max(decision.case for decision in decisions), dtype=bool)
    told = Choices(decisions).fit(among, BELIEF_RIDGE, start=dict(zip(SAYS, start, strict=True)))
    heard = {name for decision in decisions for option in decision.options for name in option if option[name]}
    return Belief(
        *(max(0.0, told.get(name, 0.0)) if name in heard else was for name, was in zip(SAYS, start, strict=True))
    )


# --- how far to ask --------------------------------------------------------------------------------


def _doubt(asked: Sequence[Heard], weights: Weights) -> Doubt:
    """The reaches that pay best, those of the weights and those a little further tried; of equals the nearest."""
    near = weights.doubt
    tried = [
        Doubt(round(below * near.below, 2), round(above * near.above, 2), round(ahead * near.ahead, 2))
        for below, above, ahead in product(_REACHES, repeat=3)
    ]
    right = [(each, each.is_right(each.suits), each.is_right(each.told(weights))) for each in asked]
    return max(tried, key=lambda doubt: (_worth(right, doubt), -doubt.below - doubt.above - doubt.ahead))


def _worth(right: Sequence[tuple[Heard, bool, bool]], doubt: Doubt) -> float:
    worth = 0.0
    for each, alone, told in right:
        asked = each.is_asked(doubt)
        worth += (told if asked else alone) - ASKING * asked
    return round(worth, 6)


def _sure(judged: Sequence[Judged], belief: Belief, before: Weights, kind: str) -> float | None:
    """The probability up to which asking pays; None where it pays for no argument of this type that is not asked
    about already."""
    least = before.doubt.sure.get(kind, SURE) if kind in before.model else 0.0
    tried = [least, *(reach for reach in _SURE if reach > least)]
    told = [(sureness(each), is_right(each, EVIDENCE), is_right(each, belief)) for each in judged]

    def worth(reach: float) -> float:
        return round(sum((t if p < reach else e) - ASKING * (p < reach) for p, e, t in told), 6)

    best = max(tried, key=lambda reach: (worth(reach), -reach))
    return best or None


# --- what it is worth ------------------------------------------------------------------------------


def _marks(heard: Sequence[Heard], weights: Weights) -> Iterator[tuple[str, bool]]:
    """Of each decision that could be the model's, what it is about, and whether it comes out right by these
    weights."""
    for each in heard:
        if each.gains:
            yield TOOL, each.is_right(each.told(weights) if each.is_asked(weights.doubt) else each.suits)
        for judged in each.judged:
            yield judged.type, is_right(judged, _counted(judged, weights))


def _counted(judged: Judged, weights: Weights) -> Belief:
    asked = judged.type in weights.model and sureness(judged) < weights.doubt.sure.get(judged.type, SURE)
    return weights.model[judged.type] if asked else EVIDENCE

"""The sections of the weights by which a tool is chosen, or none: first by evidence, then with what the model says.

What is learned of the model stands on what evidence says of cases that it was not fitted on, so that evidence is
as sure of itself there as it is in use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.features import Features
from linnet.calling.ranking.ranker import Belief, Weights
from linnet.calling.ranking.relevance import Suit, by_evidence, by_model, with_gain
from linnet.evals.fitting.doubt import Both, doubt
from linnet.evals.fitting.logit import Choices, Decision, Numbers, Row, binary
from linnet.evals.harness import Case

CHOICE_RIDGE, EVIDENT_RIDGE, RELEVANCE_RIDGE, TRUST_RIDGE = 4.0, 3e-2, 3e-3, 1.0
EVIDENT_SEEN = 10
"""Cases in which a word or a form must occur to speak for or against a tool."""

Suits = Mapping[int, Mapping[str, Features]]
"""By the case's number and the tool's name: what speaks for the tool's suiting the request."""

Gains = Mapping[int, Mapping[str, float]]
"""In the same way, what the model says: how much likelier the tool makes the request, in nats."""

NOTHING = Weights({}, {}, {}, {}, {})


def by_evidence_alone(cases: Sequence[Case], suits: Suits) -> Weights:
    """Sections `choice` and `evident`, and no others."""
    choice = _choice(cases, suits)
    weights = replace(NOTHING, choice=choice)
    rows = [Row(n, tools[_best(judged(tools, weights))], cases[n].needs_call) for n, tools in suits.items()]
    return replace(weights, evident=binary(rows, EVIDENT_RIDGE, seen=EVIDENT_SEEN))


def with_the_model(cases: Sequence[Case], suits: Suits, gains: Gains, part: Numbers) -> Weights:
    """Sections `relevance`, `doubt` and `tool` of `model`, and no others; `part` cuts the cases into those between
    which nothing is learned. Needs the gains of some of the cases."""
    told = _told(cases, suits, gains, part)
    weights = replace(NOTHING, model={"tool": _trusted(told)})
    rows = [Row(each.number, each.features(weights), each.case.needs_call) for each in told]
    weights = replace(weights, relevance=binary(rows, RELEVANCE_RIDGE))
    return replace(weights, doubt=doubt([each.both(weights) for each in told]))


def judged(tools: Mapping[str, Features], weights: Weights) -> dict[str, Suit]:
    return {name: by_evidence(features, weights) for name, features in tools.items()}


def asked(case: Case, suits: Mapping[str, Suit], gains: Mapping[str, float], weights: Weights) -> dict[str, Suit]:
    """The same with what the model says."""
    reading = Reading(case.request)
    return {name: by_model(suit, reading, gains[name], weights) for name, suit in suits.items()}


def best(suits: Mapping[str, Suit]) -> Suit:
    return suits[_best(suits)]


def _best(suits: Mapping[str, Suit]) -> str:
    return max(suits, key=lambda name: suits[name].fit)


def _choice(cases: Sequence[Case], suits: Suits) -> dict[str, float]:
    several = {n: tools for n, tools in suits.items() if len(tools) > 1 and cases[n].expected}
    found = (Decision(n, list(tools.values()), _wanted(cases[n], list(tools))) for n, tools in several.items())
    return Choices(found).fit(np.ones(len(cases), dtype=bool), CHOICE_RIDGE)


def _wanted(case: Case, names: Sequence[str]) -> list[bool]:
    wanted = {call["name"] for call in case.expected}
    return [name in wanted for name in names]


# --- with the model ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Told:
    """A case with what evidence and the model say of its tools."""

    number: int
    case: Case
    suits: Mapping[str, Suit]
    gains: Mapping[str, float]

    def features(self, weights: Weights) -> Features:
        """Of the tool that is the best one with what the model says."""
        name = _best(asked(self.case, self.suits, self.gains, weights))
        return with_gain(self.suits[name].odds, Reading(self.case.request), self.gains[name])

    def both(self, weights: Weights) -> Both:
        told = asked(self.case, self.suits, self.gains, weights)
        return Both.of(self.suits, told)


def _told(cases: Sequence[Case], suits: Suits, gains: Gains, part: Numbers) -> list[_Told]:
    found = []
    for own in sorted(set(part.tolist())):
        weights = by_evidence_alone(cases, {n: tools for n, tools in suits.items() if part[n] != own})
        mine = ((n, tools) for n, tools in suits.items() if part[n] == own and gains.get(n))
        found += [_Told(n, cases[n], judged(tools, weights), gains[n]) for n, tools in mine]
    return found


def _trusted(told: Sequence[_Told]) -> Belief:
    several = (each for each in told if len(each.suits) > 1 and each.case.expected)
    found = Choices(
        Decision(
            each.number,
            [{"own": suit.fit, "model": each.gains[name]} for name, suit in each.suits.items()],
            _wanted(each.case, list(each.suits)),
        )
        for each in several
    ).fit(np.ones(1 + max((each.number for each in told), default=0), dtype=bool), TRUST_RIDGE, start={"own": 1.0})
    return Belief(found.get("own", 0.0), found.get("model", 0.0))

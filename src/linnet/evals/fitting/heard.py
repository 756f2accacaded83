"""What evidence and a model say of requests whose right calls are known: all that a trust is found from.

Each request is asked about once, as far as `widened` asks. What would be decided by any weights is worked out from
that, without asking again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from linnet.calling.choose import ALSO, MARGIN, Candidate, settled
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.portions import Portions
from linnet.calling.ranking.ranker import Belief, Doubt, Weights, weigh
from linnet.calling.ranking.relevance import Suit, by_model, with_gain
from linnet.evals.fitting import asking, choosing, decisions
from linnet.evals.fitting.asking import SAYS, Judged
from linnet.evals.fitting.logit import Decision, Row
from linnet.evals.fitting.wide import TYPES, widened
from linnet.evals.harness import Case
from linnet.requests import Model


@dataclass(frozen=True)
class Heard:
    """A case: how its tools suit it by evidence; the model's `gains` in nats by the tool's name, none where even
    the widest asking leaves it to evidence; and the decisions about arguments that the model was asked for."""

    number: int
    case: Case
    suits: Mapping[str, Suit]
    gains: Mapping[str, float]
    several: bool
    judged: tuple[Judged, ...]

    @cached_property
    def _reading(self) -> Reading:
        return Reading(self.case.request)

    @cached_property
    def _ranked(self) -> list[Candidate]:
        return _ranked(self.case, self.suits)

    def told(self, weights: Weights) -> Mapping[str, Suit]:
        """The tools with what the model says."""
        return {name: by_model(suit, self._reading, self.gains[name], weights) for name, suit in self.suits.items()}

    def is_asked(self, doubt: Doubt) -> bool:
        """Whether the model is asked about the tools, where doubt reaches so far."""
        return bool(self.gains) and not settled(self._ranked, MARGIN, doubt, self.several)

    def is_right(self, suits: Mapping[str, Suit]) -> bool:
        """Whether these lead to a tool that is wanted, or to none where none is."""
        name = max(suits, key=lambda name: suits[name].fit)
        if suits[name].odds <= MARGIN:
            return not self.case.needs_call
        wanted = {call["name"] for call in self.case.expected}
        return self.case.needs_call and (self.several or not wanted or name in wanted)

    def choice(self) -> Decision | None:
        """Which of several tools is wanted."""
        wanted = {call["name"] for call in self.case.expected}
        if len(self.gains) < 2 or not wanted:
            return None
        options = [{"own": suit.fit, "model": self.gains[name]} for name, suit in self.suits.items()]
        return Decision(self.number, options, [name in wanted for name in self.suits])

    def relevance(self, weights: Weights) -> Row:
        """Whether a tool is wanted at all, by the best one with what the model says."""
        told = self.told(weights)
        name = max(told, key=lambda name: told[name].fit)
        features = with_gain(self.suits[name].odds, self._reading, self.gains[name])
        return Row(self.number, features, self.case.needs_call)


def hear(model: Model, number: int, case: Case, weights: Weights) -> Heard | None:
    """None for a case that says nothing: without tools, or with a request that is too long for the model. The
    weights of evidence must not have been fitted on it."""
    wide = widened(weights)
    portions = Portions(decisions.looked_at(case.tools, case.request), Reading(case.request))
    suits = choosing.judged(decisions.suits(case, weights), weights) if portions.tools else {}
    if not suits:
        return None
    several = sum(odds > ALSO for odds in portions.meant(weights.tools)) > 1
    gains = {}
    if not settled(_ranked(case, suits), MARGIN, wide.doubt, several):
        gains = asking.gains(model, case)
        if not gains:
            return None
    judged = tuple(asking.judged(model, [(number, case)], wide, TYPES))
    return Heard(number, case, suits, gains, several, judged)


def _ranked(case: Case, suits: Mapping[str, Suit]) -> list[Candidate]:
    tools = {tool.name: tool for tool in case.tools}
    found = [Candidate(tools[name], suit.odds, suit.fit) for name, suit in suits.items()]
    return sorted(found, key=lambda candidate: -candidate.fit)


def sureness(judged: Judged) -> float:
    """The probability of the best candidate by evidence."""
    return math.exp(judged.decision.options[0]["own"])


def is_right(judged: Judged, belief: Belief) -> bool:
    """Whether the best candidate is right, evidence and the model counting so much."""
    weights = dict(zip(SAYS, belief, strict=True))
    nats = [weigh(option, weights) for option in judged.decision.options]
    return judged.decision.right[nats.index(max(nats))]

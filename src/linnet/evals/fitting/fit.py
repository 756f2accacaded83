"""All sections of the weights from one set of cases, and from any part of it.

What does not depend on weights (the features of the candidates, those of the tools that are meant, what the
model says) is found once; a fit on a part of the cases looks at their rows only. Four of the sections stand on
another: the hypotheses on the number of calls, the suitability of tools and the trust in the model are all
worked out from candidates that are weighed already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from linnet.calling.ranking.features import Features
from linnet.calling.ranking.ranker import Doubt, Weights, weigh
from linnet.evals.fitting import asking, decisions
from linnet.evals.fitting.doubt import Both, doubt, odds
from linnet.evals.fitting.logit import Choices, Decision, Mask, Numbers, Row, binary
from linnet.evals.harness import Case
from linnet.requests import Model

ARGUMENTS_RIDGE, COUNTS_RIDGE, TRUST_RIDGE, RELEVANCE_RIDGE = 2.0, 2.0, 1.0, 3e-2
RELEVANCE_SEEN = 10
"""Cases in which a word or a form must occur to speak for or against a tool."""

STACKED = 3
"""Parts into which cases are cut where a fit needs weights that have not seen the case."""

_ROUGH = {"gain": 0.077, "overlap": 3.8, "mean sure": 1.0}
"""Which tool of a case nobody calls for is the closest, before there are weights for it."""

Suits = Mapping[int, Mapping[str, Features]]
"""By the case's number and the tool's name: what speaks for the tool's suiting the request."""


def parts(count: int, of: int) -> Numbers:
    """For each of `count` cases the number of its part, at random but always the same."""
    return np.random.default_rng(1).permutation(count) % of


class Fitting:
    """Fits weights on parts of `cases`, and of `more`, whose only lesson is which arguments are right.

    Cases are numbered through, those of `more` last. Masks are over all of them. What a fit cannot learn, the
    trust in the model and the relevance of tools before `ask`, is as in `before`.
    """

    def __init__(self, cases: Sequence[Case], more: Sequence[Case], before: Weights) -> None:
        self.cases = (*cases, *more)
        self._whole = len(cases)
        self._before = before
        self._gains: dict[int, Mapping[str, float]] = {}
        self._judged: dict[str, list[Decision]] = {}

    @cached_property
    def arguments(self) -> Choices:
        return Choices(decisions.arguments(enumerate(self.cases)))

    @cached_property
    def tools(self) -> tuple[Row, ...]:
        return tuple(decisions.tools(self._taught(self.everything)))

    @property
    def everything(self) -> Mask:
        return np.ones(len(self.cases), dtype=bool)

    def _taught(self, among: Mask) -> Iterator[tuple[int, Case]]:
        return ((n, case) for n, case in enumerate(self.cases[: self._whole]) if among[n])

    # --- with the model ----------------------------------------------------------------------------

    def ask(self, model: Model, tell: Callable[[str], None], most: int | None = None, judge: bool = True) -> None:
        """What the model says of the cases, or of `most` of them, drawn at random but always the same. After it,
        fits learn what to make of that. Without `judge` it is asked about tools only, not about arguments."""
        among = self._drawn(most)
        for number, case in self._taught(among):
            if case.want in ("calls", "some", "none"):
                self._gains[number] = asking.gains(model, case)
            if len(self._gains) % 100 == 99:
                tell(f"the model has judged the tools of {len(self._gains) + 1} of {among.sum()} cases")
        part = parts(len(self.cases), STACKED)
        for own in range(STACKED if judge else 0):
            weights = self._features(part != own)
            for judged in asking.judged(model, self._taught(among & (part == own)), weights):
                self._judged.setdefault(judged.type, []).append(judged.decision)
            tell(f"the model has judged the arguments of {own + 1} of {STACKED} parts of the cases")

    def _drawn(self, most: int | None) -> Mask:
        found = np.zeros(len(self.cases), dtype=bool)
        found[np.random.default_rng(2).permutation(self._whole)[:most]] = True
        return found

    # --- fits --------------------------------------------------------------------------------------

    def weights(self, among: Mask) -> Weights:
        """Every section, from these cases."""
        candidates = self._features(among)
        suits = self.suits(among, candidates)
        judged = self.judged(suits)
        return Weights(
            candidates.features,
            self._trust(among),
            self.counts(among, candidates).fit(among, COUNTS_RIDGE),
            binary([row for row in self.tools if among[row.case]]),
            self._relevance(judged) if judged else self._before.relevance,
            self._relevance(suits),
            self._doubt(suits, judged) if judged else self._before.doubt,
        )

    def counts(self, among: Mask, weights: Weights) -> Choices:
        return Choices(decisions.counts(self._taught(among), weights))

    def suits(self, among: Mask, weights: Weights) -> Suits:
        """By evidence alone."""
        taught = ((n, case) for n, case in self._taught(among) if case.want in ("calls", "some", "none"))
        return {n: found for n, case in taught if (found := decisions.suits(case, weights))}

    def judged(self, suits: Suits) -> Suits:
        """With what the model says, of the cases whose tools it has judged."""
        asked = ((n, self._gains[n]) for n in suits if self._gains.get(n))
        return {n: decisions.judged(self.cases[n], suits[n], gains) for n, gains in asked}

    def _features(self, among: Mask) -> Weights:
        return Weights(self.arguments.fit(among, ARGUMENTS_RIDGE), self._before.model, {}, {}, {})

    def _trust(self, among: Mask) -> Mapping[str, tuple[float, float]]:
        return {**self._before.model, **{kind: _trusted(told, among) for kind, told in self._judged.items()}}

    def _doubt(self, suits: Suits, judged: Suits) -> Doubt:
        """From cases that are judged both ways, each with weights that were fitted on others."""
        part, both = parts(len(self.cases), STACKED), list[Both]()
        for own in range(STACKED):
            held = {n: judged[n] for n in judged if part[n] == own}
            evident = self._relevance({n: suits[n] for n in suits if part[n] != own})
            relevant = self._relevance({n: judged[n] for n in judged if part[n] != own})
            both.extend(Both(odds(suits[n], evident), odds(held[n], relevant)) for n in held)
        return doubt(both)

    def _relevance(self, suits: Suits) -> dict[str, float]:
        """Twice: the closest tool, of a case for which none is right or nobody says which, is found by the
        first fit. What a right tool does not have to be is the closest."""
        first = binary(list(self._closest(suits, _ROUGH)), RELEVANCE_RIDGE, seen=RELEVANCE_SEEN)
        return binary(list(self._closest(suits, first)), RELEVANCE_RIDGE, seen=RELEVANCE_SEEN)

    def _closest(self, suits: Suits, weights: Mapping[str, float]) -> Iterable[Row]:
        for number, tools in suits.items():
            case = self.cases[number]
            right = [tools[call["name"]] for call in case.expected if call["name"] in tools]
            best = right[0] if right else max(tools.values(), key=lambda features: weigh(features, weights))
            yield Row(number, best, case.needs_call)


def _trusted(told: Sequence[Decision], among: Mask) -> tuple[float, float]:
    found = Choices(told).fit(among, TRUST_RIDGE, start={"own": 1.0})
    return found.get("own", 0.0), found.get("model", 0.0)

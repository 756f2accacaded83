"""All sections of the weights from one set of cases, and from any part of it.

What does not depend on weights (the features of the candidates, those of the tools that are meant, what the
model says) is found once; a fit on a part of the cases looks at their rows only. Four of the sections stand on
another: the hypotheses on the number of calls, the suitability of tools and the trust in the model are all
worked out from candidates that are weighed already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from linnet.calling.ranking.ranker import Belief, Weights
from linnet.evals.fitting import asking, choosing, decisions
from linnet.evals.fitting.choosing import Suits
from linnet.evals.fitting.heard import Heard, hear
from linnet.evals.fitting.logit import Choices, Decision, Mask, Numbers, Row, binary
from linnet.evals.harness import Case
from linnet.requests import Model

ARGUMENTS_RIDGE, COUNTS_RIDGE, TRUST_RIDGE = 2.0, 2.0, 1.0
STACKED = 3
"""Parts into which cases are cut where a fit needs weights that have not seen the case."""


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
        self.gains: dict[int, Mapping[str, float]] = {}
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
                self.gains[number] = asking.gains(model, case)
            if len(self.gains) % 100 == 99:
                tell(f"the model has judged the tools of {len(self.gains) + 1} of {among.sum()} cases")
        part = parts(len(self.cases), STACKED)
        for own in range(STACKED if judge else 0):
            weights = self._features(part != own)
            for judged in asking.judged(model, self._taught(among & (part == own)), weights):
                self._judged.setdefault(judged.type, []).append(judged.decision)
            tell(f"the model has judged the arguments of {own + 1} of {STACKED} parts of the cases")

    def heard(self, model: Model, tell: Callable[[str], None], most: int | None = None) -> list[Heard]:
        """What evidence and the model say of the cases, or of `most` of them, by weights that have not seen them:
        what a trust is found from."""
        part, among, found = parts(len(self.cases), STACKED), self._drawn(most), []
        for own in range(STACKED):
            weights = self.weights(part != own)
            tell(f"evidence is fitted without part {own + 1} of {STACKED}")
            for number, case in self._taught(among & (part == own)):
                if case.want in ("calls", "some", "none") and (told := hear(model, number, case, weights)):
                    found.append(told)
            tell(f"the model has judged {len(found)} of {among.sum()} cases")
        return found

    def _drawn(self, most: int | None) -> Mask:
        found = np.zeros(len(self.cases), dtype=bool)
        found[np.random.default_rng(2).permutation(self._whole)[:most]] = True
        return found

    # --- fits --------------------------------------------------------------------------------------

    def weights(self, among: Mask) -> Weights:
        """Every section, from these cases."""
        candidates = self._features(among)
        suits = self.suits(among, candidates)
        evident = choosing.by_evidence_alone(self.cases, suits)
        told = self._with_the_model(suits)
        return replace(
            candidates,
            model={**self._trust(among), **told.model},
            counts=self.counts(among, candidates).fit(among, COUNTS_RIDGE),
            tools=binary([row for row in self.tools if among[row.case]]),
            choice=evident.choice,
            evident=evident.evident,
            relevance=told.relevance,
            doubt=told.doubt,
        )

    def counts(self, among: Mask, weights: Weights) -> Choices:
        return Choices(decisions.counts(self._taught(among), weights))

    def suits(self, among: Mask, weights: Weights) -> Suits:
        """What requests say by themselves of the tools on offer."""
        taught = ((n, case) for n, case in self._taught(among) if case.want in ("calls", "some", "none"))
        return {n: found for n, case in taught if (found := decisions.suits(case, weights))}

    def _with_the_model(self, suits: Suits) -> Weights:
        """As before where the model was not asked."""
        if not any(self.gains.get(n) for n in suits):
            return replace(self._before, model={})
        return choosing.with_the_model(self.cases, suits, self.gains, parts(len(self.cases), STACKED))

    def _features(self, among: Mask) -> Weights:
        return Weights(self.arguments.fit(among, ARGUMENTS_RIDGE), self._before.model, {}, {}, {})

    def _trust(self, among: Mask) -> Mapping[str, Belief]:
        return {**self._before.model, **{kind: _trusted(told, among) for kind, told in self._judged.items()}}


def _trusted(told: Sequence[Decision], among: Mask) -> Belief:
    found = Choices(told).fit(among, TRUST_RIDGE, start={"own": 1.0})
    return Belief(*(found.get(name, 0.0) for name in asking.SAYS))

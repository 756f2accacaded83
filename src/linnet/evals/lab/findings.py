"""What a run has found: each variant in numbers with intervals, and each against the baseline on the same cases.

Policy without machinery: outcomes in, plain values out.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from linnet.evals.lab.answer import Outcome
from linnet.evals.lab.plan import Plan
from linnet.evals.statistics import holm, mcnemar, middle, wilson


@dataclass(frozen=True)
class Spread:
    """A median, and the 95 % interval that order statistics give it."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Tokens:
    """Means for one case. `computed` and `cached` are the prompt; `written` and `forced` the answer."""

    computed: float
    cached: float
    written: float
    forced: float

    @property
    def total(self) -> float:
        return self.computed + self.cached + self.written + self.forced


@dataclass(frozen=True)
class Contrast:
    """A variant against the baseline: cases it `gained` and `lost`, McNemar's exact two-sided `p`, `adjusted` for as
    many comparisons as there are (Holm 1979), and the ratio of the times of the same case, in pairs."""

    gained: int
    lost: int
    p: float
    seconds: Spread
    adjusted: float = 1.0

    @property
    def verdict(self) -> str:
        """In a word: whether it is right more or less often, as far as that shows."""
        if self.adjusted >= 0.05:
            return "no difference shown"
        return "better" if self.gained > self.lost else "worse"


@dataclass(frozen=True)
class Row:
    """One variant. `interval` is the 95 % Wilson interval of `share`; `contrast` is None for the baseline."""

    variant: str
    named: Mapping[str, str]
    right: int
    of: int
    share: float
    interval: tuple[float, float]
    errors: int
    noted: int
    seconds: Spread
    tokens: Tokens
    contrast: Contrast | None = None

    def describe(self) -> dict[str, Any]:
        told = asdict(self)
        told["tokens"] = {name: round(value, 2) for name, value in told["tokens"].items()}
        if self.contrast:
            told["contrast"]["verdict"] = self.contrast.verdict
        return told


@dataclass(frozen=True)
class Findings:
    """All of a run. `outcomes` are by variant, each in the order of the cases."""

    plan: Plan
    rows: tuple[Row, ...]
    outcomes: Mapping[str, tuple[Outcome, ...]]

    @property
    def baseline(self) -> Row:
        return next(row for row in self.rows if row.variant == self.plan.baseline)

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.plan.name,
            "cases": len(self.plan.cases),
            "baseline": self.plan.baseline,
            "variants": [row.describe() for row in self.rows],
            "outcomes": [outcome.describe() for row in self.rows for outcome in self.outcomes[row.variant]],
        }


def findings(plan: Plan, outcomes: Sequence[Outcome]) -> Findings:
    """Of a run that is whole: one outcome for each variant and case. Raises KeyError for one that is not."""
    found = {(outcome.variant.name, outcome.case.id): outcome for outcome in outcomes}
    by = {variant.name: tuple(found[variant.name, case.id] for case in plan.cases) for variant in plan.variants}
    rows = [_row(done) for done in by.values()]
    first = by[plan.baseline]
    others = {name: _against(first, done) for name, done in by.items() if name != plan.baseline}
    fair = dict(zip(others, holm([contrast.p for contrast in others.values()]), strict=True))
    contrasts = {name: replace(contrast, adjusted=fair[name]) for name, contrast in others.items()}
    return Findings(plan, tuple(replace(row, contrast=contrasts.get(row.variant)) for row in rows), by)


def _row(outcomes: Sequence[Outcome]) -> Row:
    right, of = sum(outcome.right for outcome in outcomes), len(outcomes)
    answers = [outcome.answer for outcome in outcomes]
    return Row(
        variant=outcomes[0].variant.name,
        named=outcomes[0].variant.named,
        right=right,
        of=of,
        share=right / of,
        interval=wilson(right, of),
        errors=sum(answer.error is not None for answer in answers),
        noted=sum(bool(answer.notes) for answer in answers),
        seconds=spread([answer.seconds for answer in answers]),
        tokens=_tokens(outcomes),
    )


def _tokens(outcomes: Sequence[Outcome]) -> Tokens:
    def mean(count: Callable[[Any], int]) -> float:
        return statistics.fmean(count(outcome.answer.usage) for outcome in outcomes)

    return Tokens(
        mean(lambda usage: usage.prompt_tokens - usage.cached_tokens),
        mean(lambda usage: usage.cached_tokens),
        mean(lambda usage: usage.generated_tokens - usage.forced_tokens),
        mean(lambda usage: usage.forced_tokens),
    )


def _against(before: Sequence[Outcome], now: Sequence[Outcome]) -> Contrast:
    pairs = [(one.right, other.right) for one, other in zip(before, now, strict=True)]
    ratios = [o.answer.seconds / max(b.answer.seconds, 1e-6) for b, o in zip(before, now, strict=True)]
    p = mcnemar([right for right, _ in pairs], [right for _, right in pairs])
    return Contrast(pairs.count((False, True)), pairs.count((True, False)), p, spread(ratios))


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), *middle(values))

"""The ablation table: several arms on the same cases, each held against the one before it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linnet.errors import InputInvalid
from linnet.evals.arms import ARMS
from linnet.evals.harness import Arm, Case, Outcome, run, totals
from linnet.evals.statistics import mcnemar
from linnet.requests import Model


@dataclass(frozen=True)
class Row:
    """An arm's `totals`; and against the arm before, on the same cases: how many it `gained` and `lost`, and
    McNemar's exact two-sided `p`. Those are None for the first arm."""

    arm: str
    totals: Mapping[str, Any]
    gained: int | None = None
    lost: int | None = None
    p: float | None = None

    def describe(self) -> dict[str, Any]:
        return {"arm": self.arm, **self.totals, "gained": self.gained, "lost": self.lost, "p": self.p}


def chosen(names: Sequence[str]) -> dict[str, Arm]:
    """Arms by name, in the order of the table; all when none is named. Raises InputInvalid for a stranger."""
    for name in names:
        if name not in ARMS:
            near = difflib.get_close_matches(name, ARMS, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(map(repr, ARMS))}."
            raise InputInvalid(f"there is no arm {name!r}", hint=hint)
    return {name: arm for name, arm in ARMS.items() if not names or name in names}


def ablate(model: Model, cases: Iterable[Case], arms: Mapping[str, Arm]) -> Iterator[tuple[str, Outcome]]:
    """`(arm, outcome)`: case by case every arm, so that what is done when it is interrupted can be compared."""
    for case in cases:
        for name, arm in arms.items():
            yield name, run(model, case, arm)


def compare(outcomes: Mapping[str, Sequence[Outcome]]) -> list[Row]:
    """A row for each arm, in order. The outcomes of all arms are of the same cases, in the same order."""
    rows: list[Row] = []
    before: list[bool] | None = None
    for arm, done in outcomes.items():
        right = [outcome.right for outcome in done if outcome.judged]
        rows.append(Row(arm, totals(done), *_against(before, right)))
        before = right
    return rows


def _against(before: list[bool] | None, now: list[bool]) -> tuple[int, int, float] | tuple[None, None, None]:
    if before is None:
        return None, None, None
    pairs = list(zip(before, now, strict=True))
    gained, lost = pairs.count((False, True)), pairs.count((True, False))
    return gained, lost, mcnemar(before, now)

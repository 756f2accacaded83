"""The two fits, on features by name: which of several options is right, and whether one thing is so.

Hides the sparse matrix behind the names and how the optimum is found. Nothing here is drawn at random and
all sums run in one order, so the same rows give the same weights.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linnet.calling.ranking.features import Features
from linnet.calling.ranking.ranker import weigh

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

SEEN = 3
"""Decisions in which a feature must occur to get a weight."""

LEAST = 0.02
"""Weights of options that are smaller than this are left out."""

_STEPS, _RATE, _SHORT, _LONG = 150, 0.08, 0.9, 0.99
"""Adam (Kingma & Ba 2015) over all decisions at once; its mean of squares looks back 100 steps, not 1,000."""

_NEWTON_STEPS = 50


@dataclass(frozen=True)
class Decision:
    """Options, and which of them are right. `case` is the number of the case that it belongs to; it counts
    as `times` decisions."""

    case: int
    options: Sequence[Features]
    right: Sequence[bool]
    times: float = 1.0


@dataclass(frozen=True)
class Row:
    """A thing, and whether it is so."""

    case: int
    features: Features
    right: bool


@dataclass(frozen=True)
class Score:
    """How well weights do on `of` decisions: of `best`, the best option is right; those `told`, which have a
    right option, have this log-likelihood together, in nats. Scores add up."""

    log_likelihood: float = 0.0
    told: int = 0
    best: int = 0
    of: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.log_likelihood + other.log_likelihood,
            self.told + other.told,
            self.best + other.best,
            self.of + other.of,
        )


# --- which of several ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """Some decisions, each with an option at least: `entries` are (option, column, value) of the matrix,
    `starts` each decision's first option."""

    option: Numbers
    column: Numbers
    value: Floats
    starts: Numbers
    right: Mask
    times: Floats

    def likelihoods(self, weights: Floats) -> tuple[Floats, Floats, Floats]:
        """`(p, q, nats)`: each option's probability, that among the right ones only, and for each decision
        the log-likelihood that the option is a right one (-inf where none is)."""
        logits = np.bincount(self.option, self.value * weights[self.column], len(self.right))
        sizes = np.diff(np.append(self.starts, len(self.right)))
        grown = np.exp(logits - np.repeat(np.maximum.reduceat(logits, self.starts), sizes))
        good = np.where(self.right, grown, 0.0)
        whole, held = np.add.reduceat(grown, self.starts), np.add.reduceat(good, self.starts)
        with np.errstate(divide="ignore"):
            nats = np.log(held / whole)
        return grown / np.repeat(whole, sizes), good / np.repeat(np.maximum(held, 1e-300), sizes), nats

    def best(self, weights: Floats) -> int:
        """How many decisions have a right option as their best; of options as good, the first is meant."""
        logits = np.bincount(self.option, self.value * weights[self.column], len(self.right))
        spans = zip(self.starts, np.append(self.starts[1:], len(self.right)), strict=True)
        return sum(bool(self.right[a + int(np.argmax(logits[a:b]))]) for a, b in spans)


class _Gathered:
    """Decisions on their way into the matrix: as growing columns of numbers, in a tenth of the room that
    features by name take."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.column, self.value, self.width = array("q"), array("d"), array("q")
        self.right, self.size, self.times, self.case = array("b"), array("q"), array("d"), array("q")
        self.heard, self.heard_size = array("q"), array("q")

    def add(self, decision: Decision) -> None:
        heard: set[int] = set()
        for option in decision.options:
            heard.update(self._add_option(option))
        self.heard.extend(sorted(heard))
        self.heard_size.append(len(heard))
        self.right.extend(map(int, decision.right))
        self.size.append(len(decision.options))
        self.times.append(decision.times)
        self.case.append(decision.case)

    def _add_option(self, option: Features) -> list[int]:
        said = [(name, value) for name, value in sorted(option.items()) if value]
        columns = [self.names.setdefault(name, len(self.names)) for name, _ in said]
        self.column.extend(columns)
        self.value.extend(value for _, value in said)
        self.width.append(len(said))
        return columns


class Choices:
    """Decisions as one sparse matrix, to be fitted on any part of their cases."""

    def __init__(self, decisions: Iterable[Decision]) -> None:
        found = _Gathered()
        for decision in decisions:
            found.add(decision)
        self._names = list(found.names)
        self._column, self._value = np.array(found.column), np.array(found.value)
        self._right, self._times = np.array(found.right, dtype=bool), np.array(found.times)
        self._case, self._size = np.array(found.case), np.array(found.size)
        self._option = np.repeat(np.arange(len(self._right)), np.array(found.width))
        self._decision = np.repeat(np.arange(len(self._size)), self._size)
        self._heard = np.array(found.heard)
        self._hearer = np.repeat(np.arange(len(self._size)), np.array(found.heard_size))

    def fit(
        self, among: Mask, ridge: float, *, start: Mapping[str, float] | None = None, seen: int = SEEN
    ) -> dict[str, float]:
        """The weights under which the right options of these cases are likeliest: a multinomial logit
        (McFadden 1974), in nats, to three digits, the small ones left out.

        `among` is a mask over cases. `ridge` pulls the weights to `start`, or to 0 with the force of
        `ridge / 2 * w ** 2` nats. A decision without a right option, or with one option only, tells nothing.
        """
        mine = among[self._case]
        often = np.bincount(self._heard[mine[self._hearer]], minlength=len(self._names)) >= seen
        rights = np.bincount(self._decision, self._right, len(self._size)) > 0
        part = self._part(mine & rights & (self._size > 1), often)
        origin = np.array([(start or {}).get(name, 0.0) for name in self._names])
        weights = _climb(part, origin, ridge) if len(part.starts) else origin
        return rounded(dict(zip(self._names, weights.tolist(), strict=True)), 3, LEAST)

    def score(self, among: Mask, weights: Mapping[str, float]) -> Score:
        """How well weights do on these cases. A decision without options has none that is right."""
        mine = among[self._case]
        part = self._part(mine & (self._size > 0), np.ones(len(self._names), dtype=bool))
        if not len(part.starts):
            return Score(of=int(mine.sum()))
        known = np.array([weights.get(name, 0.0) for name in self._names])
        nats = part.likelihoods(known)[2]
        told = nats[np.isfinite(nats)]
        return Score(float(told.sum()), len(told), part.best(known), int(mine.sum()))

    def _part(self, decisions: Mask, columns: Mask) -> _Part:
        options = decisions[self._decision]
        entries = options[self._option] & columns[self._column]
        renumbered = np.cumsum(options) - 1
        sizes = self._size[decisions]
        return _Part(
            renumbered[self._option[entries]],
            self._column[entries],
            self._value[entries],
            np.cumsum(sizes) - sizes,
            self._right[options],
            self._times[decisions],
        )


def _climb(part: _Part, origin: Floats, ridge: float) -> Floats:
    """From `origin` up the penalised log-likelihood."""
    sizes = np.diff(np.append(part.starts, len(part.right)))
    times = np.repeat(part.times, sizes)
    weights, mean, square = origin.copy(), np.zeros_like(origin), np.zeros_like(origin)
    for step in range(1, _STEPS + 1):
        p, q, _ = part.likelihoods(weights)
        pull = (times * (q - p))[part.option] * part.value
        slope = np.bincount(part.column, pull, len(weights)) - ridge * (weights - origin)
        mean = _SHORT * mean + (1 - _SHORT) * slope
        square = _LONG * square + (1 - _LONG) * slope * slope
        size = np.sqrt(square / (1 - _LONG**step)) + 1e-6
        weights = weights + _RATE * mean / (1 - _SHORT**step) / size
    return weights


# --- whether one thing is so ---------------------------------------------------------------------


def binary(
    rows: Sequence[Row], ridge: float = 1e-3, *, seen: int = 1, start: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Logistic regression, to four digits, with a weight called `bias`; no weights at all without rows.

    The least of the mean log-loss and `ridge / 2` times the squared weights of features that are scaled to a
    standard deviation of 1, found by Newton's method with halved steps. A feature that never varies, or that is
    other than 0 in fewer than `seen` rows, gets none. With weights to `start` from, those are kept where nothing
    says otherwise, and `ridge` pulls to them, `bias` too.
    """
    before = dict(start or {})
    if not rows:
        return before
    names = sorted({name for row in rows for name in row.features})
    x = np.array([[row.features.get(name, 0.0) for name in names] for row in rows], dtype=float)
    scale = x.std(axis=0) if names else np.zeros(0)
    varies = (scale > 1e-9) & (np.count_nonzero(x, axis=0) >= seen)
    z = np.c_[x[:, varies] / scale[varies], np.ones(len(rows))]
    known = np.array([weigh(row.features, before) for row in rows])
    weights = _newton(z, np.array([row.right for row in rows], dtype=float), ridge, known)
    kept = [name for name, does in zip(names, varies, strict=True) if does]
    unscaled = [*(weights[:-1] / scale[varies]).tolist(), float(weights[-1])]
    learned = dict(zip([*kept, "bias"], unscaled, strict=True))
    return rounded({name: before.get(name, 0.0) + learned.get(name, 0.0) for name in {**before, **learned}}, 4)


def _newton(z: Floats, y: Floats, ridge: float, known: Floats) -> Floats:
    """What is to be added to the log-odds that are `known`."""

    def loss(weights: Floats) -> float:
        logits = known + z @ weights
        return float(np.mean(np.logaddexp(0.0, logits) - y * logits) + ridge / 2 * weights @ weights)

    weights = np.zeros(z.shape[1])
    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-(known + z @ weights)))
        slope = z.T @ (p - y) / len(y) + ridge * weights
        curve = (z.T * (p * (1 - p))) @ z / len(y) + ridge * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > 1e-9:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def auc(scores: Sequence[float], right: Sequence[bool]) -> float:
    """The chance that what is so scores above what is not (Mann-Whitney); NaN when one of them is missing."""
    told, marks = np.array(scores, dtype=float), np.array(right, dtype=bool)
    yes, no = told[marks][:, None], told[~marks][None, :]
    return float(np.mean((yes > no) + 0.5 * (yes == no))) if yes.size and no.size else float("nan")


def rounded(weights: Mapping[str, float], digits: int, least: float = 0.0) -> dict[str, float]:
    """In the order of their names; zeros, and what is smaller than `least`, left out."""
    told = {name: round(weight, digits) for name, weight in sorted(weights.items()) if abs(weight) >= least}
    return {name: weight for name, weight in told.items() if weight}

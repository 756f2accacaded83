"""When a text is out of scope: what tells it from the others, and where the line is drawn.

Arithmetic on what a classifier measured on rows that it was not trained on; the logistic regression is
scikit-learn's, imported late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linnet.agent.intents.classifier import Classifier, Confidence
from linnet.agent.intents.examples import Example

_LEAST = 5
"""Rows on either side under which nothing is fitted."""

_NEAR = 1e-6
"""Under the confidence of the row that the margin is to let through, for what rounding does."""


@dataclass(frozen=True)
class Judged:
    """Rows with what was measured, in columns: best, gap, rarity. `right`: the likeliest intent is the row's own."""

    measures: NDArray[np.float64]
    right: NDArray[np.bool_]
    in_scope: NDArray[np.bool_]

    @classmethod
    def of(cls, classifier: Classifier, examples: Sequence[Example]) -> Judged:
        """A row whose intent the classifier does not know is out of scope."""
        found = [classifier.measure(example.text) for example in examples]
        likeliest = [classifier.intents[one.first] for one in found]
        return cls(
            np.array([(one.best, one.gap, one.rarity) for one in found], np.float64).reshape(-1, 3),
            np.array([name == row.intent for name, row in zip(likeliest, examples, strict=True)], bool),
            np.array([row.intent in classifier.intents for row in examples], bool),
        )


def fitted(judged: Sequence[Judged], give_up: float | None) -> tuple[Confidence, float]:
    """How confidence comes out of what is measured, and the margin that it has to reach.

    With `give_up` the margin is the highest that loses no more than this share of the in-scope rows; without, the
    one under which the share of those kept and the share of the others refused are most together. 0 where no row
    is right.
    """
    if not judged:
        return Confidence(), 0.0
    measures = np.concatenate([one.measures for one in judged])
    right, in_scope = (np.concatenate([getattr(one, name) for one in judged]) for name in ("right", "in_scope"))
    confidence = _logistic(measures, in_scope)
    sure = measures @ np.array([confidence.best, confidence.gap, confidence.rarity]) + confidence.bias
    kept = np.sort(sure[right])
    if not len(kept):
        return confidence, 0.0
    if give_up is None:
        refused = np.searchsorted(np.sort(sure[~in_scope]), kept) / max(1, (~in_scope).sum())
        return confidence, float(kept[np.argmax(refused - np.arange(len(kept)) / in_scope.sum())]) - _NEAR
    return confidence, float(kept[min(int(give_up * in_scope.sum()), len(kept) - 1)]) - _NEAR


def _logistic(measures: NDArray[np.float64], in_scope: NDArray[np.bool_]) -> Confidence:
    """The default where either side has too few rows, or where a better score would make less sure."""
    if min(in_scope.sum(), (~in_scope).sum()) < _LEAST:
        return Confidence()
    from sklearn.linear_model import LogisticRegression

    centre, spread = measures.mean(0), measures.std(0) + 1e-9
    fit = LogisticRegression(class_weight="balanced").fit((measures - centre) / spread, in_scope)
    weights: Any = fit.coef_[0] / spread
    best, gap, rarity = (float(weight) for weight in weights)
    if best <= 0:
        return Confidence()
    return Confidence(float(fit.intercept_[0] - weights @ centre), best, gap, rarity)

"""Examples -> a classifier: one linear separator for each intent, then a margin from requests not trained on.

Hides scikit-learn, which is imported at the first training and nowhere else. The separators are linear
support-vector machines, each intent against all others. What counts as out of scope is fitted afterwards:
on validation rows where there are any, else on the examples themselves, some of them and some whole intents
held out by turns.
"""

from __future__ import annotations

import importlib.util
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from linnet.agent.intents.classifier import Classifier, Confidence, Floats
from linnet.agent.intents.examples import Example, check
from linnet.agent.intents.ngrams import weighed
from linnet.errors import RequestError
from linnet.limits import LIMITS

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_C = 3.0
"""How dear a wrong training row is to the separators; 1 and 6 were no better on CLINC150's validation rows."""

_FOLDS = 5
_ROWS_FOR_RARE = 2_000
"""From so many training rows on, n-grams of a single row are left out: they are most, and say little."""


@dataclass(frozen=True)
class _Fit:
    """Unquantised separators."""

    intents: tuple[str, ...]
    ngrams: tuple[str, ...]
    weights: Floats
    bias: Floats
    seen: NDArray[np.uint32]


def train(
    examples: Sequence[Example], validation: Sequence[Example] = (), *, give_up: float | None = None, seed: int = 0
) -> Classifier:
    """A classifier of the intents that the examples name; an Example without one is out of scope.

    `give_up` is the share of in-scope requests whose right intent may be lost to the margin, 0.015 unless said
    otherwise (0.05 where validation rows are lacking and the examples are held out by turns): the margin is the
    highest that costs no more on those rows. Raises RequestError for fewer than two intents, more than the limits
    allow, or a missing scikit-learn.
    """
    started = time.monotonic()
    check(examples)
    _require()
    known, strange = _split(examples)
    classifier = _packed(_separators(known))
    held_out = [_Judged.of(classifier, validation)] if validation else _held_out(known, strange, seed)
    share = give_up if give_up is not None else 0.015 if validation else 0.05
    confidence, margin = _margin(list(held_out), share)
    about = {
        "rows": len(known),
        "out_of_scope_rows": len(strange),
        "validation_rows": len(validation),
        "give_up": share,
        "seconds": round(time.monotonic() - started, 2),
    }
    return replace(classifier, confidence=confidence, margin=margin, about=about)


# --- separators ----------------------------------------------------------------------------------


def _require() -> None:
    if importlib.util.find_spec("sklearn") is None:
        raise RequestError(
            "training a classifier of intents needs scikit-learn", hint="Install it: pip install 'linnet[intents]'"
        )


def _split(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """In scope, out of scope."""
    known = [example for example in examples if example.intent is not None]
    return known, [example for example in examples if example.intent is None]


def _separators(examples: Sequence[Example]) -> _Fit:
    """scikit-learn makes one separator for two classes; here there are always as many as intents."""
    from sklearn.svm import LinearSVC

    intents = tuple(sorted({str(example.intent) for example in examples}))
    texts = [weighed(example.text) for example in examples]
    ngrams, seen = _vocabulary(texts, len(intents))
    places = {name: place for place, name in enumerate(intents)}
    truth = np.array([places[str(example.intent)] for example in examples])
    machine = LinearSVC(C=_C, random_state=0).fit(_matrix(texts, ngrams), truth)
    weights, bias = machine.coef_, machine.intercept_
    if len(intents) == 2:
        weights, bias = np.vstack([-weights, weights]), np.concatenate([-bias, bias])
    return _Fit(intents, ngrams, weights.T.astype(np.float32), bias.astype(np.float32), seen)


def _vocabulary(texts: Sequence[Mapping[str, float]], intents: int) -> tuple[tuple[str, ...], NDArray[np.uint32]]:
    """The n-grams that get weights, the most frequent where there are too many, and in how many texts each is."""
    counts = Counter(gram for text in texts for gram in text)
    least = 2 if len(texts) >= _ROWS_FOR_RARE else 1
    most = min(LIMITS.intent_ngrams, LIMITS.intent_weights // intents)
    kept = sorted(gram for gram, count in counts.most_common(most) if count >= least)
    return tuple(kept), np.array([counts[gram] for gram in kept], np.uint32)


def _matrix(texts: Sequence[Mapping[str, float]], ngrams: tuple[str, ...]) -> csr_matrix:
    from scipy.sparse import csr_matrix

    places = {gram: place for place, gram in enumerate(ngrams)}
    known = [[(places[gram], amount) for gram, amount in text.items() if gram in places] for text in texts]
    columns = np.array([place for row in known for place, _ in row], np.int32)
    amounts = np.array([amount for row in known for _, amount in row], np.float64)
    ends = np.cumsum([0, *(len(row) for row in known)])
    return csr_matrix((amounts, columns, ends), shape=(len(texts), len(ngrams)))


def _packed(fit: _Fit) -> Classifier:
    """Weights in whole numbers of at most 127, with one scale for each intent."""
    scales = np.maximum(np.abs(fit.weights).max(0), 1e-9) / 127
    whole = np.rint(fit.weights / scales).astype(np.int8)
    return Classifier(fit.intents, fit.ngrams, whole, scales.astype(np.float32), fit.bias, fit.seen)


# --- the margin ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Judged:
    """Rows that a classifier was not trained on: `measures` has best, gap and rarity in columns."""

    measures: NDArray[np.float64]
    right: NDArray[np.bool_]
    in_scope: NDArray[np.bool_]

    @classmethod
    def of(cls, classifier: Classifier, examples: Sequence[Example]) -> _Judged:
        found = [classifier.measure(example.text) for example in examples]
        pairs = zip(found, examples, strict=True)
        return cls(
            np.array([(one.best, one.gap, one.rarity) for one in found]).reshape(-1, 3),
            np.array([classifier.intents[one.first] == example.intent for one, example in pairs], bool),
            np.array([example.intent in classifier.intents for example in examples], bool),
        )


def _held_out(known: Sequence[Example], strange: Sequence[Example], seed: int) -> Iterator[_Judged]:
    """Each time a fifth of each intent's rows is new in scope, and a fifth of the intents out of scope."""
    order = np.random.default_rng(seed).permutation(len(known))
    nth: Counter[str] = Counter()
    turns = {}
    for place in order.tolist():
        name = str(known[place].intent)
        turns[place], nth[name] = nth[name] % _FOLDS, nth[name] + 1
    intents = sorted(nth)
    for fold in range(_FOLDS):
        away = {name for at, name in enumerate(intents) if len(intents) > 3 and at % _FOLDS == fold}
        out = [row.intent in away or (turns[at] == fold and nth[str(row.intent)] > 1) for at, row in enumerate(known)]
        kept = [row for row, gone in zip(known, out, strict=True) if not gone]
        held = [row for row, gone in zip(known, out, strict=True) if gone]
        if len({row.intent for row in kept}) > 1:
            yield _Judged.of(_packed(_separators(kept)), [*held, *strange[fold::_FOLDS]])


def _margin(tried: Sequence[_Judged], give_up: float) -> tuple[Confidence, float]:
    """How sure a reading is, and the highest margin that loses no more than `give_up` of the in-scope rows."""
    measures = np.concatenate([one.measures for one in tried]) if tried else np.empty((0, 3))
    right = np.concatenate([one.right for one in tried]) if tried else np.empty(0, bool)
    in_scope = np.concatenate([one.in_scope for one in tried]) if tried else np.empty(0, bool)
    confidence = _fitted(measures, in_scope)
    weights = np.array([confidence.best, confidence.gap, confidence.rarity])
    sure = np.sort(measures[right] @ weights + confidence.bias)
    if not len(sure):
        return confidence, 0.0
    lost = min(int(give_up * in_scope.sum()), len(sure) - 1)
    return confidence, float(sure[lost]) - 1e-6


def _fitted(measures: NDArray[np.float64], in_scope: NDArray[np.bool_]) -> Confidence:
    """A logistic regression; the default where either side is too small for one, or it makes no sense."""
    from sklearn.linear_model import LogisticRegression

    if min(in_scope.sum(), (~in_scope).sum()) < _FOLDS:
        return Confidence()
    centre, spread = measures.mean(0), measures.std(0) + 1e-9
    fit = LogisticRegression(class_weight="balanced").fit((measures - centre) / spread, in_scope)
    weights: Any = fit.coef_[0] / spread
    best, gap, rarity = (float(weight) for weight in weights)
    if best <= 0:
        return Confidence()
    return Confidence(float(fit.intercept_[0] - weights @ centre), best, gap, rarity)

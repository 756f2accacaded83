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
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linnet.agent.intents.classifier import Classifier, Embed, Floats, features, name_of
from linnet.agent.intents.examples import Example, check
from linnet.agent.intents.margin import Judged, fitted
from linnet.errors import RequestError
from linnet.limits import LIMITS

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_C = 3.0
"""How dear a wrong training row is to the separators: better than 1 on CLINC150's validation rows."""

_GIVE_UP = 0.015
"""Of what is right in scope, on validation rows."""

_FOLDS = 5
_ROWS_FOR_RARE = 10_000
"""From so many training rows on, n-grams of a single row are left out: they are most, and say little."""


def train(
    examples: Sequence[Example],
    validation: Sequence[Example] = (),
    *,
    give_up: float | None = None,
    seed: int = 0,
    embed: Embed | None = None,
) -> Classifier:
    """A classifier of the intents that the examples name; an Example without one is out of scope.

    With validation rows the margin is fitted on these alone, and the examples that are out of scope are not used.
    Without, they are learnt as what no intent is, and the margin is fitted on examples held out by turns.
    `give_up` is the share of in-scope rows whose right intent may be lost to the margin. Unless it is given, that
    is 0.015 with validation rows, and without whatever loses least on both sides together. With `embed`, such as an
    Embedding, texts are told by their vectors too. Raises RequestError for fewer than two intents, more than the
    limits allow, or a missing scikit-learn, and what `embed` raises.
    """
    started = time.monotonic()
    check(examples)
    _require()
    known = [example for example in examples if example.intent is not None]
    strange = [example for example in examples if example.intent is None]
    once = embed and _once(embed, [example.text for example in (*examples, *validation)])
    if validation:
        classifier = _separate(known, embed=once)
        judged = [Judged.of(classifier, validation)]
        give_up = _GIVE_UP if give_up is None else give_up
    else:
        classifier = _separate(known, strange, embed=once)
        judged = list(_held_out(known, strange, seed, once))
    confidence, margin = fitted(judged, give_up)
    about: dict[str, float | int | str] = {
        "rows": len(known),
        "out_of_scope_rows": 0 if validation else len(strange),
        "validation_rows": len(validation),
        "seconds": round(time.monotonic() - started, 2),
    }
    if embed:
        about["vectors"] = name_of(embed)
    return replace(classifier, confidence=confidence, margin=margin, about=about, embed=embed)


def _once(embed: Embed, texts: Sequence[str]) -> Embed:
    """The same for these texts, which are embedded now, all together."""
    unlike = list(dict.fromkeys(texts))
    known = dict(zip(unlike, embed(unlike), strict=True))
    return lambda asked: np.stack([known[text] for text in asked])


def _require() -> None:
    if importlib.util.find_spec("sklearn") is None:
        raise RequestError(
            "training a classifier of intents needs scikit-learn", hint="Install it: pip install 'linnet[intents]'"
        )


def _held_out(
    known: Sequence[Example], strange: Sequence[Example], seed: int, embed: Embed | None
) -> Iterator[Judged]:
    """Each time a fifth of the rows is new, and of four intents or more a fifth is out of scope altogether. The only
    row of an intent is never held out."""
    names = [str(row.intent) for row in known]
    counts = Counter(names)
    intents = sorted(counts)
    turns = _turns(names, seed)
    for fold in range(_FOLDS):
        away = set(intents[fold::_FOLDS]) if len(intents) > 3 else set()
        held = [name in away or (turn == fold and counts[name] > 1) for name, turn in zip(names, turns, strict=True)]
        kept = list(compress(known, (not out for out in held)))
        new = [*compress(known, held), *strange[fold::_FOLDS]]
        if new and len({row.intent for row in kept}) > 1:
            others = [row for at, row in enumerate(strange) if at % _FOLDS != fold]
            yield Judged.of(_separate(kept, others, embed=embed), new)


def _turns(names: Sequence[str], seed: int) -> list[int]:
    """For each row the turn in which it is held out; the rows of an intent are dealt out evenly."""
    turns, nth = [0] * len(names), Counter[str]()
    for place in np.random.default_rng(seed).permutation(len(names)).tolist():
        turns[place] = nth[names[place]] % _FOLDS
        nth[names[place]] += 1
    return turns


# --- separators ----------------------------------------------------------------------------------


def _separate(known: Sequence[Example], strange: Sequence[Example] = (), *, embed: Embed | None = None) -> Classifier:
    """One separator for each intent, against all other rows and those that are out of scope."""
    from sklearn.svm import LinearSVC

    intents = tuple(sorted({str(example.intent) for example in known}))
    texts = [features(example.text, embed) for example in (*known, *strange)]
    ngrams, seen = _vocabulary(texts, len(intents))
    places = {name: place for place, name in enumerate(intents)}
    truth = [*(places[str(example.intent)] for example in known), *([len(intents)] * len(strange))]
    machine = LinearSVC(C=_C, random_state=0).fit(_matrix(texts, ngrams), truth)
    weights, bias = machine.coef_, machine.intercept_
    if len(weights) == 1:  # of two classes scikit-learn separates the second only
        weights, bias = np.vstack([-weights, weights]), np.concatenate([-bias, bias])
    packed = _packed(intents, ngrams, weights[: len(intents)].T, bias[: len(intents)], seen)
    return replace(packed, embed=embed)


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


def _packed(
    intents: tuple[str, ...], ngrams: tuple[str, ...], weights: Floats, bias: Floats, seen: NDArray[np.uint32]
) -> Classifier:
    """Weights in whole numbers of at most 127, with one scale for each intent."""
    scales = np.maximum(np.abs(weights).max(0), 1e-9) / 127
    whole = np.rint(weights / scales).astype(np.int8)
    return Classifier(intents, ngrams, whole, scales.astype(np.float32), bias.astype(np.float32), seen)

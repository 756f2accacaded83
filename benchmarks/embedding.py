"""How good vectors of texts are, beside n-grams that need no model.

    python benchmarks/embedding.py --data ../shared/data/clinc150/data_full.json [--each 20] [--test 1500]

Intents of CLINC150: whether the nearest of the training rows has the same intent, and how often a row of the
same intent is nearer than one of another (AUC, the mean over test rows; its interval is of those rows). A linear
classifier on n-grams, on vectors, and on both. Paraphrases (`benchmarks/paraphrases.jsonl`): of each question one
that means the same and one that does not, though it looks alike: how many of each are nearer than a threshold.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from linnet.agent.intents.examples import few, load
from linnet.evals.statistics import mcnemar, wilson
from linnet.limits import LIMITS
from linnet.requests import Embed, Model, complete_all
from linnet.runtime.local import open_local

PARAPHRASES = Path(__file__).with_name("paraphrases.jsonl")
THRESHOLDS = (0.7, 0.8, 0.85, 0.9, 0.95, 0.97)


def embedded(model: Model, texts: Sequence[str]) -> Any:
    step = LIMITS.embedded_texts
    requests = [Embed(tuple(texts[at : at + step])) for at in range(0, len(texts), step)]
    return np.concatenate([done.vectors.array() for done in complete_all(model, requests) if done.vectors])


def ngrams(train: Sequence[str], test: Sequence[str]) -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    union = make_union(words, pieces)
    known = union.fit_transform(train) / np.sqrt(2)
    return known, union.transform(test) / np.sqrt(2)


def likenesses(known: Any, asked: Any) -> Any:
    product = asked @ known.T
    return product.toarray() if hasattr(product, "toarray") else product


def nearest(name: str, likeness: Any, known: Any, wanted: Any) -> list[bool]:
    right = [bool(hit) for hit in known[likeness.argmax(axis=1)] == wanted]
    areas = np.array([*_areas(likeness, known, wanted)])
    half = 1.96 * areas.std() / np.sqrt(len(areas))
    low, high = wilson(sum(right), len(right))
    share = f"{sum(right) / len(right):.3f} ({low:.3f}-{high:.3f})"
    print(f"{name:24} nearest {share}  AUC {areas.mean():.3f} (+-{half:.3f})", flush=True)
    return right


def _areas(likeness: Any, known: Any, wanted: Any) -> Iterator[float]:
    for row, intent in zip(likeness, wanted, strict=True):
        same, others = row[known == intent], np.sort(row[known != intent])
        below, most = np.searchsorted(others, same, "left"), np.searchsorted(others, same, "right")
        yield float((below + most).mean() / 2 / len(others))


def classified(name: str, known: Any, intents: Any, asked: Any, wanted: Any) -> list[bool]:
    from sklearn.svm import LinearSVC

    right = [bool(hit) for hit in LinearSVC().fit(known, intents).predict(asked) == wanted]
    low, high = wilson(sum(right), len(right))
    print(f"{name:24} classified {sum(right) / len(right):.3f} ({low:.3f}-{high:.3f})", flush=True)
    return right


def intents(model: Model, data: Path, each: int, most: int) -> None:
    from scipy.sparse import csr_matrix, hstack

    examples = load(data)
    train = [one for one in few(examples.train, each) if one.intent is not None]
    test = [one for one in examples.test if one.intent is not None]
    test = test[:: max(1, len(test) // most)]
    known, wanted = (np.array([one.intent for one in rows]) for rows in (train, test))
    texts, asked = [one.text for one in train], [one.text for one in test]
    started = time.monotonic()
    vectors, others = embedded(model, texts), embedded(model, asked)
    seconds = time.monotonic() - started
    print(f"{len(texts)} rows known, {len(asked)} asked; {1000 * seconds / (len(texts) + len(asked)):.1f} ms a text")
    grams = ngrams(texts, asked)
    plain = nearest("n-grams", likenesses(*grams), known, wanted)
    own = nearest("vectors", likenesses(vectors, others), known, wanted)
    both = nearest("both, added", likenesses(*grams) + likenesses(vectors, others), known, wanted)
    print(f"p vectors {mcnemar(plain, own):.2g}, both {mcnemar(plain, both):.2g}")
    plain = classified("n-grams", grams[0], known, grams[1], wanted)
    classified("vectors", vectors, known, others, wanted)
    for weight in (0.3, 1.0):
        joined = [
            hstack([gram, csr_matrix(weight * own)]).tocsr()
            for gram, own in zip(grams, (vectors, others), strict=True)
        ]
        both = classified(f"n-grams and {weight} vectors", joined[0], known, joined[1], wanted)
        print(f"p {mcnemar(plain, both):.2g}")


def paraphrases(model: Model) -> None:
    rows = [json.loads(line) for line in PARAPHRASES.read_text(encoding="utf-8").splitlines()]
    asked, same, other = (embedded(model, [row[key] for row in rows]) for key in ("text", "same", "other"))
    hits, wrong = (asked * same).sum(1), (asked * other).sum(1)
    area = float((hits[:, None] > wrong[None]).mean())
    nearer = sum(int(a > b) for a, b in zip(hits, wrong, strict=True))
    print(f"{len(rows)} questions: the paraphrase is nearer than the near miss in {nearer}; AUC {area:.3f}")
    spread = [np.percentile(one, [5, 50, 95]).round(2) for one in (hits, wrong)]
    print(f"cosines of paraphrases {spread[0]}, near misses {spread[1]}")
    for threshold in THRESHOLDS:
        good, bad = int((hits >= threshold).sum()), int((wrong >= threshold).sum())
        print(f"threshold {threshold}: {good} right hits, {bad} wrong hits of {len(rows)} each")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--test", type=int, default=1_500)
    parser.add_argument("--model", default="default")
    given = parser.parse_args()
    model = open_local(given.model, context=512)
    try:
        paraphrases(model)
        intents(model, given.data, given.each, given.test)
    finally:
        model.close()


if __name__ == "__main__":
    main()

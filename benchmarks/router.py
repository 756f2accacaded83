"""The classifier of intents beside a plain one, both trained and tried in the same run.

    python benchmarks/router.py --data ../shared/data/clinc150/data_full.json [--each 20] [--keep FILE] [--vectors]

The plain one is TF-IDF over words 1-2 and characters 2-5 with a linear SVM, whose margin is on the best score and is
chosen on the same validation rows by the same rule: the highest that gives up 0.015 of what is right in scope.
With `--vectors` ours is trained once more, with the default model's vectors beside the n-grams.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from linnet.agent.embedding import Embedding
from linnet.agent.intents.examples import Example, Examples, few, load
from linnet.agent.intents.file import load as read
from linnet.agent.intents.file import save
from linnet.agent.intents.training import train
from linnet.agent.semantic import Embedded, embedding_cache
from linnet.evals.router import Answer, Asked, evaluate, margin_of, totals
from linnet.runtime.local import open_local

GIVE_UP = 0.015


def plain(examples: Sequence[Example], texts: Sequence[str]) -> tuple[Asked, Asked]:
    """The plain classifier, one text at a time, and with all texts asked at once before (for counting: in a tenth
    of the time). What is out of scope is left out of its training, as it is for ours."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    known = [example for example in examples if example.intent is not None]
    pipeline = make_pipeline(make_union(words, pieces), LinearSVC())
    pipeline.fit([example.text for example in known], [example.intent for example in known])
    table = dict(zip(texts, pipeline.decision_function(list(texts)), strict=True))

    def answer(scores: Any) -> Answer:
        return Answer(str(pipeline.classes_[scores.argmax()]), float(scores.max()))

    return lambda text: answer(pipeline.decision_function([text])[0]), lambda text: answer(table[text])


def report(name: str, asked: Asked, margin: float, test: Sequence[Example], speed: str) -> None:
    numbers = totals(list(evaluate(asked, margin, test)))
    shares = []
    for part in ("in_scope", "out_of_scope", "nearest"):
        low, high = numbers[part]["interval"]
        shares.append(f"{numbers[part]['share']:.4f} ({low:.3f}-{high:.3f})")
    print(f"{name:8} {' '.join(f'{share:>22}' for share in shares)}  {speed}", flush=True)


def speed_of(asked: Asked, test: Sequence[Example]) -> str:
    """Of the processor's time, which others at work on the machine do not stretch."""
    times = []
    for example in test[:: max(1, len(test) // 500)]:
        started = time.thread_time()
        asked(example.text)
        times.append(1e3 * (time.thread_time() - started))
    return f"{statistics.median(times):.2f} ms, p99 {statistics.quantiles(times, n=100)[98]:.2f}"


def with_vectors(examples: Sequence[Example], rows: Examples) -> None:
    """All texts are embedded first, so that the time of a decision is without that."""
    with (
        tempfile.TemporaryDirectory() as folder,
        embedding_cache(path=Path(folder) / "e.db", most_entries=50_000) as cache,
    ):
        model = open_local("default", context=512)
        embed = Embedded(Embedding(model), cache)
        started = time.perf_counter()
        count = len(embed([row.text for row in (*examples, *rows.validation, *rows.test)]))
        print(f"{count:,} texts embedded, {1e3 * (time.perf_counter() - started) / count:.1f} ms each", flush=True)
        classifier = train(examples, rows.validation, give_up=GIVE_UP, embed=embed)

        def ours(text: str) -> Answer:
            reading = classifier.read(text)
            return Answer(reading.nearest, reading.confidence)

        report("vectors", ours, classifier.margin, rows.test, "")
        model.close()


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--each", type=int)
    options.add_argument("--keep", type=Path)
    options.add_argument("--vectors", action="store_true")
    given = options.parse_args()
    rows = load(given.data)
    examples = few(rows.train, given.each) if given.each else rows.train
    started = time.process_time()
    classifier = train(examples, rows.validation, give_up=GIVE_UP)
    seconds = time.process_time() - started
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "intents.npz"
        size = save(classifier, path)
        loading = timed(lambda: read(path))
        kept = read(path)
    print(f"{len(kept.intents)} intents, {len(kept.ngrams):,} n-grams, {size:,} bytes, read in {loading:.2f} s")
    print(
        f"{'':8} {'in scope':>22} {'out of scope':>22} {'no margin':>22}  processor's time of a decision; of training"
    )

    def ours(text: str) -> Answer:
        reading = kept.read(text)
        return Answer(reading.nearest, reading.confidence)

    report("linnet", ours, kept.margin, rows.test, f"{speed_of(ours, rows.test)}; {seconds:.0f} s")
    if given.vectors:
        with_vectors(examples, rows)
    started = time.process_time()
    alone, tabled = plain(examples, [row.text for row in (*rows.validation, *rows.test)])
    seconds = time.process_time() - started
    margin = margin_of(list(evaluate(tabled, float("-inf"), rows.validation)), GIVE_UP)
    report("plain", tabled, margin, rows.test, f"{speed_of(alone, rows.test)}; {seconds:.0f} s")
    print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")


if __name__ == "__main__":
    main()

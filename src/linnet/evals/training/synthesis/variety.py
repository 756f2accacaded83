"""How varied requests are, counted on the examples alone, whoever made them.

A skeleton is a request with its arguments, numbers and number words masked: two requests of one skeleton differ in
values only. The overlap of two requests is the share of their pairs of words that both have (Jaccard).
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, median
from typing import Any

from linnet.calling.evidence.lexicon import SCALES, SMALL
from linnet.evals.training.example import Example

_PAIRS = 4_000
_THOUSAND = 1_000
_NUMBER = re.compile(rf"\d[\d.,:/-]*|\b(?:{'|'.join([*SMALL, *SCALES])})\b")
_WORD = re.compile(r"[\w']+|_+")


@dataclass(frozen=True)
class Variety:
    """`kinds` counts the examples of each. `words` of a request: mean, median, longest. `skeletons`: how many are
    different among the first thousand requests, and of all. `grams`: runs of four words, all and different.
    `overlap`: the mean over pairs drawn at random, of any two requests and of two that want one tool."""

    examples: int
    kinds: dict[str, int]
    tools: int
    words: tuple[float, float, int]
    skeletons: tuple[int, int]
    grams: tuple[int, int]
    overlap: tuple[float, float]

    def describe(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """In words, a line for each number."""
        every, own = self.overlap
        return [
            f"{self.examples} examples of {self.tools} tools: "
            + ", ".join(f"{n} {k}" for k, n in self.kinds.items()),
            "words in a request: mean {:.1f}, median {:.0f}, longest {}".format(*self.words),
            "different skeletons: {} among the first 1,000 requests, {} of all".format(*self.skeletons),
            "runs of four words: {}, different ones {}".format(*self.grams),
            f"pairs of words shared by two requests: {every:.1%}; by two for the same tool: {own:.1%}",
        ]


def measure(examples: Iterable[Example], seed: int = 0) -> Variety:
    """Counts in one pass; what is kept is words and hashes."""
    kinds: Counter[str] = Counter()
    tools: set[str] = set()
    lengths: list[int] = []
    skeletons: list[int] = []
    grams: Counter[int] = Counter()
    pairs: list[frozenset[str]] = []
    wanted: dict[str, list[int]] = {}
    for number, example in enumerate(examples):
        kinds[example.kind] += 1
        tools |= {tool.name for tool in example.tools}
        words = _WORD.findall(example.request.lower())
        lengths.append(len(words))
        skeletons.append(hash(skeleton(example)))
        grams.update(hash(run) for run in _runs(words, 4))
        pairs.append(frozenset(" ".join(run) for run in _runs(words, 2)))
        for name in {call.name for call in example.calls}:
            wanted.setdefault(name, []).append(number)
    return Variety(
        len(lengths),
        dict(kinds.most_common()),
        len(tools),
        (mean(lengths), median(lengths), max(lengths)) if lengths else (0.0, 0.0, 0),
        (len(set(skeletons[:_THOUSAND])), len(set(skeletons))),
        (grams.total(), len(grams)),
        _overlaps(pairs, list(wanted.values()), random.Random(seed)),
    )


def skeleton(example: Example) -> str:
    """The request with its values masked."""
    text = example.request.lower()
    values = sorted((v for call in example.calls for v in _leaves(call.arguments)), key=len, reverse=True)
    for value in values:
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "_", text)
    return " ".join(_NUMBER.sub("_", text).split())


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield (value if isinstance(value, str) else json.dumps(value)).lower()


def _runs(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return (tuple(words[i : i + size]) for i in range(len(words) - size + 1))


def _overlaps(pairs: Sequence[frozenset[str]], groups: list[list[int]], draw: random.Random) -> tuple[float, float]:
    several = [group for group in groups if len(group) > 1]
    any_two = (draw.sample(range(len(pairs)), 2) for _ in range(_PAIRS if len(pairs) > 1 else 0))
    same = (draw.sample(draw.choice(several), 2) for _ in range(_PAIRS if several else 0))
    return _mean_overlap(pairs, any_two), _mean_overlap(pairs, same)


def _mean_overlap(pairs: Sequence[frozenset[str]], drawn: Iterable[list[int]]) -> float:
    found = [len(pairs[a] & pairs[b]) / (len(pairs[a] | pairs[b]) or 1) for a, b in drawn]
    return mean(found) if found else 0.0

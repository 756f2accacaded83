"""What of a text an intent is told by: words, pairs of words, and pieces of words.

Hides how a text becomes numbers. A text is seen in four views, each of length 1, so that a long word with
many pieces weighs no more than a short one. How rare an n-gram is does not count (no idf): short requests
are told apart by common words as much as by rare ones (docs/router.md).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

_WORD = re.compile(r"[^\W_]+(?:'\w+)?")

WORDS, PIECES, RUNS, PAIRS, VECTOR = "w", "c", "r", "p", "v"
"""First letter of an n-gram: the view that it belongs to. The last are the numbers of a vector, if there is one."""

_SHARES: Mapping[str, float] = {WORDS: 1.0, PIECES: 1.0, RUNS: 0.7, PAIRS: 0.7}
_PIECE, _RUN = range(2, 6), range(2, 5)
"""Characters of a piece of one word, edges included, and of a run that may go over several words."""


def words(text: str) -> list[str]:
    """In lower case, without punctuation; an apostrophe inside a word is part of it."""
    return _WORD.findall(text.lower())


def weighed(text: str) -> dict[str, float]:
    """N-gram -> its weight, of length 1 over all; empty for a text without words."""
    said = words(text)
    if not said:
        return {}
    views = {
        WORDS: Counter(_phrases(said)),
        PIECES: Counter(_pieces(said)),
        RUNS: Counter(_slices(f" {' '.join(said)} ", _RUN)),
        PAIRS: Counter(_pairs(said)),
    }
    weights: dict[str, float] = {}
    for view, counts in views.items():
        damped = {gram: 1 + math.log(count) for gram, count in counts.items()}
        scale = _SHARES[view] / (_length(damped) or 1.0)
        weights |= {view + gram: weight * scale for gram, weight in damped.items()}
    whole = _length(weights)
    return {gram: weight / whole for gram, weight in weights.items()}


def dense(vector: Iterable[float]) -> dict[str, float]:
    """The numbers of a text's vector, in the form of n-grams."""
    return {f"{VECTOR}{place}": value for place, value in enumerate(vector)}


def readable(gram: str) -> str:
    """As a person reads it: `book flight`, `bo-` for a beginning, `-ook-` inside a word, `a ... b` for a pair."""
    view, text = gram[0], gram[1:]
    if view == WORDS:
        return text
    if view == VECTOR:
        return "(its vector)"
    if view == PAIRS:
        return " ... ".join(text.split("&"))
    return ("" if text[0] == " " else "-") + text.strip() + ("" if text[-1] == " " else "-")


def _length(weights: Mapping[str, float]) -> float:
    return math.sqrt(sum(weight * weight for weight in weights.values()))


def _phrases(said: list[str]) -> Iterator[str]:
    """Single words, and two in a row; ^ and $ are the ends of the text."""
    yield from said
    edged = ["^", *said, "$"]
    yield from (f"{first} {second}" for first, second in pairwise(edged))


def _pieces(said: list[str]) -> Iterator[str]:
    for word in said:
        yield from _slices(f" {word} ", _PIECE)


def _slices(text: str, sizes: range) -> Iterator[str]:
    return (text[at : at + size] for size in sizes for at in range(len(text) - size + 1))


def _pairs(said: list[str]) -> Iterator[str]:
    """Two words anywhere, in alphabetical order."""
    known = sorted(set(said))
    return (f"{first}&{second}" for at, first in enumerate(known) for second in known[at + 1 :])

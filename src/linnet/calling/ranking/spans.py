"""Runs of words in a request that could stand by themselves, as a name or a phrase does."""

from __future__ import annotations

import re

from linnet.calling.evidence.lexicon import PARTICLES
from linnet.calling.evidence.reading import Reading

SPAN_WORDS = 12
"""Words of the longest run."""
_INNER = re.compile(r"(?:\s+|,\s+|\s*[&/–-]\s*|['’]s?\s+|:\s+|\s*[+]\s*|)\Z")
_SHORTENED = re.compile(r"(?:[A-Z]|[A-Z][a-z]{1,2}|Prof|Capt|etc|No|vs|Inc|Ltd)\Z")


def spans(reading: Reading) -> list[tuple[int, int]]:
    """`(first, last)` words of every run that could stand by itself."""
    begins = (first for first in range(len(reading.words)) if may_begin(reading, first))
    return [(first, last) for first in begins for last in _lasts(reading, first)]


def _lasts(reading: Reading, first: int) -> list[int]:
    """The words that a run from `first` on may end with."""
    found = []
    for last in range(first, min(len(reading.words), first + SPAN_WORDS)):
        if last > first and not _goes_on(reading, last):
            break
        if may_end(reading, last):
            found.append(last)
    return found


def may_begin(reading: Reading, index: int) -> bool:
    """Whether a run may begin with this word; a function word in capitals may be part of a name."""
    word = reading.words[index]
    return not word.common or (word.capital and index not in reading.sentence_starts)


def may_end(reading: Reading, index: int) -> bool:
    """Whether a run may end with this word."""
    word = reading.words[index]
    return not word.common or word.capital or word.lower in PARTICLES


def _goes_on(reading: Reading, index: int) -> bool:
    """Whether a run may reach over what stands before this word: blanks, a comma, the dot of `St. Louis`."""
    gap = reading.words[index].gap
    if _INNER.match(gap) or (gap in ("'", "’") and reading.words[index].lower == "s"):
        return True
    return gap.startswith(".") and bool(_SHORTENED.match(reading.words[index - 1].text)) and "\n" not in gap

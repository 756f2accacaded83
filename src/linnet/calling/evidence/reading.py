"""One request, read once: its words with their places, its numbers, phrases of time and quotations.

Pure text work. Nothing here knows of tools; `ranking.candidates` turns what was read into values for parameters.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property

from linnet.calling.evidence.lexicon import COMMON
from linnet.calling.evidence.moments import moments
from linnet.calling.evidence.placeholders import PLACEHOLDER
from linnet.calling.evidence.quantities import Quantity, numbers
from linnet.calling.evidence.quotations import Quotation, quotations
from linnet.calling.evidence.stems import stem

_TOKEN = re.compile(PLACEHOLDER + r"|\w+(?:(?:[-./@:_+&]|['’](?!s\b))\w+)*(?:\+\+|#)?")
_ENDS = re.compile(r"[.!?;:\n](?:\s|$)|\n")
_SUBJECTS = frozenset(("i", "we", "you"))
_CONJUNCTIONS = frozenset(("and", "but", "then", "if", "can", "could"))
_READ_WORDS = 400
"""Words of a request that are read; what stands behind them is still there for the model, not for evidence."""


@dataclass(frozen=True)
class Word:
    """A word of the request with its place; `gap` is what stands between it and the word before."""

    text: str
    start: int
    end: int
    gap: str

    @cached_property
    def lower(self) -> str:
        return self.text.lower()

    @cached_property
    def stem(self) -> str:
        return stem(self.lower)

    @cached_property
    def stems(self) -> frozenset[str]:
        """Its own, and those of the parts that hyphens join."""
        parts = self.lower.split("-")
        return frozenset((self.stem, *map(stem, parts))) if len(parts) > 1 else frozenset((self.stem,))

    @cached_property
    def common(self) -> bool:
        return self.lower in COMMON

    @cached_property
    def capital(self) -> bool:
        return self.text[0].isupper()


class Reading:
    """What a request says, found out once for all parameters of all tools."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = _words(text)

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset().union(*(word.stems for word in self.words))

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        return numbers(self.text)

    @cached_property
    def moments(self) -> list[tuple[int, int]]:
        return moments(self.text)

    @cached_property
    def quotations(self) -> list[Quotation]:
        return quotations(self.text)

    @cached_property
    def sentence_starts(self) -> frozenset[int]:
        """Indices of the words that begin a sentence."""
        return frozenset(
            i for i, word in enumerate(self.words) if i == 0 or (_ENDS.search(word.gap) and "," not in word.gap)
        )

    @cached_property
    def clause_starts(self) -> frozenset[int]:
        """Indices of the words that begin a sentence, or somebody's saying what they want behind a comma."""
        wishes = (i for i, word in enumerate(self.words) if word.lower in _SUBJECTS and self._follows_a_comma(i))
        return self.sentence_starts | frozenset(wishes)

    def _follows_a_comma(self, index: int) -> bool:
        """Whether a comma stands before the word, or before the conjunction that it follows."""
        before = index - (index > 0 and self.words[index - 1].lower in _CONJUNCTIONS)
        return "," in self.words[before].gap

    def phrase(self, first: int, last: int) -> str:
        """The text from word `first` to word `last`, both included."""
        return self.text[self.words[first].start : self.words[last].end]

    def covered(self, start: int, end: int) -> tuple[int, int]:
        """`(first, last)` words that a place in the text meets; (-1, -1) where there is none among those read."""
        first, last = bisect_right(self._ends, start), bisect_left(self._starts, end) - 1
        return (first, last) if first <= last else (-1, -1)

    @cached_property
    def _starts(self) -> list[int]:
        return [word.start for word in self.words]

    @cached_property
    def _ends(self) -> list[int]:
        return [word.end for word in self.words]

    def after(self, index: int) -> str:
        """What stands between word `index` and the next one, or the end."""
        if index + 1 < len(self.words):
            return self.words[index + 1].gap
        return self.text[self.words[index].end :] if self.words else ""


def _words(text: str) -> tuple[Word, ...]:
    found: list[Word] = []
    end = 0
    for match in _TOKEN.finditer(text):
        found.append(Word(match.group(), match.start(), match.end(), text[end : match.start()]))
        end = match.end()
        if len(found) == _READ_WORDS:
            break
    return tuple(found)

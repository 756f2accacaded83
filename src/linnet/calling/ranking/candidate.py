"""A value that could be an argument: what it was made of, and which words of the request say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from linnet.calling.evidence.quantities import Quantity
from linnet.calling.evidence.reading import Reading


class _Omitted:
    """Leaving the argument out."""

    def __repr__(self) -> str:
        return "OMITTED"


OMITTED = _Omitted()


AWAY = 1_000_000
"""What is added to the numbers of words that stand in another text than the one that is read."""


@dataclass(frozen=True)
class Candidate:
    """A value; `source` says what it was made of, `first` and `last` the words it covers (-1: none)."""

    value: Any
    source: str
    first: int = -1
    last: int = -1
    quantity: Quantity | None = field(default=None, compare=False)

    @property
    def covers(self) -> bool:
        """Whether it stands in the text that is read."""
        return 0 <= self.first < AWAY

    def meets(self, other: Candidate) -> bool:
        """Whether both cover a word of the same text."""
        return min(self.first, other.first) >= 0 and self.first <= other.last and other.first <= self.last

    def away(self) -> Candidate:
        """The same, as it looks from another text."""
        return replace(self, first=self.first + AWAY, last=self.last + AWAY)

    def inside(self, begin: int, end: int) -> bool:
        """Whether it covers words from `begin` up to `end`, and none else."""
        return self.covers and begin <= self.first and self.last < end


def standing(value: Any, source: str, reading: Reading, start: int, end: int) -> Iterator[Candidate]:
    """The candidate of a place in the text; none where no word that is read stands."""
    first, last = reading.covered(start, end)
    if first >= 0:
        yield Candidate(value, source, first, last)

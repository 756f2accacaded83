"""A value that could be an argument: what it was made of, and which words of the request say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from linnet.calling.evidence.quantities import Quantity
from linnet.calling.evidence.reading import Reading


class _Omitted:
    """Leaving the argument out."""

    def __repr__(self) -> str:
        return "OMITTED"


OMITTED = _Omitted()


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
        return self.first >= 0

    def meets(self, other: Candidate) -> bool:
        """Whether both cover a word of the same text."""
        return self.covers and other.covers and self.first <= other.last and other.first <= self.last

    def inside(self, begin: int, end: int) -> bool:
        """Whether it covers words from `begin` up to `end`, and none else."""
        return self.covers and begin <= self.first and self.last < end


def standing(value: Any, source: str, reading: Reading, start: int, end: int) -> Iterator[Candidate]:
    """The candidate of a place in the text; none where no word that is read stands."""
    first, last = reading.covered(start, end)
    if first >= 0:
        yield Candidate(value, source, first, last)

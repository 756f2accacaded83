"""Numbers that are told in groups of as many as one call takes: `(3, 4) and (5, 12)`, or `3 and 4, 5 and 12`.

Where a number stands in its group says which argument it is, and the groups say how many calls there are.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import pairwise

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading

_BRACKETED = re.compile(r"[(\[]([^()\[\]]{1,120})[)\]]")
_INSIDE = re.compile(r"\s*(?:,|;|and|&)?\s*[$€£]?")
_TIGHT = re.compile(r"\s*(?:and|&)\s*[$€£]?")
_LOOSE = re.compile(r"\s*[,;]\s*(?:and\s+|then\s+)?[$€£]?")

Place = tuple[int, int]


def tuples(reading: Reading, parameters: Sequence[Parameter]) -> Mapping[Place, int]:
    """For each number of such a group, by its place in the text, its position in the group; nothing unless there are
    two groups of the size of a call at least."""
    size = _size(parameters)
    if size < 2 or len(reading.quantities) < 2 * size:
        return {}
    groups = [group for group in (_bracketed(reading) or _told(reading)) if len(group) == size]
    return {place: at for group in groups for at, place in enumerate(group)} if len(groups) > 1 else {}


def _size(parameters: Sequence[Parameter]) -> int:
    """The numbers that a call takes: those that it needs, or all if it needs none."""
    numeric = [p for p in parameters if p.type == "number"]
    return sum(p.required for p in numeric) or len(numeric)


def _bracketed(reading: Reading) -> list[list[Place]]:
    starts = [quantity.start for quantity in reading.quantities]
    found = []
    for match in _BRACKETED.finditer(reading.text):
        start, end = match.span(1)
        inner = reading.quantities[bisect_left(starts, start) : bisect_left(starts, end)]
        places = [(quantity.start, quantity.end) for quantity in inner if quantity.end <= end]
        if places and _only_numbers(reading, places, start, end):
            found.append(places)
    return found


def _only_numbers(reading: Reading, places: Sequence[Place], start: int, end: int) -> bool:
    edges = [(start, start), *places, (end, end)]
    return all(_INSIDE.fullmatch(reading.text, left[1], right[0]) for left, right in pairwise(edges))


def _told(reading: Reading) -> list[list[Place]]:
    """Pairs joined by `and`, with commas between them: numbers in one enumeration whose joints take turns."""
    found: list[list[Place]] = []
    run: list[Place] = []
    for quantity in reading.quantities:
        place = quantity.start, quantity.end
        joint = _LOOSE if len(run) % 2 == 0 else _TIGHT
        if run and not joint.fullmatch(reading.text, run[-1][1], place[0]):
            found += _pairs(run)
            run = []
        run.append(place)
    return found + _pairs(run)


def _pairs(run: Sequence[Place]) -> list[list[Place]]:
    """The pairs of a run of two of them at least."""
    whole = len(run) - len(run) % 2
    return [list(run[i : i + 2]) for i in range(0, whole, 2)] if whole > 2 else []

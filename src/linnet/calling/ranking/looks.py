"""How much two values look like one argument's: the same words before them, the same unit behind them, all quoted.

Who names several values of an argument names them in the same manner, from one row of a table to the next.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.joints import joined, only_joints

_MISPLACED = 4.0
"""Nats against two values that stand at different positions of their groups."""

_UNIT = re.compile(r"\s?([^\W\d_]+|[%°])")


@dataclass(frozen=True)
class Look:
    """What values of one argument have in common."""

    candidate: Candidate
    before: str
    kind: str
    unit: str
    words: int
    position: int


def look(reading: Reading, candidate: Candidate, positions: Mapping[tuple[int, int], int]) -> Look:
    words = reading.words
    first, last = words[candidate.first], words[candidate.last]
    around = reading.text[max(0, first.start - 1) : first.start]
    before = words[candidate.first - 1].lower if candidate.first else ""
    unit = _UNIT.match(reading.text, candidate.quantity.end) if candidate.quantity else None
    digits = any(character.isdigit() for character in reading.text[first.start : last.end])
    shape = "digits" if digits else "capital" if first.capital else "plain"
    quoted = "quoted" if around in "'\"‘“`" and around else "money" if around in "$€£" and around else ""
    behind = reading.text[last.end : last.end + 1]
    bracket = f"{'(' if around and around in '([{' else ''}{')' if behind and behind in ')]}' else ''}"
    return Look(
        candidate,
        before,
        f"{candidate.source if candidate.quantity else ''} {shape} {quoted} {bracket}",
        unit[1].lower() if unit else "",
        candidate.last - candidate.first + 1,
        positions.get((candidate.quantity.start, candidate.quantity.end), -1) if candidate.quantity else -1,
    )


def unlikeness(reading: Reading, left: Look, right: Look) -> float:
    """Nats against two values as one argument's, next to each other in the table."""
    if left.position >= 0 and right.position >= 0:
        return 0.0 if left.position == right.position else _MISPLACED
    nats = 0.3 * min(4, abs(left.words - right.words))
    nats += 1.5 * (left.kind != right.kind)
    if only_joints(reading, left.candidate, right.candidate):
        return nats + (0.0 if joined(reading, left.candidate, right.candidate) else 1.5)
    nats += 0.0 if left.before == right.before else 1.0
    return nats + (1.0 if left.unit != right.unit and left.unit and right.unit else 0.0)

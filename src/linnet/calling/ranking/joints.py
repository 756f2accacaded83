"""How values of an enumeration are joined, and where a new row or call may begin."""

from __future__ import annotations

import re

from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import Candidate

JOINTS = frozenset(("and", "or", "then", "also", "plus"))
CUT_WORDS = frozenset(("and", "also", "then", "while", "plus", "whereas", "finally", "lastly", "or"))
"""Words with which another call may begin."""

_LINK = re.compile(r"[,;&/\"'’”-]")


def joined(reading: Reading, left: Candidate, right: Candidate) -> bool:
    """Whether two values stand in one enumeration, the one right behind the other."""
    if not only_joints(reading, left, right):
        return False
    return right.first - left.last > 1 or bool(_LINK.search(reading.words[right.first].gap))


def only_joints(reading: Reading, left: Candidate, right: Candidate) -> bool:
    """Whether all words between two values are such as join, or there are none."""
    return all(reading.words[i].lower in JOINTS for i in range(left.last + 1, right.first))


def cut(reading: Reading, after: int, before: int) -> int:
    """The word of those from `after` up to `before` that a new call most likely begins with: the last that begins a
    sentence, else the last behind a comma or of CUT_WORDS, else `before` itself."""
    sentences = [i for i in reading.sentence_starts if after <= i <= before]
    if sentences:
        return max(sentences)
    words = reading.words
    return next(
        (i for i in range(before, after - 1, -1) if words[i].lower in CUT_WORDS or re.search(r"[,;]", words[i].gap)),
        before,
    )

"""Enumerations in a request (`eggs, milk and bread`): what their items are, and where they may begin and end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.spans import may_begin, may_end

_LINK = re.compile(r"\s*[,;&]\s*\Z")
_WITHIN = re.compile(r"\s|['’]s|-")
_AND = frozenset(("and", "or", "plus"))
_DETERMINERS = frozenset(("a", "an", "the", "some", "any", "my", "our", "your", "his", "her", "their", "more", "no"))
"""Function words that an item may begin with."""
_ITEM_WORDS = 6
"""Words of the longest item."""

_Chain = list[tuple[int, int]]
"""An enumeration as the `(first, last)` words of its items; the outer edges reach as far as they could."""


def enumerations(reading: Reading) -> Iterator[Candidate]:
    """Every enumeration, with each place where its first item may begin and its last may end."""
    for group in _groups(reading):
        for joints, begin in _parts(reading, group):
            yield from _cut(reading, _chain(reading, joints, begin))


def _parts(reading: Reading, group: list[int]) -> Iterator[tuple[list[int], int]]:
    """All joints of a group; those up to the item behind `and`, which mostly ends an enumeration (`salmon and dill,
    please`); and those behind one that begins a clause (`I'm in town, so get oats and honey`). With each the first
    word that may belong to it."""
    yield group, 0
    closed = next((n for n, joint in enumerate(group) if reading.words[joint - 1].lower in _AND), len(group))
    if closed + 1 < len(group):
        yield group[: closed + 1], 0
    clauses = [n for n, joint in enumerate(group) if _begins_a_clause(reading, joint)]
    if clauses and group[clauses[-1] + 1 :]:
        yield group[clauses[-1] + 1 :], group[clauses[-1]]


def _begins_a_clause(reading: Reading, joint: int) -> bool:
    word = reading.words[joint]
    return word.common and not word.capital and word.lower not in _DETERMINERS


def _groups(reading: Reading) -> list[list[int]]:
    """Words at which items begin, those of one enumeration together."""
    groups: list[list[int]] = []
    for joint in (i for i in range(1, len(reading.words)) if _is_joint(reading, i)):
        if groups and _together(reading, groups[-1][-1], joint):
            groups[-1].append(joint)
        else:
            groups.append([joint])
    return groups


def _is_joint(reading: Reading, index: int) -> bool:
    """Whether an item begins at this word: behind a comma, or behind `and`."""
    word, before = reading.words[index], reading.words[index - 1]
    if word.lower in _AND:
        return False
    return bool(_LINK.match(word.gap)) or (before.lower in _AND and index > 1)


def _together(reading: Reading, left: int, right: int) -> bool:
    """Whether two joints are of one sentence, and near enough for an item between them."""
    near = right - left <= _ITEM_WORDS + 1
    return near and not any(i in reading.sentence_starts for i in range(left, right + 1))


def _chain(reading: Reading, joints: list[int], least: int) -> _Chain:
    """The items around joints; the first reaches back, the last reaches on, to the sentence's edges.
    None is before the word `least`."""
    earlier = [i for i in reading.sentence_starts if i <= joints[0]]
    later = [i for i in reading.sentence_starts if i > joints[-1]]
    begin = max(max(earlier, default=0), joints[0] - _ITEM_WORDS - 1, least)
    end = min(min(later, default=len(reading.words)) - 1, joints[-1] + _ITEM_WORDS - 1)
    inner = [(first, _last(reading, joint)) for first, joint in zip([begin, *joints], joints, strict=False)]
    return [*inner, (joints[-1], end)]


def _last(reading: Reading, joint: int) -> int:
    """The last word of an item that ends before this joint."""
    return joint - 2 if reading.words[joint - 1].lower in _AND else joint - 1


def _cut(reading: Reading, chain: _Chain) -> Iterator[Candidate]:
    """The enumeration with each of its possible edges."""
    if any(last < first for first, last in chain):
        return
    inner = [_said(reading, first, last) for first, last in chain[1:-1]]
    (begin, stop), (start, end) = chain[0], chain[-1]
    lasts = _lasts(reading, start, end)
    for first in range(begin, stop + 1):
        if may_begin(reading, first):
            head = _said(reading, first, stop)
            yield from (
                Candidate([head, *inner, _said(reading, start, last)], "chain", first, last) for last in lasts
            )


def _lasts(reading: Reading, start: int, end: int) -> list[int]:
    """The words that the last item may end with."""
    words, found = reading.words, []
    for last in range(start, end + 1):
        if last > start and not _WITHIN.match(words[last].gap):
            break
        if may_end(reading, last) and not all(word.common for word in words[start : last + 1]):
            found.append(last)
    return found


def _said(reading: Reading, first: int, last: int) -> str:
    """An item without the function words before it."""
    words = reading.words
    while first < last and words[first].common and not words[first].capital:
        first += 1
    return reading.phrase(first, last)

"""Several calls, one after the other: the text is cut into stretches, and each call is read from one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.assign import Ranked
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.joints import CUT_WORDS
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.ranking.split import ELSEWHERE, Split, Taken, assigned, considered
from linnet.limits import LIMITS

_CUTS = 14
_HOPELESS = -40.0
_NO_EVIDENCE = -50.0


def stretches(sheet: Sheet) -> dict[int, Split]:
    """For each count the best way to cut the text, by dynamic programming over the cut points; one call always."""
    edges = [0, *_cut_points(sheet.reading), len(sheet.reading.words)]
    last = len(edges) - 1
    reach: list[dict[int, Split]] = [{0: Split((), 0.0)}, *({} for _ in range(last))]
    for end in range(1, last + 1):
        for begin in range(end):
            step: tuple[Taken, float] | None = None
            for count, before in reach[begin].items():
                if count >= LIMITS.calls_per_request or (count == 0) != (begin == 0):
                    continue
                step = step or _stretch(sheet, edges[begin], edges[end])
                score = before.score + step[1]
                rival = reach[end].get(count + 1)
                if score > _HOPELESS and (rival is None or score > rival.score):
                    places = (*before.stretches, (edges[begin], edges[end]))
                    reach[end][count + 1] = Split((*before.calls, step[0]), score, places)
    whole = reach[last]
    return whole or {1: Split(({},), 0.0, ((0, edges[-1]),))}


def _cut_points(reading: Reading) -> list[int]:
    """Words that a new call's stretch may begin with, the likeliest kinds first if there are too many."""
    words, found = reading.words, []
    for i in range(1, len(words)):
        if i in reading.sentence_starts:
            found.append((0, i))
        elif words[i].lower in CUT_WORDS:
            found.append((1, i))
        elif re.search(r"[,;]", words[i].gap) and words[i - 1].lower not in CUT_WORDS:
            found.append((2, i))
    return sorted(i for _, i in sorted(found)[:_CUTS])


def _stretch(sheet: Sheet, begin: int, end: int) -> tuple[Taken, float]:
    """What a call takes from a stretch, preferring it to the rest of the text; it must say something itself."""
    whole = begin == 0 and end >= len(sheet.reading.words)
    ways = {
        p: _within(costs, begin, end, whole, ELSEWHERE if p.required else 2 * ELSEWHERE)
        for p, costs in sheet.costs.items()
    }
    taken, score = assigned(ways)
    fresh = [p for p, c in taken.items() if c.inside(begin, end)]
    needed = any(p.required for p in sheet.parameters)
    says = any(p.required for p in fresh) if needed else bool(fresh)
    return taken, score if says or whole else _NO_EVIDENCE


def _within(costs: Sequence[tuple[Candidate, float]], begin: int, end: int, whole: bool, price: float) -> Ranked:
    def priced(candidate: Candidate) -> float | None:
        if whole or not candidate.covers or candidate.inside(begin, end):
            return 0.0
        return None if candidate.first < end and candidate.last >= begin else price

    return considered(costs, price, priced)

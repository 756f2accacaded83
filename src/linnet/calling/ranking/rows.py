"""The rows of a table: what each call takes of those arguments that the table has no list for.

A value that is told once may go for all rows, or for the one it stands in. One that is told in some rows only
(`3 rooms ... a similar house ... 2 rooms`) holds from there on where every call needs it, and is left out elsewhere.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.joints import cut, joined
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.ranking.split import NOTHING, Split, Taken, for_all

_CLEAR = 4.0
"""Nats within which a value must be as good as its argument's best to be what a row says of it."""


def rows(sheet: Sheet, single: Taken, table: Split) -> Iterator[Split]:
    """The table, whose calls have the values of its lists, in each way that the `single` values may be shared."""
    listed = [[call[p] for call in table.calls] for p in table.listed]
    if any(side_by_side(sheet.reading, items) for items in listed):
        yield _filled(table, [single] * len(table.calls))
        return
    starts = [min(c.first for c in call.values()) for call in table.calls]
    own = {p: _owner(sheet.reading, p, c, starts) for p, c in single.items()}
    yield _filled(table, [_of_row(single, own, row) for row in range(len(starts))])
    common = tuple(p for p, owner in own.items() if owner is not None)
    if common:
        yield replace(_filled(table, [single] * len(starts)), common=common)
    told = _told(sheet, single, table)
    if told:
        yield _retold(sheet, single, own, table, told)


def side_by_side(reading: Reading, items: Sequence[Candidate]) -> bool:
    """Whether nothing but `and` and the like stands between the items."""
    return all(joined(reading, a, b) for a, b in pairwise(items))


def _filled(table: Split, each: Sequence[Taken]) -> Split:
    return replace(table, calls=tuple({**call, **more} for call, more in zip(table.calls, each, strict=True)))


def _owner(reading: Reading, parameter: Parameter, candidate: Candidate, starts: Sequence[int]) -> int | None:
    """The row that alone has this value; None if it goes for all."""
    row = bisect_right(starts, candidate.first) - 1
    own = not parameter.required and candidate.covers and row >= 0 and not for_all(reading, candidate)
    return row if own else None


def _of_row(single: Taken, own: Mapping[Parameter, int | None], row: int) -> Taken:
    return {p: c if own[p] in (None, row) else NOTHING for p, c in single.items()}


# --- what rows say themselves ---------------------------------------------------------------------


def _told(sheet: Sheet, single: Taken, table: Split) -> dict[Parameter, dict[int, Candidate]]:
    """By argument without a list, and by row, the value in the row's own words, where two rows differ in it."""
    edges = _edges(sheet.reading, table)
    used = [c for call in table.calls for c in call.values()]
    found: dict[Parameter, dict[int, Candidate]] = {}
    for parameter in single:
        told: dict[int, Candidate] = {}
        for candidate, _ in sorted(sheet.mentions[parameter], key=lambda pair: -pair[1]):
            row = bisect_right(edges, candidate.first) - 1
            inside = candidate.last < edges[row + 1] if row + 1 < len(edges) else True
            if inside and sheet.cost(parameter, candidate) < _CLEAR and not any(candidate.meets(c) for c in used):
                told[row] = candidate
        if len({candidate.first for candidate in told.values()}) > 1:
            found[parameter] = told
            used += told.values()
    return found


def _edges(reading: Reading, table: Split) -> list[int]:
    """The word that each row begins with."""
    edges = [0]
    for call, following in pairwise(table.calls):
        last, first = max(c.last for c in call.values()), min(c.first for c in following.values())
        edges.append(cut(reading, last + 1, first) if last < first else first)
    return edges


def _retold(
    sheet: Sheet,
    single: Taken,
    own: Mapping[Parameter, int | None],
    table: Split,
    told: Mapping[Parameter, Mapping[int, Candidate]],
) -> Split:
    each = [_of_row(single, own, row) for row in range(len(table.calls))]
    score = table.score
    for parameter, by_row in told.items():
        held = by_row[min(by_row)] if parameter.required else NOTHING
        for row, taken in enumerate(each):
            taken[parameter] = by_row.get(row, held)
            if parameter.required:
                held = taken[parameter]
        score += sheet.cost(parameter, single[parameter]) - sum(sheet.cost(parameter, c) for c in by_row.values())
    return replace(_filled(table, each), score=score, told=tuple(told))

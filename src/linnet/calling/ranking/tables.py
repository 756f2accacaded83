"""Several calls as a table: some arguments have a value in each row, the others one for all.

Where a request names the values of an argument several times, it names them in the order of the calls, and in
the same manner: the same words before them, the same unit behind them, all quoted or all capital. That holds
for `10 and 20 years`, for `A and B, 3 and 4 respectively`, and for `A with 3, then B with 4`, so that one search
serves all of them. Rows of two arguments are told row by row or argument by argument; what is neither is unlikely.
"""

from __future__ import annotations

import heapq
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.assign import IN_ORDER, SHARED, SIBLINGS, siblings
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.ranking.split import CONSIDERED, ELSEWHERE, NOTHING, Split, assigned, for_all
from linnet.limits import LIMITS

NEAR = 6.5
"""Nats within which a value in a list must be as good as the best."""
_MENTIONS = 48
"""Places in the text that are tried as one argument's values."""
_LISTS, _SINGLES, _BEAM = 4, 6, 48
"""Lists and single values of an argument that are tried, and tables that are kept at each step."""
_KEPT = 2
"""Tables of each count and number of listed arguments that are handed on."""
_CROSSED, _INTERRUPTED = 5.0, 1.0
"""Nats against lists that are told neither row by row nor one after the other, and against a value for all
that stands between two rows."""
LISTABLE = ("string", "number", "options")
_LINK = re.compile(r"[,;&/\"'’”-]")
_UNIT = re.compile(r"\s?([^\W\d_]+|[%°])")


@dataclass(frozen=True)
class _List:
    """One argument's values in the order of the rows; `cost` is in nats, `apart` the part of it for unlikeness."""

    items: tuple[Candidate, ...]
    cost: float
    apart: float
    worst: float


@dataclass(frozen=True)
class _Table:
    """A table in the making: nats, single values, and lists."""

    score: float = 0.0
    single: tuple[tuple[Parameter, Candidate], ...] = ()
    listed: tuple[tuple[Parameter, _List], ...] = ()


def tables(sheet: Sheet) -> Iterator[Split]:
    """For each count of rows and of listed arguments the likeliest tables; then products of two lists."""
    lists = {p: _lists(sheet, p) for p in sheet.parameters if p.type in LISTABLE}
    for count in range(2, LIMITS.calls_per_request + 1):
        if any(count in found for found in lists.values()):
            for table in _best(sheet, {p: found.get(count, []) for p, found in lists.items()}):
                yield _rows(sheet.reading, table, count)
    yield from _products(sheet, {p: {n: found[0] for n, found in by.items()} for p, by in lists.items()})


# --- one argument's values -----------------------------------------------------------------------


def _lists(sheet: Sheet, parameter: Parameter) -> dict[int, list[_List]]:
    """By their count, the likeliest lists of values that stand one behind the other."""
    chosen = mentions(sheet, parameter)
    looks = [_look(sheet.reading, c) for c, _ in chosen]
    ending: list[dict[int, list[_List]]] = []
    for j, (candidate, cost) in enumerate(chosen):
        mine = {1: [_List((candidate,), cost, 0.0, cost)]}
        for i in range(j):
            if chosen[i][0].last >= candidate.first:
                continue
            unlike = _unlike(sheet.reading, looks[i], looks[j])
            for count, before in ending[i].items():
                if count < LIMITS.calls_per_request:
                    longer = [
                        _List((*b.items, candidate), b.cost + cost + unlike, b.apart + unlike, max(b.worst, cost))
                        for b in before
                    ]
                    mine[count + 1] = heapq.nsmallest(2, [*mine.get(count + 1, []), *longer], key=_cost)
        ending.append(mine)
    found: dict[int, list[_List]] = {}
    for mine in ending:
        for count, made in mine.items():
            if count > 1:
                found[count] = heapq.nsmallest(_LISTS, [*found.get(count, []), *made], key=_cost)
    return found


def mentions(sheet: Sheet, parameter: Parameter) -> list[tuple[Candidate, float]]:
    """The likely values of an argument in the text, in its order, with their costs in nats."""
    near = [(c, cost) for c, cost in sheet.costs[parameter] if c.covers and cost < NEAR]
    chosen = heapq.nsmallest(_MENTIONS, near, key=lambda pair: pair[1])
    return sorted(chosen, key=lambda pair: (pair[0].first, pair[0].last))


def _cost(made: _List) -> float:
    return made.cost


@dataclass(frozen=True)
class _Look:
    """What values of one argument have in common."""

    candidate: Candidate
    before: str
    kind: str
    unit: str
    words: int


JOINTS = frozenset(("and", "or", "then", "also", "plus"))


def _look(reading: Reading, candidate: Candidate) -> _Look:
    words = reading.words
    first, last = words[candidate.first], words[candidate.last]
    around = reading.text[max(0, first.start - 1) : first.start]
    before = words[candidate.first - 1].lower if candidate.first else ""
    unit = _UNIT.match(reading.text, candidate.quantity.end) if candidate.quantity else None
    digits = any(character.isdigit() for character in reading.text[first.start : last.end])
    shape = "digits" if digits else "capital" if first.capital else "plain"
    quoted = "quoted" if around in "'\"‘“`" and around else "money" if around in "$€£" and around else ""
    return _Look(
        candidate,
        before,
        f"{candidate.source if candidate.quantity else ''} {shape} {quoted}",
        unit[1].lower() if unit else "",
        candidate.last - candidate.first + 1,
    )


def _unlike(reading: Reading, left: _Look, right: _Look) -> float:
    """Nats against two values as one argument's, next to each other in the table."""
    between = [w.lower for w in reading.words[left.candidate.last + 1 : right.candidate.first]]
    joined = not between or all(word in JOINTS for word in between)
    nats = 0.3 * min(4, abs(left.words - right.words))
    nats += 1.5 * (left.kind != right.kind)
    if joined:
        gap = reading.words[right.candidate.first].gap
        return nats + (0.0 if between or _LINK.search(gap) else 1.5)
    nats += 0.0 if left.before == right.before else 1.0
    return nats + (1.0 if left.unit != right.unit and left.unit and right.unit else 0.0)


# --- all arguments together ----------------------------------------------------------------------


def _best(sheet: Sheet, lists: dict[Parameter, list[_List]]) -> Iterator[_Table]:
    """The likeliest tables for each number of listed arguments, by a beam search over the parameters."""
    singles = {p: heapq.nsmallest(_SINGLES, costs, key=lambda pair: pair[1]) for p, costs in sheet.costs.items()}
    order = sorted(sheet.parameters, key=lambda p: (not lists.get(p), p.index))
    beam: dict[int, list[_Table]] = {0: [_Table()]}
    for parameter in order:
        wider: dict[int, list[_Table]] = {}
        for depth, tables_ in beam.items():
            for table in tables_:
                for candidate, cost in singles[parameter]:
                    wider.setdefault(depth, []).append(_with_single(table, parameter, candidate, cost))
                if not singles[parameter]:
                    wider.setdefault(depth, []).append(table)
                for made in lists.get(parameter, ()):
                    wider.setdefault(depth + 1, []).append(_with_list(table, parameter, made))
        beam = {depth: heapq.nlargest(_BEAM, found, key=_score) for depth, found in wider.items()}
    for depth, found in beam.items():
        if depth:
            yield from found[:_KEPT]


def _score(table: _Table) -> float:
    return table.score


def _with_single(table: _Table, parameter: Parameter, candidate: Candidate, cost: float) -> _Table:
    """With one value for all rows; it is taken from none of their own words, and rather not from between them."""
    nats = cost
    if candidate.covers:
        for _, other in table.single:
            nats += SHARED * _meets(candidate, other)
        for _, made in table.listed:
            nats += ELSEWHERE * any(_meets(candidate, other) for other in made.items)
            nats += _INTERRUPTED * (made.items[0].last < candidate.first and candidate.last < made.items[-1].first)
    return _Table(table.score - nats, (*table.single, (parameter, candidate)), table.listed)


def _with_list(table: _Table, parameter: Parameter, made: _List) -> _Table:
    nats = made.cost
    for peer, other in table.listed:
        nats += SHARED * sum(_meets(a, b) for a in made.items for b in other.items)
        nats += _arranged(made.items, other.items)
        if peer.type == parameter.type:
            ordered = (peer.index < parameter.index) == (other.items[0].first < made.items[0].first)
            weight = SIBLINGS if siblings(parameter, peer) else IN_ORDER
            nats += -weight if ordered else weight
    for _, single in table.single:
        nats += ELSEWHERE * any(_meets(single, item) for item in made.items)
    return _Table(table.score - nats, table.single, (*table.listed, (parameter, made)))


def _meets(one: Candidate, other: Candidate) -> bool:
    """Whether both take the same words; only an option's name may stand inside a text."""
    return (one.source == "named") == (other.source == "named") and one.meets(other)


def _arranged(one: Sequence[Candidate], other: Sequence[Candidate]) -> float:
    """Nats against the order in which two lists are told."""
    in_rows = all(
        max(a.last, b.last) < min(c.first, d.first)
        for (a, c), (b, d) in zip(pairwise(one), pairwise(other), strict=True)
    )
    apart = one[-1].last < other[0].first or other[-1].last < one[0].first
    return 0.0 if in_rows or apart else _CROSSED


def _rows(reading: Reading, table: _Table, count: int) -> Split:
    calls = [{p: made.items[row] for p, made in table.listed} for row in range(count)]
    starts = [min(c.first for c in call.values()) for call in calls]
    told_apart = not any(_side_by_side(reading, made.items) for _, made in table.listed)
    for parameter, candidate in table.single:
        row = bisect_right(starts, candidate.first) - 1
        own = told_apart and not parameter.required and candidate.covers and row >= 0
        for number, call in enumerate(calls):
            if not own or number == row or for_all(reading, candidate):
                call[parameter] = candidate
            else:
                call[parameter] = NOTHING
    return Split(
        tuple(calls),
        table.score,
        listed=tuple(p for p, _ in table.listed),
        apart=sum(made.apart for _, made in table.listed),
        worst=max(made.worst for _, made in table.listed),
    )


def _side_by_side(reading: Reading, items: Sequence[Candidate]) -> bool:
    """Whether nothing but `and` and the like stands between the items."""
    return all(joined(reading, a, b) for a, b in pairwise(items))


def joined(reading: Reading, left: Candidate, right: Candidate) -> bool:
    """Whether two values stand in one enumeration, the one right behind the other."""
    between = reading.words[left.last + 1 : right.first]
    linked = bool(between) or bool(_LINK.search(reading.words[right.first].gap))
    return linked and all(word.lower in JOINTS for word in between)


# --- each with each ------------------------------------------------------------------------------


def _products(sheet: Sheet, lists: dict[Parameter, dict[int, _List]]) -> Iterator[Split]:
    """Each value of one list with each of another: `in Rome and Lyon for both 2020 and 2021` is four calls."""
    pairs = [(p, made) for p, by in lists.items() for made in by.values() if _side_by_side(sheet.reading, made.items)]
    for (one, left), (other, right) in combinations(pairs, 2):
        count = len(left.items) * len(right.items)
        if one is other or count > LIMITS.calls_per_request:
            continue
        if any(_meets(a, b) for a in left.items for b in right.items) or _arranged_apart(left, right):
            continue
        used = (*left.items, *right.items)
        ways = {
            p: sorted(
                ((c, -cost - ELSEWHERE * any(_meets(c, u) for u in used)) for c, cost in costs),
                key=lambda pair: -pair[1],
            )[:CONSIDERED]
            for p, costs in sheet.costs.items()
            if p is not one and p is not other
        }
        shared, score = assigned(ways)
        yield Split(
            tuple({**shared, one: a, other: b} for a in left.items for b in right.items),
            score - left.cost - right.cost,
            listed=(one, other),
            product=True,
            apart=left.apart + right.apart,
            worst=max(left.worst, right.worst),
        )


def _arranged_apart(left: _List, right: _List) -> bool:
    """Whether the lists are mingled: then they are rows, and no product."""
    return not (left.items[-1].last < right.items[0].first or right.items[-1].last < left.items[0].first)

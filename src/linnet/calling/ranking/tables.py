"""Several calls as a table: some arguments have a value in each row, the others one for all.

Where a request names the values of an argument several times, it names them in the order of the calls, and in
the same manner: the same words before them, the same unit behind them, all quoted or all capital. That holds
for `10 and 20 years`, for `A and B, 3 and 4 respectively`, and for `A with 3, then B with 4`, so that one search
serves all of them. Rows of two arguments are told row by row or argument by argument; what is neither is unlikely.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from itertools import combinations, pairwise
from operator import attrgetter, itemgetter

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.ranking.assign import IN_ORDER, SHARED, SIBLINGS, siblings
from linnet.calling.ranking.candidate import Candidate
from linnet.calling.ranking.looks import look, unlikeness
from linnet.calling.ranking.rows import rows, side_by_side
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.ranking.split import ELSEWHERE, Split, assigned, considered
from linnet.limits import LIMITS

_LISTS, _SINGLES, _BEAM = 12, 6, 48
"""Lists and single values of an argument that are tried, and tables that are kept at each step."""
_KEPT = 2
"""Tables of each count and number of listed arguments that are handed on."""
_PRODUCTS = 32
"""Pairs of lists, the likeliest first, that are tried each value with each."""
_CROSSED, _INTERRUPTED = 5.0, 1.0
"""Nats against lists that are told neither row by row nor one after the other, and against a value for all
that stands between two rows."""
LISTABLE = ("string", "number", "options")


@dataclass(frozen=True)
class _List:
    """One argument's values in the order of the rows; `cost` is in nats, `apart` the part of it for unlikeness."""

    items: tuple[Candidate, ...]
    cost: float
    apart: float
    worst: float


def tables(sheet: Sheet) -> Iterator[Split]:
    """For each count of rows and of listed arguments the likeliest tables; then products of two lists."""
    lists = {p: _lists(sheet, p) for p in sheet.parameters if p.type in LISTABLE}
    singles = {p: [_Choice(p, (c,), cost) for c, cost in costs[:_SINGLES]] for p, costs in sheet.costs.items()}
    for count in range(2, LIMITS.calls_per_request + 1):
        if any(count in found for found in lists.values()):
            for table in _best(singles, {p: found.get(count, []) for p, found in lists.items()}):
                single = {choice.parameter: choice.items[0] for choice in table.choices if not choice.made}
                yield from rows(sheet, single, _split(table))
    yield from _products(sheet, {p: {n: found[0] for n, found in by.items()} for p, by in lists.items()})


# --- one argument's values -----------------------------------------------------------------------


def _lists(sheet: Sheet, parameter: Parameter) -> dict[int, list[_List]]:
    """By their count, the likeliest lists of values that stand one behind the other."""
    chosen = sheet.mentions[parameter]
    positions = sheet.tuples if parameter.type == "number" else {}
    looks = [look(sheet.reading, c, positions) for c, _ in chosen]
    ending: list[dict[int, list[_End]]] = []
    for j, (candidate, cost) in enumerate(chosen):
        mine = {1: [_End(cost, 0.0, cost, candidate)]}
        for i in range(j):
            if chosen[i][0].last >= candidate.first:
                continue
            unlike = unlikeness(sheet.reading, looks[i], looks[j])
            for count, before in ending[i].items():
                if count < LIMITS.calls_per_request:
                    _keep_two(mine.setdefault(count + 1, []), before, candidate, cost, unlike)
        ending.append(mine)
    found: dict[int, list[_End]] = {}
    for mine in ending:
        for count, ends in mine.items():
            if count > 1:
                found[count] = nsmallest(_LISTS, [*found.get(count, []), *ends], key=_COST)
    return {count: [end.whole() for end in ends] for count, ends in found.items()}


@dataclass(frozen=True)
class _End:
    """The last value of a list in the making, and what it has cost up to here."""

    cost: float
    apart: float
    worst: float
    candidate: Candidate
    before: _End | None = None

    def whole(self) -> _List:
        items, end = [self.candidate], self.before
        while end:
            items.append(end.candidate)
            end = end.before
        return _List(tuple(reversed(items)), self.cost, self.apart, self.worst)


_COST = attrgetter("cost")


def _keep_two(kept: list[_End], ends: Sequence[_End], candidate: Candidate, cost: float, unlike: float) -> None:
    """The two best of those that are known and those that this candidate makes longer."""
    for end in ends:
        nats = end.cost + cost + unlike
        if len(kept) < 2 or nats < kept[-1].cost:
            kept.append(_End(nats, end.apart + unlike, max(end.worst, cost), candidate, end))
            kept.sort(key=_COST)
            del kept[2:]


# --- all arguments together ----------------------------------------------------------------------


class _Choice:
    """What an argument takes in a table: one value for all rows, or a list with one for each."""

    def __init__(self, parameter: Parameter, items: tuple[Candidate, ...], cost: float, made: _List | None = None):
        self.parameter, self.items, self.cost, self.made = parameter, items, cost, made
        self.beside = _Beside(self)


class _Beside(dict[_Choice, float]):
    """Nats against a choice beside one that was made before; worked out once for each pair."""

    def __init__(self, own: _Choice) -> None:
        super().__init__()
        self._own = own

    def __missing__(self, other: _Choice) -> float:
        self[other] = nats = _beside(self._own, other)
        return nats


def _beside(own: _Choice, other: _Choice) -> float:
    if own.made and other.made:
        return _together(own, other)
    if own.made or other.made:
        made, single = (own, other) if own.made else (other, own)
        candidate, first, last = single.items[0], made.items[0], made.items[-1]
        if not candidate.covers:
            return 0.0
        nats = ELSEWHERE * any(_meets(candidate, item) for item in made.items)
        between = other.made and first.last < candidate.first and candidate.last < last.first
        return nats + (_INTERRUPTED if between else 0.0)
    return SHARED * _meets(own.items[0], other.items[0])


def _together(own: _Choice, other: _Choice) -> float:
    """Two lists: they take none of each other's words, are told one way or the other, and rather in the order of
    the parameters."""
    nats = SHARED * sum(_meets(a, b) for a in own.items for b in other.items) + _arranged(own.items, other.items)
    if other.parameter.type == own.parameter.type:
        ordered = (other.parameter.index < own.parameter.index) == (other.items[0].first < own.items[0].first)
        weight = SIBLINGS if siblings(own.parameter, other.parameter) else IN_ORDER
        nats += -weight if ordered else weight
    return nats


@dataclass(frozen=True)
class _Table:
    """A table in the making: nats, and what its arguments take."""

    score: float = 0.0
    choices: tuple[_Choice, ...] = ()


def _best(
    singles: Mapping[Parameter, Sequence[_Choice]], lists: Mapping[Parameter, Sequence[_List]]
) -> Iterator[_Table]:
    """The likeliest tables for each number of listed arguments, by a beam search over the parameters."""
    beam: dict[int, list[_Table]] = {0: [_Table()]}
    for parameter in sorted(singles, key=lambda p: (not lists.get(p), p.index)):
        listed = [_Choice(parameter, made.items, made.cost, made) for made in lists.get(parameter, ())]
        wider: dict[int, list[tuple[float, _Table, _Choice | None]]] = {}
        for depth, found in beam.items():
            for table in found:
                alone = wider.setdefault(depth, [])
                alone += [(table.score - _price(c, table), table, c) for c in singles[parameter]]
                if not singles[parameter]:
                    alone.append((table.score, table, None))
                if listed:
                    deeper = wider.setdefault(depth + 1, [])
                    deeper += [(table.score - _price(c, table), table, c) for c in listed]
        beam = {depth: [_with(*way) for way in nlargest(_BEAM, ways, itemgetter(0))] for depth, ways in wider.items()}
    for depth, found in beam.items():
        if depth:
            yield from found[:_KEPT]


def _price(choice: _Choice, table: _Table) -> float:
    nats, beside = choice.cost, choice.beside
    for other in table.choices:
        nats += beside[other]
    return nats


def _split(table: _Table) -> Split:
    """What the lists of a table say of each call."""
    made = {choice.parameter: choice.made for choice in table.choices if choice.made}
    return Split(
        tuple(dict(zip(made, row, strict=True)) for row in zip(*(one.items for one in made.values()), strict=True)),
        table.score,
        listed=tuple(made),
        apart=sum(one.apart for one in made.values()),
        worst=max(one.worst for one in made.values()),
    )


def _with(score: float, table: _Table, choice: _Choice | None) -> _Table:
    return _Table(score, (*table.choices, choice) if choice else table.choices)


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


# --- each with each ------------------------------------------------------------------------------


def _products(sheet: Sheet, lists: dict[Parameter, dict[int, _List]]) -> Iterator[Split]:
    """Each value of one list with each of another: `in Rome and Lyon for both 2020 and 2021` is four calls."""
    pairs = [(p, made) for p, by in lists.items() for made in by.values() if side_by_side(sheet.reading, made.items)]
    met = [(one, left, other, right) for (one, left), (other, right) in combinations(pairs, 2) if one is not other]
    few = [way for way in met if len(way[1].items) * len(way[3].items) <= LIMITS.calls_per_request]
    free = [way for way in few if _free(way[1], way[3])]
    for one, left, other, right in nsmallest(_PRODUCTS, free, key=lambda way: way[1].cost + way[3].cost):
        used = (*left.items, *right.items)

        def price(candidate: Candidate, used: Sequence[Candidate] = used) -> float:
            return ELSEWHERE * any(_meets(candidate, item) for item in used)

        ways = {p: considered(way, ELSEWHERE, price) for p, way in sheet.costs.items() if p not in (one, other)}
        shared, score = assigned(ways)
        yield Split(
            tuple({**shared, one: a, other: b} for a in left.items for b in right.items),
            score - left.cost - right.cost,
            listed=(one, other),
            product=True,
            apart=left.apart + right.apart,
            worst=max(left.worst, right.worst),
        )


def _free(left: _List, right: _List) -> bool:
    """Whether two lists stand one behind the other; those that are mingled are rows, and no product."""
    return left.items[-1].last < right.items[0].first or right.items[-1].last < left.items[0].first

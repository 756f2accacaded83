"""How many calls of one tool a text asks for, and what each of them takes from it.

Two ways to ask for several: one after the other (`the base is 3, and for the second it is 4`: the text is
cut into stretches, each filled by itself), and by enumeration (`in Paris, Rome and Oslo`: one argument has
several values, the others are shared or go along `respectively`). Every count has its best hypothesis; how
well it explains the text is weighed by fitted weights. Pure: the model is not asked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.assign import Ranked, assign
from linnet.calling.ranking.candidates import Candidate
from linnet.calling.ranking.features import Features
from linnet.calling.ranking.ranker import weigh
from linnet.calling.ranking.sheet import Sheet
from linnet.limits import LIMITS

ELSEWHERE = 2.5
"""Nats against taking a value from another call's stretch of the text."""
NEAR = 6.5
"""Nats within which the values of an enumeration must be as good as the best."""
NEAR_RESPECTIVELY = 6.5
_CUTS = 14
_CUT_WORDS = frozenset(("and", "also", "then", "while", "plus", "whereas", "finally", "lastly", "or"))
_STRETCH_FIRST = 1.0
_HOPELESS = -40.0
_NO_EVIDENCE = -50.0
_CONSIDERED = 14
_ENUMERABLE = ("string", "number", "options")

Taken = dict[Parameter, Candidate]


@dataclass(frozen=True)
class Draft:
    """One call in the making: the text it is read from, and each parameter's ranked candidates."""

    text: str
    ways: Mapping[Parameter, Ranked]

    def taken(self) -> Taken:
        offered = {parameter: way for parameter, way in self.ways.items() if way}
        best = assign(offered)
        return dict(zip(offered, best.chosen, strict=True)) if best else {}


@dataclass(frozen=True)
class Split:
    """A hypothesis: what each of its calls takes, and the nats it loses against each argument's best value.

    `stretches` are word numbers `(begin, end)` when the calls stand one after the other; `enumerated` are the
    arguments whose values are enumerated otherwise, `worst` the greatest cost of such a value.
    """

    calls: tuple[Taken, ...]
    score: float
    stretches: tuple[tuple[int, int], ...] = ()
    enumerated: tuple[Parameter, ...] = ()
    worst: float = 0.0


def drafts(sheet: Sheet) -> list[Draft]:
    """The calls that the text most likely asks for, at least one."""
    options = splits(sheet)
    weights = sheet.weights.counts
    best = max(options, key=lambda split: weigh(features(sheet, split), weights))
    if len(best.calls) == 1:
        return [Draft(sheet.reading.text, sheet.ways)]
    made = [_draft(sheet, best, number) for number in range(len(best.calls))]
    return _shared(made, sheet.parameters)


def splits(sheet: Sheet) -> list[Split]:
    """The best hypothesis for each count."""
    best = _stretches(sheet)
    for split in _enumerations(sheet):
        rival = best.get(len(split.calls))
        if rival is None or split.score > rival.score + (_STRETCH_FIRST if rival.stretches else 0.0):
            best[len(split.calls)] = split
    return list(best.values())


# --- one after the other -------------------------------------------------------------------------


def _cut_points(reading: Reading) -> list[int]:
    """Words that a new call's stretch may begin with, the likeliest kinds first if there are too many."""
    words, found = reading.words, []
    for i in range(1, len(words)):
        if i in reading.sentence_starts:
            found.append((0, i))
        elif words[i].lower in _CUT_WORDS:
            found.append((1, i))
        elif re.search(r"[,;]", words[i].gap) and words[i - 1].lower not in _CUT_WORDS:
            found.append((2, i))
    return sorted(i for _, i in sorted(found)[:_CUTS])


def _stretches(sheet: Sheet) -> dict[int, Split]:
    """For each count the best way to cut the text, by dynamic programming over the cut points."""
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


def _stretch(sheet: Sheet, begin: int, end: int) -> tuple[Taken, float]:
    """What a call takes from a stretch, preferring it to the rest of the text; it must say something itself."""
    whole = begin == 0 and end >= len(sheet.reading.words)
    ways = {p: _within(costs, begin, end, whole) for p, costs in sheet.costs.items()}
    taken, score = _assigned(ways)
    fresh = [p for p, c in taken.items() if c.inside(begin, end)]
    needed = any(p.required for p in sheet.parameters)
    says = any(p.required for p in fresh) if needed else bool(fresh)
    return taken, score if says or whole else _NO_EVIDENCE


def _within(costs: Sequence[tuple[Candidate, float]], begin: int, end: int, whole: bool) -> Ranked:
    found = []
    for candidate, cost in costs:
        if candidate.covers and not whole and not candidate.inside(begin, end):
            if candidate.first < end and candidate.last >= begin:
                continue
            cost += ELSEWHERE
        found.append((candidate, -cost))
    return sorted(found, key=lambda pair: -pair[1])[:_CONSIDERED]


def _assigned(ways: Mapping[Parameter, Ranked]) -> tuple[Taken, float]:
    offered = {parameter: way for parameter, way in ways.items() if way}
    best = assign(offered)
    return (dict(zip(offered, best.chosen, strict=True)), best.score) if best else ({}, 0.0)


# --- by enumeration ------------------------------------------------------------------------------

Items = list[tuple[Candidate, float]]


def _enumerations(sheet: Sheet) -> Iterator[Split]:
    """Hypotheses in which one argument's values are enumerated, two go along, or each meets each."""
    respectively = any(word.lower == "respectively" for word in sheet.reading.words)
    within = NEAR_RESPECTIVELY if respectively else NEAR
    lists: list[tuple[Parameter, Items]] = [
        (parameter, items)
        for parameter in sheet.parameters
        if parameter.type in _ENUMERABLE
        for count in range(2, LIMITS.calls_per_request + 1)
        if (items := _enumerated(sheet, parameter, count, within))
    ]
    for parameter, items in lists:
        along = {q: r for q, r in lists if q is not parameter and len(r) == len(items) and not _meet(r, items)}
        if not (along and respectively):  # by its own costs alone it is always ahead of those that go along
            yield _spread(sheet, [{parameter: item} for item in items])
        if along and (respectively or any(q.type == "number" for q in along)):
            rows = [{parameter: item, **{q: r[i] for q, r in along.items()}} for i, item in enumerate(items)]
            yield _spread(sheet, rows)
    for (one, left), (other, right) in product(lists, lists):
        count = len(left) * len(right)
        if (
            one.index < other.index
            and not respectively
            and count <= LIMITS.calls_per_request
            and not _meet(left, right)
        ):
            yield _spread(sheet, [{one: a, other: b} for a in left for b in right])


def _meet(left: Items, right: Items) -> bool:
    return any(a.meets(b) for a, _ in left for b, _ in right)


def _enumerated(sheet: Sheet, parameter: Parameter, count: int, within: float) -> Items:
    """`count` values that stand side by side, in their order; none when there are fewer or something between."""
    items = sheet.apart(parameter, count, within)
    if len(items) < count:
        return []
    items.sort(key=lambda item: item[0].first)
    spare = 1 if parameter.type == "number" else 0
    pairs = pairwise(items)
    return items if all(_side_by_side(sheet.reading, a, b, spare) for (a, _), (b, _) in pairs) else []


def _side_by_side(reading: Reading, left: Candidate, right: Candidate, spare: int) -> bool:
    between = [word.lower for word in reading.words[left.last + 1 : right.first]]
    others = [word for word in between if word not in ("and", "or", "then", "also")]
    if len(others) > spare or len(between) > 2 + spare:
        return False
    return bool(between) or bool(re.search(r"[,;&/\"']", reading.words[right.first].gap))


def _spread(sheet: Sheet, rows: Sequence[Mapping[Parameter, tuple[Candidate, float]]]) -> Split:
    """A call for each row; what a row leaves open is taken from the whole text, but for the rows' own words."""
    used = [candidate for row in rows for candidate, _ in row.values()]
    open_ways = {
        p: sorted(((c, -cost - _lost(c, used)) for c, cost in costs), key=lambda pair: -pair[1])[:_CONSIDERED]
        for p, costs in sheet.costs.items()
    }
    calls, total = [], 0.0
    for row in rows:
        taken, score = _assigned({**open_ways, **{p: [(c, -cost)] for p, (c, cost) in row.items()}})
        calls.append(taken)
        total += score
    worst = max(cost for row in rows for _, cost in row.values())
    return Split(tuple(calls), total, enumerated=tuple(rows[0]), worst=worst)


def _lost(candidate: Candidate, used: Sequence[Candidate]) -> float:
    return ELSEWHERE if any(candidate.meets(other) for other in used) else 0.0


# --- drafts --------------------------------------------------------------------------------------


def _draft(sheet: Sheet, split: Split, number: int) -> Draft:
    taken = split.calls[number]
    if not split.stretches:
        mine = [c for other in split.calls for c in other.values() if c.covers]
        ways = {p: _settled(way, taken.get(p), split, p, mine) for p, way in sheet.ways.items()}
        return Draft(sheet.reading.text, ways)
    begin, end = split.stretches[number]
    text = said(sheet.reading, begin, end)
    own = Sheet(sheet.tool, sheet.parameters, Reading(text), sheet.weights).ways
    shared = {p: c for p, c in taken.items() if c.covers and not c.inside(begin, end)}
    return Draft(text, {p: _only(shared[p]) if p in shared else way for p, way in own.items()})


def _settled(
    way: Ranked, candidate: Candidate | None, split: Split, parameter: Parameter, used: Sequence[Candidate]
) -> Ranked:
    """What an enumeration settled is not asked again."""
    values = {id(call.get(parameter)) for call in split.calls}
    if candidate is not None and len(values) > 1:
        return [(candidate, 0.0)]
    others = [other for other in used if other is not candidate]
    return [(c, nats - _lost(c, others)) for c, nats in way]


def _only(candidate: Candidate) -> Ranked:
    """A value from elsewhere: the words it covers are none of this text."""
    return [(replace(candidate, source="shared", first=-1, last=-1), 0.0)]


def said(reading: Reading, begin: int, end: int) -> str:
    """The text of words `begin` up to `end`, with what stands behind the last."""
    words = reading.words
    start = words[begin].start if begin else 0
    return reading.text[start : words[end].start if end < len(words) else len(reading.text)].strip()


def _shared(made: list[Draft], parameters: Sequence[Parameter]) -> list[Draft]:
    """What one call alone says goes for all of them: `both in the state of California`."""
    takens = [draft.taken() for draft in made]
    for parameter in parameters:
        named = [
            t[parameter]
            for t in takens
            if parameter in t and (t[parameter].covers or t[parameter].source == "shared")
        ]
        if len(named) == 1 and parameter.type != "boolean":
            made = [
                draft
                if taken.get(parameter) is named[0]
                else Draft(draft.text, {**draft.ways, parameter: _only(named[0])})
                for draft, taken in zip(made, takens, strict=True)
            ]
    return made


# --- how many ------------------------------------------------------------------------------------

_KEYWORDS = (
    "respectively each both two three four also then another second first lastly finally compare difference between "
    "same and"
).split()
_NUMBERS = {"two": 2, "both": 2, "three": 3, "four": 4}


def features(sheet: Sheet, split: Split) -> Features:
    """What speaks for and against a hypothesis."""
    words, count = sheet.reading.words, len(split.calls)
    many = f"many={count > 1}"
    kind = "stretches" if split.stretches else "enumeration"
    found: Features = {
        f"n={min(count, 4)}": 1.0,
        "score": split.score,
        f"score|{many}": split.score,
        f"{kind}|{many}": 1.0,
    }
    if count > 1:
        found["per call"] = found[f"per call|{kind}"] = split.score / (count - 1)
    found.update(_numbers(sheet, count, many))
    found.update(_listed(sheet, split))
    heard = {word.lower for word in words}
    for keyword in _KEYWORDS:
        if keyword in heard:
            found[f"{keyword}|{many}"] = 1.0
            if keyword in _NUMBERS:
                found[f"{keyword}|is {_NUMBERS[keyword] == count}"] = 1.0
    sentences = len(sheet.reading.sentence_starts)
    found[f"sentences equal|{many}"] = float(sentences == count)
    found[f"sentences|{many}"] = float(min(sentences, 6))
    names = [p.path[-1].lower() for p in sheet.parameters if p.type == "string"]
    found[f"plural|{many}"] = float(any(_plural(name) & heard for name in names))
    found[f"length|{many}"] = min(len(words), 80) / 20
    found.update(_unused(sheet, split))
    return found


def _listed(sheet: Sheet, split: Split) -> Features:
    """Of an enumeration: what kind of argument it is, and whether another could take its second value instead."""
    found: Features = {}
    for parameter in split.enumerated:
        rivals = sum(p.type == parameter.type and (p.required or not parameter.required) for p in sheet.parameters)
        need = "required" if parameter.required else "optional"
        found[f"lists {parameter.type}|{need}|alone={rivals == 1}"] = 1.0
        values = [call[parameter].value for call in split.calls if parameter in call]
        capitals = {str(value)[:1].isupper() for value in values}
        found[f"lists alike={len(capitals) == 1}"] = 1.0
        found[f"lists names={capitals == {True}}|alone={rivals == 1}"] = 1.0
    if split.enumerated:
        found["lists worst"] = split.worst
        found[f"lists {len(split.enumerated)}"] = 1.0
        takes_lists = any(p.type == "array" for p in sheet.parameters)
        found[f"lists|list taker={takes_lists}"] = 1.0
    return found


def _plural(name: str) -> set[str]:
    return {f"{name}s", f"{name.removesuffix('y')}ies"}


def _numbers(sheet: Sheet, count: int, many: str) -> Features:
    """Whether the text has as many numbers as so many calls need."""
    numeric = [p for p in sheet.parameters if p.type == "number"]
    have, need = len(sheet.reading.quantities), sum(p.required for p in numeric)
    if need:
        return {
            f"numbers exact|{many}": float(have == count * need),
            f"numbers enough|{many}": float(have >= count * need),
            "numbers left": float(min(4, abs(have - count * need))),
        }
    return {f"optional numbers exact|{many}": float(have == count * len(numeric))} if numeric else {}


def _unused(sheet: Sheet, split: Split) -> Features:
    """Numbers, names and quotations that no call takes, and values that several calls share."""
    reading, count = sheet.reading, len(split.calls)
    places = {(c.first, c.last) for call in split.calls for c in call.values() if c.covers}

    def left(indices: Sequence[int]) -> int:
        return sum(not any(a <= i <= b for a, b in places) for i in indices)

    digits = [i for i, w in enumerate(reading.words) if any(c.isdigit() for c in w.text)]
    capitals = [i for i, w in enumerate(reading.words) if w.capital and i not in reading.sentence_starts]
    spans = [(reading.words[a].start, reading.words[b].end) for a, b in places]
    quotes = sum(not any(a < q.end and q.start < b for a, b in spans) for q in reading.quotations)
    twice = 0
    for parameter in sheet.parameters:
        own = [c for call in split.calls if (c := call.get(parameter)) is not None and c.covers]
        twice += len(own) - len({(c.first, c.last) for c in own})
    return {
        "numbers unused": float(left(digits)),
        "numbers unused share": left(digits) / max(1, len(digits)),
        "capitals unused": float(min(5, left(capitals))),
        "capitals unused share": min(5, left(capitals)) / max(1, min(5, len(capitals))),
        "quotations unused": float(quotes),
        "shared per call": twice / count,
    }

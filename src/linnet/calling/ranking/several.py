"""How many calls of one tool a text asks for, and what each of them takes from it.

Two ways to ask for several are tried: one after the other (`stretches`), and as a table whose rows are the
calls (`tables`). How well a hypothesis explains the text is weighed by fitted weights. Pure: the model is not
asked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.assign import Ranked
from linnet.calling.ranking.candidates import Candidate
from linnet.calling.ranking.counting import features
from linnet.calling.ranking.ranker import weigh
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.ranking.split import ELSEWHERE, NOTHING, Split, Taken, assigned, for_all, said
from linnet.calling.ranking.stretches import stretches
from linnet.calling.ranking.tables import tables

_BEHIND = 8.0
"""Nats by which a table may be worse than the best one with as many rows."""


@dataclass(frozen=True)
class Draft:
    """One call in the making: the text it is read from, and each parameter's ranked candidates."""

    text: str
    ways: Mapping[Parameter, Ranked]

    def taken(self) -> Taken:
        return assigned(self.ways)[0]


def drafts(sheet: Sheet) -> list[Draft]:
    """The calls that the text most likely asks for, at least one."""
    weights = sheet.weights.counts
    best = max(splits(sheet), key=lambda split: weigh(features(sheet, split), weights))
    if len(best.calls) == 1:
        return [Draft(sheet.reading.text, sheet.ways)]
    made = [_draft(sheet, best, number) for number in range(len(best.calls))]
    return _shared(made, sheet.parameters) if best.stretches else made


def splits(sheet: Sheet) -> list[Split]:
    """The likely hypotheses, of every kind and count; nobody asks for nothing but the very same call again."""
    found = [split for split in tables(sheet) if not _repeats(split)]
    best: dict[int, float] = {}
    for split in found:
        best[len(split.calls)] = max(split.score, best.get(len(split.calls), split.score))
    near = [split for split in found if split.score > best[len(split.calls)] - _BEHIND]
    return [*(split for split in stretches(sheet).values() if not _repeats(split)), *near]


def _repeats(split: Split) -> bool:
    """Whether all of several calls take the same values."""
    said = [{p: str(c.value).lower() for p, c in call.items()} for call in split.calls]
    return len(said) > 1 and all(one == said[0] for one in said)


# --- drafts --------------------------------------------------------------------------------------


def _draft(sheet: Sheet, split: Split, number: int) -> Draft:
    taken = split.calls[number]
    if not split.stretches:
        mine = [c for call in split.calls for p, c in call.items() if p in split.listed]
        ways = {
            p: _settled(way, taken.get(p), p in (*split.listed, *split.told), mine) for p, way in sheet.ways.items()
        }
        return Draft(sheet.reading.text, ways)
    begin, end = split.stretches[number]
    text = said(sheet.reading, begin, end)
    own = Sheet(sheet.tool, sheet.parameters, Reading(text), sheet.weights).ways
    shared = {p: c for p, c in taken.items() if c.first >= 0 and not c.inside(begin, end)}
    return Draft(text, {p: _only(shared[p]) if p in shared else way for p, way in own.items()})


def _settled(way: Ranked, candidate: Candidate | None, in_row: bool, used: Sequence[Candidate]) -> Ranked:
    """What a table says of a row is not asked again. The others keep away from the words of its lists, and what the
    table has for all comes first."""
    if candidate is NOTHING or (candidate is not None and in_row):
        return [(candidate, 0.0)]
    lost = [(c, nats - ELSEWHERE * any(c.meets(other) for other in used)) for c, nats in way]
    best = max((nats for _, nats in lost), default=0.0)
    raised = [(c, best if c is candidate else nats) for c, nats in lost]
    return sorted(raised, key=lambda pair: (pair[0] is not candidate, -pair[1]))


def _only(candidate: Candidate) -> Ranked:
    """A value from elsewhere: the words it covers are none of this text."""
    return [(replace(candidate, source="shared", first=-1, last=-1), 0.0)]


def _shared(made: list[Draft], parameters: Sequence[Parameter]) -> list[Draft]:
    """What one call alone says goes for all of them if all need it, or if how it is said tells so."""
    takens = [draft.taken() for draft in made]
    for parameter in parameters:
        named = [
            (number, taken[parameter])
            for number, taken in enumerate(takens)
            if parameter in taken and (taken[parameter].covers or taken[parameter].source == "shared")
        ]
        if len(named) != 1:
            continue
        (owner, candidate), *_ = named
        if parameter.required or _for_all(made[owner], takens[owner], candidate, owner == 0, owner == len(made) - 1):
            made = [
                draft if number == owner else Draft(draft.text, {**draft.ways, parameter: _only(candidate)})
                for number, draft in enumerate(made)
            ]
    return made


def _for_all(owner: Draft, taken: Taken, candidate: Candidate, first: bool, last: bool) -> bool:
    """Whether a value that one call's words name goes for all: the words before it say so, or it stands before
    anything that the first call needs, or in a clause of its own behind all that the last one needs."""
    reading = Reading(owner.text)
    if for_all(reading, candidate):
        return True
    needed = [c for p, c in taken.items() if p.required and c.covers]
    if not (candidate.covers and needed):
        return False
    begin, end = min(c.first for c in needed), max(c.last for c in needed)
    behind = any(end < start <= candidate.first for start in reading.clause_starts)
    return (first and candidate.last < begin) or (last and behind)

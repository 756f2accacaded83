"""What speaks for and against a hypothesis on how many calls a text asks for; the ranker weighs it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from linnet.calling.ranking.features import Features
from linnet.calling.ranking.joints import joined
from linnet.calling.ranking.sheet import Sheet
from linnet.calling.ranking.split import Split
from linnet.calling.ranking.tables import LISTABLE

_KEYWORDS = (
    "respectively each both two three four also then another second first lastly finally compare difference between "
    "same and instead again"
).split()
_NUMBERS = {"two": 2, "both": 2, "three": 3, "four": 4}


def features(sheet: Sheet, split: Split) -> Features:
    """What speaks for and against a hypothesis."""
    words, count = sheet.reading.words, len(split.calls)
    kind = _kind(split)
    found: Features = {
        f"n={min(count, 4)}": 1.0,
        "score": split.score,
        f"score|{kind}": split.score,
        kind: 1.0,
    }
    if count > 1:
        found["per call"] = found[f"per call|{kind}"] = split.score / (count - 1)
    found.update(_numbers(sheet, count, kind))
    found.update(_tuples(sheet, count))
    found.update(_listed(sheet, split))
    heard = {word.lower for word in words}
    for keyword in _KEYWORDS:
        if keyword in heard:
            found[f"{keyword}|{kind}"] = 1.0
            if keyword in _NUMBERS:
                found[f"{keyword}|is {_NUMBERS[keyword] == count}"] = 1.0
    sentences = len(sheet.reading.sentence_starts)
    found[f"sentences equal|{kind}"] = float(sentences == count)
    found[f"sentences|{kind}"] = float(min(sentences, 6))
    names = [p.path[-1].lower() for p in sheet.parameters if p.type == "string"]
    found[f"plural|{kind}"] = float(any(_plural(name) & heard for name in names))
    found[f"length|{kind}"] = min(len(words), 80) / 20
    found.update(_unused(sheet, split))
    found.update(_spread(sheet, split))
    dangling = _dangling(sheet, split)
    found[f"dangling|{kind}"] = float(min(3, dangling))
    found[f"dangles|{kind}"] = float(dangling > 0)
    return found


def _kind(split: Split) -> str:
    """Of what sort the hypothesis is: each sort is weighed by itself."""
    if len(split.calls) == 1:
        return "one call"
    return "stretches" if split.stretches else "product" if split.product else "table"


def _listed(sheet: Sheet, split: Split) -> Features:
    """Of lists of values: which arguments have one, how alike the values are, and whether another could take them."""
    found: Features = {}
    for parameter in split.listed:
        rivals = sum(p.type == parameter.type and (p.required or not parameter.required) for p in sheet.parameters)
        need = "required" if parameter.required else "optional"
        found[f"lists {parameter.type}|{need}|alone={rivals == 1}"] = 1.0
        values = [call[parameter].value for call in split.calls if parameter in call]
        capitals = {str(value)[:1].isupper() for value in values}
        found[f"lists names={capitals == {True}}|alone={rivals == 1}"] = 1.0
        known = {str(value).lower() for value in (*parameter.examples, *parameter.schema.get("enum", ()))}
        found[f"lists known|{need}"] = sum(str(value).lower() in known for value in values) / len(values)
    if split.listed:
        found["lists worst"] = split.worst
        found["lists unlike"] = split.apart
        found["lists unlike per value"] = split.apart / max(1, len(split.calls) - 1) / len(split.listed)
        found[f"lists {min(3, len(split.listed))}|product={split.product}"] = 1.0
        found[f"lists of one type|product={split.product}"] = float(len({p.type for p in split.listed}) == 1)
        takes_lists = any(p.type == "array" for p in sheet.parameters)
        found[f"lists|list taker={takes_lists}"] = 1.0
        needed = [p for p in sheet.parameters if p.required]
        found["lists needed share"] = sum(p.required for p in split.listed) / max(1, len(needed))
        found[f"lists side by side={_side_by_side(split)}"] = 1.0
    return found


def _spread(sheet: Sheet, split: Split) -> Features:
    """Of arguments without a list: which go for all calls although one of them names it, and which are told anew."""
    found: Features = {}
    last = max((c.last for call in split.calls for p, c in call.items() if p in split.listed), default=0)
    for parameter in split.common:
        behind = split.calls[0][parameter].first > last
        found[f"common {parameter.type}"] = found[f"common|behind all={behind}"] = 1.0
    for parameter in split.told:
        need = "required" if parameter.required else "optional"
        found[f"told {parameter.type}|{need}"] = 1.0
        found[f"told share|{need}"] = len({id(call[parameter]) for call in split.calls}) / len(split.calls)
    return found


def _side_by_side(split: Split) -> bool:
    """Whether the values of one of the lists follow each other with hardly a word between."""
    return any(
        all(
            b[parameter].first - a[parameter].last <= 2
            for a, b in pairwise(split.calls)
            if a[parameter] is not b[parameter]
        )
        for parameter in split.listed
    )


def _plural(name: str) -> set[str]:
    return {f"{name}s", f"{name.removesuffix('y')}ies"}


def _numbers(sheet: Sheet, count: int, kind: str) -> Features:
    """Whether the text has as many numbers as so many calls need."""
    numeric = [p for p in sheet.parameters if p.type == "number"]
    have, need = len(sheet.reading.quantities), sum(p.required for p in numeric)
    if need:
        return {
            f"numbers exact|{kind}": float(have == count * need),
            f"numbers enough|{kind}": float(have >= count * need),
            "numbers left": float(min(4, abs(have - count * need))),
        }
    return {f"optional numbers exact|{kind}": float(have == count * len(numeric))} if numeric else {}


def _tuples(sheet: Sheet, count: int) -> Features:
    """Whether there are as many calls as groups of numbers."""
    groups = sum(position == 0 for position in sheet.tuples.values())
    return {f"tuples equal={groups == count}": 1.0} if groups else {}


def _dangling(sheet: Sheet, split: Split) -> int:
    """Arguments beside whose values stand others that would do as well, and that no call takes: of `in Paris and
    Rome` only Paris."""
    used = {i for call in split.calls for c in call.values() if c.covers for i in range(c.first, c.last + 1)}
    count = 0
    for parameter in sheet.parameters:
        if parameter.type not in LISTABLE:
            continue
        own = {id(c): c for call in split.calls if (c := call.get(parameter)) is not None and c.covers}.values()
        free = [c for c, _ in sheet.mentions[parameter] if used.isdisjoint(range(c.first, c.last + 1))]
        count += any(
            joined(sheet.reading, *sorted((c, other), key=lambda x: x.first))
            for c in own
            for other in free
            if (c.source == "named") == (other.source == "named")
        )
    return count


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

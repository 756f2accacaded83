"""Values that a request, a schema or a description offers for a parameter.

Generous on purpose: what is right must be among them, and `features` tells the ranker how good each one is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from linnet.calling.evidence import codes, dates
from linnet.calling.evidence.lexicon import PARTICLES
from linnet.calling.evidence.naming import places_named
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.quantities import Quantity
from linnet.calling.evidence.reading import Reading

SPAN_WORDS = 12
MOST = 600


class _Omitted:
    """Leaving the argument out."""

    def __repr__(self) -> str:
        return "OMITTED"


OMITTED = _Omitted()


@dataclass(frozen=True)
class Candidate:
    """A value; `source` says what it was made of, `first` and `last` the words it covers (-1: none)."""

    value: Any
    source: str
    first: int = -1
    last: int = -1
    quantity: Quantity | None = field(default=None, compare=False)

    @property
    def covers(self) -> bool:
        return self.first >= 0

    def meets(self, other: Candidate) -> bool:
        """Whether both cover a word of the same text."""
        return self.covers and other.covers and self.first <= other.last and other.first <= self.last

    def inside(self, begin: int, end: int) -> bool:
        """Whether it covers words from `begin` up to `end`, and none else."""
        return self.covers and begin <= self.first and self.last < end


def candidates(parameter: Parameter, reading: Reading) -> list[Candidate]:
    """What could be the argument, `OMITTED` included where the schema allows that."""
    found = list(_MAKERS.get(parameter.type, _texts)(parameter, reading))[:MOST]
    found += _told(parameter, reading)
    if parameter.default is not None and all(c.value != parameter.default for c in found if not c.covers):
        found.append(Candidate(parameter.default, "default"))
    if not parameter.required:
        found.append(Candidate(OMITTED, "omitted"))
    return found


def _told(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    """Values whose meaning the description tells and the request names."""
    for value, meaning in parameter.legend.items():
        places = [i for i, word in enumerate(reading.words) if word.stem in meaning]
        if meaning <= reading.stems and places:
            if parameter.type == "number":
                yield Candidate(
                    int(value), "legend", places[0], places[-1] if len(places) == len(meaning) else places[0]
                )
            elif parameter.type == "string":
                yield Candidate(value, "legend", places[0], places[0])


# --- text ----------------------------------------------------------------------------------------

_INNER = re.compile(r"(?:\s+|,\s+|\s*[&/–-]\s*|['’]s?\s+|:\s+|\s*[+]\s*|)\Z")
_INITIAL = re.compile(r"(?:[A-Z]|[A-Z][a-z]{1,2}|etc|No|vs|Inc|Ltd)\Z")
_TRAILING = re.compile(r"[%°!?]+|\.(?=\w)")


def spans(reading: Reading) -> list[tuple[int, int]]:
    """`(first, last)` words of every run that could stand by itself."""
    words = reading.words
    found: list[tuple[int, int]] = []
    for first in range(len(words)):
        if not _may_begin(reading, first):
            continue
        for last in range(first, min(len(words), first + SPAN_WORDS)):
            if last > first and not _inner(reading, last):
                break
            if _may_end(reading, last):
                found.append((first, last))
    return found


def _may_begin(reading: Reading, index: int) -> bool:
    word = reading.words[index]
    return not word.common or (word.capital and index not in reading.sentence_starts)


def _may_end(reading: Reading, index: int) -> bool:
    word = reading.words[index]
    return not word.common or word.capital or word.lower in PARTICLES


def _inner(reading: Reading, index: int) -> bool:
    gap = reading.words[index].gap
    if _INNER.match(gap):
        return True
    return gap.startswith(".") and bool(_INITIAL.match(reading.words[index - 1].text)) and "\n" not in gap


def _texts(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    text, words = reading.text, reading.words
    for quotation in reading.quotations:
        inside = [i for i, w in enumerate(words) if quotation.start <= w.start and w.end <= quotation.end]
        if inside:
            yield Candidate(text[quotation.start : quotation.end].strip(), "quoted", inside[0], inside[-1])
    for first, last in spans(reading):
        yield Candidate(text[words[first].start : words[last].end], "span", first, last)
    if "clause" in parameter.senses:
        yield from _clauses(reading)
    yield from _dated(parameter, reading)
    yield from _coded(parameter, reading)
    yield from _written(reading)
    for example in parameter.examples:
        yield Candidate(example, "example")


_EXPRESSION = re.compile(r"(?<![\w^])\(?-?[\w.]{1,12}\)?(?:\s?(?:\*\*|[-+*/^=<>])\s?\(?-?[\w.]{1,12}\)?){1,12}(?!\w)")


_ADDRESS = re.compile(r"(?<![\w/\\])(?:[a-z]{2,6}://|[A-Za-z]:[\\/]|~?/|\.{0,2}/)[^\s'\"<>]+|[\w.+-]+@[\w.-]+\.\w+")


def _written(reading: Reading) -> Iterator[Candidate]:
    """What no run of words is: formulas, and the first part of a word with a hyphen."""
    for match in _EXPRESSION.finditer(reading.text):
        said = match.group().strip()
        if re.search(r"[\^*+=]|\s[-/]\s", said) and re.search(r"\d", said):
            yield Candidate(said, "formula", *_covered(reading, match.start(), match.end()))
    for match in _ADDRESS.finditer(reading.text):
        said = match.group().rstrip(".,;:!?'\")]}")
        yield Candidate(said, "address", *_covered(reading, match.start(), match.start() + len(said)))
    for index, word in enumerate(reading.words):
        head, hyphen, tail = word.text.partition("-")
        if hyphen and head.isalpha() and tail.isalpha():
            yield Candidate(head, "part", index, index)


def _dated(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    for form in dates.forms(parameter):
        for start, end in reading.moments:
            if value := dates.written(reading.text[start:end], form, reading.text):
                yield Candidate(value, "dated", *_covered(reading, start, end))


def _coded(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    words, wanted = reading.words, codes.tables(parameter)
    long = any(len(example) == 3 and example.isupper() for example in parameter.examples)
    for first in range(len(words) if wanted else 0):
        for last in range(first, min(len(words), first + 4)):
            name = reading.text[words[first].start : words[last].end]
            for table in wanted:
                if found := codes.code(name, table, long):
                    yield Candidate(found, "coded", first, last)


def _clauses(reading: Reading) -> Iterator[Candidate]:
    """From a word to the end of its sentence, or of the text; those that are no spans already."""
    words = reading.words
    ends = sorted({*(i - 1 for i in reading.sentence_starts if i), len(words) - 1})
    for first in range(len(words)):
        if not (_may_begin(reading, first) or first in reading.sentence_starts):
            continue
        here = [end for end in ends if end >= first]
        for last in {*here[:1], *here[-1:]}:
            if last - first >= SPAN_WORDS or not _may_begin(reading, first) or not _may_end(reading, last):
                end = words[last + 1].start if last + 1 < len(words) else len(reading.text)
                said = reading.text[words[first].start : end].strip().rstrip(".?!;:,\"' ")
                yield Candidate(said, "clause", first, last)


# --- numbers -------------------------------------------------------------------------------------

_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_ORDINALS = {
    w: i + 1 for i, w in enumerate("first second third fourth fifth sixth seventh eighth ninth tenth".split())
}
_ANY_NUMBER = re.compile(r"(?<![\w.^])\d+(?:\.\d+)?(?!\w)")


def quantities(reading: Reading) -> list[tuple[Quantity, str]]:
    """All numbers with what they were read from: plain ones, ordinals, and those inside phrases of time."""
    found = [(q, "number") for q in reading.quantities]
    taken = {(q.start, q.end) for q in reading.quantities}

    def free(start: int, end: int) -> bool:
        return not any(start < b and a < end for a, b in taken)

    for match in _ORDINAL.finditer(reading.text):
        found.append((Quantity(float(match[1]), match.start(), match.end()), "ordinal"))
        taken.add(match.span())
    for word in reading.words:
        if word.lower in _ORDINALS:
            found.append((Quantity(_ORDINALS[word.lower], word.start, word.end, spelled=True), "ordinal"))
    for start, end in reading.moments:
        for match in _ANY_NUMBER.finditer(reading.text, start, end):
            if free(*match.span()):
                found.append((Quantity(float(match.group()), *match.span()), "dated"))
    return sorted(found, key=lambda pair: pair[0].start)


def _numbers(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    for quantity, source in quantities(reading):
        first, last = _covered(reading, quantity.start, quantity.end)
        for value, kind in _worths(quantity, source):
            if parameter.integer and not float(value).is_integer():
                continue
            yield Candidate(whole(value), kind, first, last, quantity)


def _worths(quantity: Quantity, source: str) -> Iterator[tuple[float, str]]:
    yield quantity.value, source
    if quantity.percent:
        yield round(quantity.value / 100, 12), "fraction"


def _covered(reading: Reading, start: int, end: int) -> tuple[int, int]:
    inside = [i for i, w in enumerate(reading.words) if w.start < end and start < w.end]
    return (inside[0], inside[-1]) if inside else (-1, -1)


def whole(value: float) -> int | float:
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else value


# --- options, yes or no --------------------------------------------------------------------------


def _options(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    options = list(parameter.schema["enum"])
    texts = [str(option) for option in options]
    places = {option: (start, end) for start, end, option in reversed(places_named(reading.text, texts))}
    for text, place in _coded_options(parameter, texts, reading).items():
        places.setdefault(text, place)
    for option, text in zip(options, texts, strict=True):
        first, last = _covered(reading, *places[text]) if text in places else (-1, -1)
        yield Candidate(option, "named" if text in places else "option", first, last)


def _coded_options(parameter: Parameter, options: list[str], reading: Reading) -> dict[str, tuple[int, int]]:
    """Options that are codes of what the request calls by name: `fr` where it says French."""
    wanted = [table for table in codes.TABLES if table in parameter.path[-1].lower()]
    found = {}
    for word in reading.words if wanted and all(len(option) in (2, 3) for option in options) else ():
        for table in wanted:
            for long in (False, True):
                name = codes.code(word.text, table, long)
                match = next((o for o in options if name and o.lower() == name.lower()), None)
                if match is not None:
                    found.setdefault(match, (word.start, word.end))
    for value, meaning in parameter.legend.items():
        for word in reading.words:
            if value in options and word.stem in meaning and meaning <= reading.stems:
                found.setdefault(value, (word.start, word.end))
    return found


def _booleans(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    yield Candidate(True, "yes")
    yield Candidate(False, "no")


def _const(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    yield Candidate(parameter.schema["const"], "const")


# --- lists ---------------------------------------------------------------------------------------

_LINK = re.compile(r"\s*[,;]\s*\Z")
_AND = frozenset(("and", "or", "plus"))
_ITEM_WORDS = 6


def _lists(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    yield from literals(reading, list)
    items = parameter.schema.get("items")
    inner = Parameter((*parameter.path, "item"), items if isinstance(items, dict) else {}, True, 0)
    if inner.type == "number":
        yield from _number_lists(inner, reading)
    elif inner.type == "options":
        yield from _option_lists(inner, reading)
    elif inner.type in ("string", "any"):
        yield from _text_lists(inner, reading)


def literals(reading: Reading, kind: type) -> Iterator[Candidate]:
    """JSON that stands in the request."""
    opening = "[" if kind is list else "{"
    decoder = json.JSONDecoder()
    at = reading.text.find(opening)
    while at >= 0:
        try:
            value, end = decoder.raw_decode(reading.text.replace("'", '"') if opening == "{" else reading.text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if isinstance(value, kind):
                yield Candidate(value, "literal", *_covered(reading, at, end))
        at = reading.text.find(opening, end)


def _number_lists(inner: Parameter, reading: Reading) -> Iterator[Candidate]:
    found = [q for q, source in quantities(reading) if source == "number"]
    usable = [q for q in found if not (inner.integer and not float(q.value).is_integer())]
    runs = _runs(reading, usable)
    for run in (*runs, *([usable] if len(usable) > 1 and [usable] != runs else [])):
        percents = all(q.percent for q in run)
        first, _ = _covered(reading, run[0].start, run[0].end)
        _, last = _covered(reading, run[-1].start, run[-1].end)
        source = "run" if run in runs and len(run) > 1 else "numbers" if len(run) > 1 else "one"
        kind = whole if inner.integer else float
        yield Candidate([kind(q.value) for q in run], source, first, last)
        if percents and not inner.integer:
            yield Candidate([round(q.value / 100, 12) for q in run], "fractions", first, last)


def _runs(reading: Reading, found: list[Quantity]) -> list[list[Quantity]]:
    """Numbers with nothing but commas, `and` and brackets between them."""
    runs: list[list[Quantity]] = []
    for quantity in found:
        between = reading.text[runs[-1][-1].end : quantity.start] if runs else "."
        if re.fullmatch(r"[\s,;%$€£]*(?:and|or|to|&)?[\s$€£]*", between):
            runs[-1].append(quantity)
        else:
            runs.append([quantity])
    return runs


def _option_lists(inner: Parameter, reading: Reading) -> Iterator[Candidate]:
    options = inner.schema["enum"]
    texts = {str(option): option for option in options}
    named = places_named(reading.text, list(texts))
    if named:
        values = list(dict.fromkeys(text for _, _, text in named))
        first, _ = _covered(reading, *named[0][:2])
        _, last = _covered(reading, *named[-1][:2])
        yield Candidate([texts[v] for v in values], "named", first, last)


def _text_lists(inner: Parameter, reading: Reading) -> Iterator[Candidate]:
    text, words = reading.text, reading.words
    for run in _quoted_runs(reading):
        values = [text[start:end].strip() for start, end in run]
        first, last = _covered(reading, run[0][0], run[-1][1])
        yield Candidate(values, "quotations" if len(values) > 1 else "quotation", first, last)
    for chain in _chains(reading):
        yield from _cut(reading, chain)
    for first, last in spans(reading):
        yield Candidate([text[words[first].start : words[last].end]], "single", first, last)


def _quoted_runs(reading: Reading) -> list[list[tuple[int, int]]]:
    """Quotations with nothing but commas and `and` between them; and all of them together."""
    runs: list[list[tuple[int, int]]] = []
    for quotation in reading.quotations:
        place = (quotation.start, quotation.end)
        between = reading.text[runs[-1][-1][1] + 1 : place[0] - 1] if runs else "."
        if re.fullmatch(r"[\s,;]*(?:(?:and|or)\s+)?", between):
            runs[-1].append(place)
        else:
            runs.append([place])
    together = [place for run in runs for place in run]
    return runs if len(runs) < 2 else [*runs, together]


def _chains(reading: Reading) -> list[list[tuple[int, int]]]:
    """Enumerations as `(first, last)` words of their items; the outer edges reach as far as they could."""
    words = reading.words
    joints = [i for i in range(1, len(words)) if _joint(reading, i)]
    chains: list[list[tuple[int, int]]] = []
    group: list[int] = []
    for joint in [*joints, 10**9]:
        if group and (joint - group[-1] > _ITEM_WORDS + 1 or _broken(reading, group[-1], joint)):
            chains.append(_items(reading, group))
            group = []
        if joint < 10**9:
            group.append(joint)
    return [chain for chain in chains if len(chain) > 1]


def _joint(reading: Reading, index: int) -> bool:
    """Whether an item begins at this word: behind a comma, or behind `and`."""
    word, before = reading.words[index], reading.words[index - 1]
    if word.lower in _AND:
        return False
    return bool(_LINK.match(word.gap)) or (before.lower in _AND and index > 1)


def _broken(reading: Reading, left: int, right: int) -> bool:
    stop = min(right, len(reading.words) - 1)
    return any(i in reading.sentence_starts for i in range(left, stop + 1))


def _items(reading: Reading, joints: list[int]) -> list[tuple[int, int]]:
    """The items between joints; the first reaches back, the last reaches on, to the sentence's edges."""
    starts = [i for i in sorted(reading.sentence_starts) if i <= joints[0]]
    begin = max(starts[-1] if starts else 0, joints[0] - _ITEM_WORDS - 1)
    later = [i for i in sorted(reading.sentence_starts) if i > joints[-1]]
    end = min((later[0] if later else len(reading.words)) - 1, joints[-1] + _ITEM_WORDS - 1)
    edges = [begin, *joints]
    items = [(a, _last(reading, b)) for a, b in zip(edges, joints, strict=False)]
    return [*items, (joints[-1], end)]


def _last(reading: Reading, joint: int) -> int:
    """The last word of an item that ends before this joint."""
    return joint - 2 if reading.words[joint - 1].lower in _AND else joint - 1


def _cut(reading: Reading, chain: list[tuple[int, int]]) -> Iterator[Candidate]:
    """An enumeration with each place where its first item may begin and its last may end, and each part of it."""
    words, text = reading.words, reading.text

    def said(first: int, last: int) -> str:
        while first < last and words[first].common and not words[first].capital:
            first += 1
        return text[words[first].start : words[last].end]

    inner = [said(a, b) for a, b in chain[1:-1]]
    if any(b < a for a, b in chain):
        return
    (begin, stop), (start, end) = chain[0], chain[-1]
    for a in range(begin, stop + 1):
        if not _may_begin(reading, a):
            continue
        for b in range(start, end + 1):
            if b > start and not re.match(r"\s|['’]s|-", words[b].gap):
                break
            if _may_end(reading, b) and b >= start and not all(w.common for w in words[start : b + 1]):
                yield Candidate([said(a, stop), *inner, said(start, b)], "chain", a, b)


def _objects(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    yield from literals(reading, dict)


_MAKERS = {
    "number": _numbers,
    "options": _options,
    "boolean": _booleans,
    "const": _const,
    "array": _lists,
    "object": _objects,
}

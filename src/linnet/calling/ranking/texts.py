"""Candidates for a text: quotations, runs of words, clauses, command lines, dates, codes, formulas, addresses."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from linnet.calling.evidence import codes, dates, naming, regions
from linnet.calling.evidence.lexicon import SYNONYMS
from linnet.calling.evidence.parameters import Parameter
from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.candidate import Candidate, standing
from linnet.calling.ranking.commands import commands
from linnet.calling.ranking.spans import SPAN_WORDS, may_begin, may_end, spans

_DATES = 40
"""Phrases of time that are worked out: each takes `dateparser` a millisecond or more."""
_NAME_WORDS = 4
"""Words of the longest name that a code is looked up for."""
_TOWN_WORDS = 3
"""Words of the longest name of a town that is looked up."""
_CLAUSE_CHARS = 4_000
"""Of the longest clause: in a long request there are hundreds that reach to its end, and each is a copy."""
_PREPOSITIONS = frozenset(("at", "on", "by", "from", "around", "for", "until", "till", "before", "after"))
_TERM = r"\(?-?[\w.]{1,12}\)?"
_EXPRESSION = re.compile(rf"(?<![\w^]){_TERM}(?:\s?(?:\*\*|[-+*/^=<>])\s?{_TERM}){{1,12}}(?!\w)")
_OPERATOR = re.compile(r"[\^*+=]|\s[-/]\s")
_ADDRESS = re.compile(
    r"(?<![\w/\\])(?:[a-z]{2,6}://|[A-Za-z]:[\\/]|~?/|\.{0,2}/)[^\s'\"<>]+"
    r"|(?<![\w.+-])[\w.+-]+@[\w.-]+\.\w+"
)


def texts(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    """Whatever text the request offers, and the examples of the description."""
    for quotation in reading.quotations:
        start, end = quotation.start, quotation.end
        yield from standing(reading.text[start:end].strip(), "quoted", reading, start, end)
    for first, last in spans(reading):
        if not _cuts_time(reading, first, last):
            yield Candidate(reading.phrase(first, last), "span", first, last)
    yield from _timed(parameter, reading)
    yield from _completed(parameter, reading)
    if "clause" in parameter.senses:
        yield from _clauses(reading)
    if "command" in parameter.senses:
        yield from commands(reading)
    yield from _dated(parameter, reading)
    yield from _coded(parameter, reading)
    yield from _formulas(reading)
    yield from _addresses(reading)
    yield from _parts(reading)
    for example in parameter.examples:
        if _alluded(example, reading):
            yield Candidate(example, "example")


def _cuts_time(reading: Reading, first: int, last: int) -> bool:
    """Whether a run reaches into a phrase of time and not to its other end: `dentist tomorrow` at 9."""
    start, end = reading.words[first].start, reading.words[last].end
    return any((start < a < end < b) or (a < start < b < end) for a, b in reading.moments)


def _timed(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    """Phrases of time that begin as no run of words may: `in an hour`, `this evening`."""
    if {"time", "date"} & set(parameter.senses):
        for start, end in reading.moments[:_DATES]:
            for found in standing(reading.text[start:end], "span", reading, start, end):
                if not may_begin(reading, found.first):
                    yield found


def _alluded(example: str, reading: Reading) -> bool:
    """Whether the request has all words of an example, or such as often stand for them; `San Francisco` will do for
    `San Francisco, CA`."""
    stems = naming.words(example.split(",")[0])
    return bool(stems) and all(SYNONYMS.get(stem, frozenset((stem,))) & reading.stems for stem in stems)


def _completed(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    """Towns with their state or country, where the parameter wants it."""
    if not any(regions.wanted(parameter)):
        return
    for first, last in spans(reading):
        if last - first < _TOWN_WORDS and (place := regions.completed(reading.phrase(first, last), parameter)):
            yield Candidate(place, "completed", first, last)


def _clauses(reading: Reading) -> Iterator[Candidate]:
    """From a word to the end of its sentence, of the text, or to a phrase of time; those that are no span already."""
    starts = sorted(reading.sentence_starts)
    ends = [*(start - 1 for start in starts if start), len(reading.words) - 1]
    timed = [last for start, end in reading.moments if (last := _before(reading, start)) >= 0]
    for first in range(len(reading.words)):
        begins = may_begin(reading, first)
        if not begins and first not in reading.sentence_starts:
            continue
        told = ends[bisect_left(ends, first)]
        until = [last for last in timed if first < last < told][:1]
        for last in {told, ends[-1], *until}:
            if last - first >= SPAN_WORDS or not begins or not may_end(reading, last):
                said = (reading.phrase(first, last) + reading.after(last)).strip().rstrip(".?!;:,\"' ")
                if len(said) <= _CLAUSE_CHARS:
                    yield Candidate(said, "clause", first, last)


def _before(reading: Reading, place: int) -> int:
    """The last word of what is said before this place in the text, without the preposition between them."""
    last = sum(word.end <= place for word in reading.words) - 1
    return last - (last > 0 and reading.words[last].lower in _PREPOSITIONS)


def _dated(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    """Phrases of time in the forms that the parameter asks for."""
    for form in dates.forms(parameter):
        for start, end in reading.moments[:_DATES]:
            if value := dates.written(reading.text[start:end], form, reading.text):
                yield from standing(value, "dated", reading, start, end)


def _coded(parameter: Parameter, reading: Reading) -> Iterator[Candidate]:
    """The codes of what is called by name: `EUR` where the request says euros."""
    wanted, count = codes.tables(parameter), len(reading.words)
    long = any(len(example) == 3 and example.isupper() for example in parameter.examples)
    for first in range(count if wanted else 0):
        for last in range(first, min(count, first + _NAME_WORDS)):
            name = reading.phrase(first, last)
            found = (codes.code(name, table, long) for table in wanted)
            yield from (Candidate(code, "coded", first, last) for code in found if code)


def _formulas(reading: Reading) -> Iterator[Candidate]:
    """Terms with operators between them, at least one of them a number: `3x^2 + 5`, not `and/or`."""
    for match in _EXPRESSION.finditer(reading.text):
        said = match.group().strip()
        if _OPERATOR.search(said) and re.search(r"\d", said):
            yield from standing(said, "formula", reading, *match.span())


def _addresses(reading: Reading) -> Iterator[Candidate]:
    """URLs, paths and addresses of mail, without the marks that end the sentence."""
    for match in _ADDRESS.finditer(reading.text):
        said = match.group().rstrip(".,;:!?'\")]}")
        yield from standing(said, "address", reading, match.start(), match.start() + len(said))


def _parts(reading: Reading) -> Iterator[Candidate]:
    """The first half of a word with a hyphen: `vegan` of `vegan-friendly`."""
    for index, word in enumerate(reading.words):
        head, hyphen, tail = word.text.partition("-")
        if hyphen and head.isalpha() and tail.isalpha():
            yield Candidate(head, "part", index, index)

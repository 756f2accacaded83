"""Features of a run of words, whatever it is for: how long it is, what it is made of, what stands at its edges."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from linnet.calling.evidence.codes import known_place
from linnet.calling.evidence.lexicon import UNITS
from linnet.calling.evidence.reading import Reading, Word
from linnet.calling.evidence.towns import town
from linnet.calling.ranking.facts import Facts, Features, holding

_PREVIOUS = frozenset(
    "in for of from to at by on with about named called titled is are was the a an as into between and or than my "
    "using like over under per until that's it's through since during before after it that this me against".split()
)
"""Words before a run that are told apart."""
_NEXT = frozenset(
    "in for of from to at by on with is are and or as between who that which using than per during".split()
)
"""Words behind a run that are told apart."""
_ENDINGS = tuple("ing ed ly tion sion ian ese ish ist ology ics ment ity er al ic an s".split())
_SENTENCE_ENDS = re.compile(r"[\"'”’)\]]*[.!?;:]\s")


@dataclass(frozen=True)
class _Run:
    """Words of a request, from `first` to `last`, with their neighbours."""

    reading: Reading
    first: int
    last: int

    @cached_property
    def words(self) -> Sequence[Word]:
        return self.reading.words[self.first : self.last + 1]

    @cached_property
    def capitals(self) -> list[bool]:
        return [word.capital for word in self.words]

    @cached_property
    def gap(self) -> str:
        """What stands before the run."""
        return self.words[0].gap

    @cached_property
    def end(self) -> str:
        """What stands behind the run."""
        return self.reading.after(self.last)

    @cached_property
    def starts(self) -> bool:
        """Whether it begins a sentence."""
        return self.first in self.reading.sentence_starts

    def word(self, index: int) -> Word | None:
        return self.reading.words[index] if 0 <= index < len(self.reading.words) else None


def of_span(facts: Facts, first: int, last: int) -> Features:
    """What a run of words looks like."""
    run = _Run(facts.reading, first, last)
    return {
        **_size(run),
        **_edges(run),
        **_left(run),
        **_right(run),
        **_letters(run),
        **_known(run, facts.places),
        **_inside(run, facts.tool_stems),
        **_endings(run),
        **_marks(facts, run.words[0].start, run.words[-1].end),
    }


def _size(run: _Run) -> Features:
    length = len(run.words)
    found = {f"len={length if length < 5 else '5-7' if length < 8 else '8+'}": 1.0}
    return found | holding({"starts sentence": run.starts, "first word alone": run.starts and length == 1})


def _edges(run: _Run) -> Features:
    """The words and the marks around it."""
    found = {f"prev={previous(run.reading, run.first, run.gap)}": 1.0, f"next={_next(run)}": 1.0}
    opening, closing = run.gap.strip()[-1:], run.end.strip()[:1]
    return found | holding({f"open={opening}": bool(opening), f"close={closing}": bool(closing)})


def previous(reading: Reading, first: int, gap: str = "") -> str:
    """What stands before word `first`: a word by itself if it is telling, else the sort of thing it is."""
    if first == 0 or first in reading.sentence_starts:
        return "^"
    if "," in gap:
        return ","
    before = reading.words[first - 1]
    return "#" if before.text[0].isdigit() else _sort(before, _PREVIOUS)


def _next(run: _Run) -> str:
    after = run.word(run.last + 1)
    if after is None or _SENTENCE_ENDS.match(run.end):
        return "$"
    if run.end.lstrip("\"'”’)").startswith(","):
        return ","
    return "'s" if run.end.startswith(("'s", "’s")) else _sort(after, _NEXT)


def _sort(word: Word, telling: frozenset[str]) -> str:
    if word.lower in telling:
        return word.lower
    return "Cap" if word.capital else "word"


def _left(run: _Run) -> Features:
    """Whether it is cut out of something that begins further left."""
    before, beyond = run.word(run.first - 1), run.word(run.first - 2)
    if before is None:
        return {}
    spaced, capital = run.gap.isspace(), run.capitals[0]
    begins = run.first - 1 in run.reading.sentence_starts
    found = {
        "cut name left": before.capital and capital and spaced and not begins,
        "cut phrase left": spaced and not (before.common or before.capital or capital),
    }
    if beyond is not None:
        found[f"behind name and {_joint(before)}"] = before.common and capital and beyond.capital
        found["behind comma|caps" if before.capital else "behind comma"] = "," in run.gap
    return holding(found)


def _right(run: _Run) -> Features:
    """Whether it is cut out of something that goes on further right."""
    after, beyond = run.word(run.last + 1), run.word(run.last + 2)
    if after is None:
        return {}
    spaced, capital = run.end.isspace(), run.capitals[-1]
    found = {
        "cut name right": after.capital and capital and spaced,
        "cut phrase right": spaced and not (after.common or after.capital or capital),
    }
    if beyond is not None:
        found[f"before name and {_joint(after)}"] = after.common and capital and beyond.capital
    return holding(found)


def _joint(word: Word) -> str:
    return word.lower if word.lower in ("of", "the", "and") else "word"


def _letters(run: _Run) -> Features:
    """Capitals and digits."""
    digits = [any(map(str.isdigit, word.text)) for word in run.words]
    first, alone = run.words[0].text, len(run.words) == 1
    found = {
        f"caps={quantifier(run.capitals, first='first')}": True,
        f"digits={quantifier(digits)}": True,
        "code": alone and digits[0] and any(map(str.isalpha, first)),
        "acronym": alone and first.isupper() and len(first) > 1,
        "known place": any(run.capitals) and known_place(run.reading.phrase(run.first, run.last)),
    }
    return holding(found)


def _known(run: _Run, places: bool) -> Features:
    """Whether it is a town, where some parameter is a place, or a unit of measure."""
    said = run.reading.phrase(run.first, run.last)
    short = places and len(run.words) <= 3 and (run.capitals[0] or said.islower())
    found = town(said) if short else None
    kind = f"known town|caps={run.capitals[0]}" if not run.starts else "known town|starts sentence"
    return holding({kind: found is not None, "unit word": len(run.words) == 1 and said.lower() in UNITS})


def quantifier(claims: Sequence[bool], first: str = "some") -> str:
    """Of how many things something holds; `first` is the word for the first of several."""
    if all(claims):
        return "all"
    return first if claims[0] else "some" if any(claims) else "none"


def _inside(run: _Run, tool_stems: frozenset[str]) -> Features:
    """Function words, commas, and words of the tool."""
    tools = [word.stem in tool_stems for word in run.words]
    found = {
        "common inside": any(word.common for word in run.words),
        "commas inside": any("," in word.gap for word in run.words[1:]),
        "and inside": any(word.lower in ("and", "or") for word in run.words),
        "all tool words": all(tools),
    }
    return {"tool words": sum(tools) / len(tools), **holding(found)}


def _endings(run: _Run) -> Features:
    """The ending of its last word, for what an unknown word could be: `-ese` a language, `-er` a person."""
    ending = _ending(run.words[-1].lower)
    alone = f"alone -{ending}|caps={run.capitals[0]}"
    return holding({f"ends -{ending}": True, alone: len(run.words) == 1})


def _ending(word: str) -> str:
    return next((e for e in _ENDINGS if word.endswith(e) and len(word) > len(e) + 2), "?")


def _marks(facts: Facts, start: int, end: int) -> Features:
    """How it stands to quotations, numbers and phrases of time."""
    quote = _relation(start, end, facts.quotations)
    others = {"moment": facts.moments, "number": facts.numbers}
    related = {name: _relation(start, end, places) for name, places in others.items()}
    found = {f"{name} {relation}": bool(relation) for name, relation in related.items()}
    if related["moment"]:  # one parameter of time takes the whole phrase, two share it
        found[f"moment {related['moment']}|timed={min(2, facts.timed)}"] = True
    found[f"quote {quote}"] = bool(quote)
    found["quotes elsewhere"] = not quote and bool(facts.quotations)
    return holding(found)


def _relation(start: int, end: int, places: Sequence[tuple[int, int]]) -> str:
    """How a place stands to the first of these that it meets; a mark more or less at an edge makes no difference."""
    met = next(((a, b) for a, b in places if start < b and a < end), None)
    if met is None:
        return ""
    if abs(met[0] - start) <= 1 and abs(met[1] - end) <= 1:
        return "is"
    if met[0] <= start and end <= met[1]:
        return "inside"
    return "around" if start <= met[0] and met[1] <= end else "across"

"""Words of a text by their stems, options that it names, and what stands in quotation marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from linnet.calling.evidence.lexicon import COMMON, OTHER_FORMS
from linnet.calling.evidence.stems import stem

_QUOTED = re.compile(r"\"([^\"]+)\"|“([^“”]+)”|(?<!\w)'([^']+)'(?!\w)|`([^`]+)`")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words(text: str) -> list[str]:
    """Content words, in lower case and reduced to a rough stem; camelCase and snake_case are taken apart."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("_", " "))
    return [stem(w) for w in (m.group().lower() for m in _WORD.finditer(spaced)) if w not in COMMON]


def places_named(text: str, options: Sequence[str]) -> list[tuple[int, int, str]]:
    """`(start, end, option)` wherever the text names an option, in order."""
    found = list(_WORD.finditer(text))
    stems = [stem(m.group().lower()) for m in found]
    places: list[tuple[int, int, str]] = []
    for option in options:
        wanted = [stem(w.lower()) for w in _WORD.findall(option.replace("_", " "))]
        for i in range(len(stems) - len(wanted) + 1 if wanted else 0):
            if stems[i : i + len(wanted)] == wanted:
                places.append((found[i].start(), found[i + len(wanted) - 1].end(), option))
        if other := OTHER_FORMS.get(option):
            places += [(*m.span(), option) for m in other.finditer(text)]
    return list(_outermost(places))


def _outermost(places: list[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """In order, without those inside a longer one: that comes before them, and reaches as far."""
    reach = -1
    for (_, end), same in groupby(sorted(places, key=lambda p: (p[0], -p[1])), key=lambda p: p[:2]):
        if end > reach:
            yield from same
        reach = max(reach, end)


def quoted(text: str) -> list[str]:
    """What stands in quotation marks."""
    return [next(group for group in match.groups() if group) for match in _QUOTED.finditer(text)]


def overlap(request: Iterable[str], described: Iterable[str]) -> float:
    """The share of the request's content words that the description has as well."""
    asked = set(request)
    return len(asked & set(described)) / max(1, len(asked))
